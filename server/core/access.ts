import { type Caller, covers, isNone, type Rights, type Tokens } from './caller.ts'
import type { Command, SetRef } from './command.ts'
import type { Names } from './event.ts'
import { type Failure, fail } from './failure.ts'
import { type LeaseId, NO_SET, type SetId } from './ids.ts'
import { findId, type LeaseRecord, type State } from './state.ts'

/**
 * What a caller may, where there is a policy: contract 2.7, the check of identity, which comes before whatever else is
 * looked at but the form. A set that is named by its token is refused by the token alone, whether it exists or not; one
 * that is named by its handle, by the token that it has. What does not exist is not refused here: that is said in its turn.
 */
export function permits(state: State, command: Command, caller: Caller): Failure | undefined {
  const { rights } = caller
  if (rights === undefined) return undefined
  switch (command.kind) {
    case 'create_set':
      return need(caller, mayCreate(rights, command.token)) ?? ownLease(state, command.leaseId, caller)
    case 'adjust_quota':
    case 'delete_set':
    case 'allocate':
    case 'free':
    case 'free_all':
    case 'attach_spid':
    case 'detach_spid':
    case 'attach_data':
    case 'detach_data':
      return known(caller) ?? ownSet(state, command, caller)
    case 'acquire':
    case 'acquire_by_spid':
      return known(caller) ?? mayHold(state, command.set, caller) ?? ownLease(state, command.leaseId, caller)
    case 'release':
      // Who may no longer see a set may still let go of what he has there.
      return (
        ownLease(state, command.leaseId, caller) ??
        (state.heldIds.get(command.leaseId)?.has(command.ioasid)
          ? undefined
          : (known(caller) ?? mayHold(state, command.set, caller)))
      )
    case 'grant_lease':
      return known(caller)
    case 'register':
      return (
        mayWatch(command.names, (setId) => state.sets.get(setId), caller) ?? ownLease(state, command.leaseId, caller)
      )
    case 'revive_lease':
    case 'revoke_lease':
    case 'acknowledge':
      return ownLease(state, command.leaseId, caller)
    case 'force_delete_set':
    case 'force_revoke_lease':
      return need(caller, caller.isAdmin)
    case 'expire_lease':
    case 'end_registration':
      return undefined
  }
}

/** Whether a caller may look at a set and at its ids. */
export function sees(caller: Caller, set: Owned): boolean {
  const { rights, isAdmin } = caller
  if (rights === undefined || isAdmin || owns(caller, set)) return true
  return matches(rights.subscribe, set) || matches(rights.acquire, set)
}

/** undefined: he may look at what he names so, if it is there. */
export function mayLook(state: State, ref: SetRef, caller: Caller): Failure | undefined {
  return known(caller) ?? checkRef(state, ref, caller, (set) => sees(caller, set))
}

/** An id that is looked for by its number alone. That it is allocated may be learned, no more. */
export function mayLookAtId(state: State, ioasid: number, caller: Caller): Failure | undefined {
  const setId = findId(state.table, ioasid)?.setId
  return known(caller) ?? (setId === undefined ? undefined : mayLook(state, { setId }, caller))
}

/** Whether he is the identity that created a set, as far as the policy goes on saying that he may. */
function owns({ identity, rights }: Caller, set: Owned): boolean {
  if (rights === undefined || identity === '') return false
  // An anonymous set has no token for a policy to name, so it is its creator's alone.
  return set.token === '' ? set.owner === identity && !isNone(rights.own) : covers(rights.own, set.token)
}

/** Whether his requests are answered with a handle that they did not present. */
export function isCreator(caller: Caller, set: Owned): boolean {
  return owns(caller, set) && set.owner === caller.identity
}

/**
 * undefined: he may watch everything that the names stand for. `find`: whose a set is; of one that never was there is
 * nothing to watch, and it is not refused here.
 */
export function mayWatch(names: Names, find: (setId: SetId) => Owned | undefined, caller: Caller): Failure | undefined {
  const { rights, isAdmin } = caller
  if (rights === undefined || isAdmin) return undefined
  if (names === 'all') return need(caller, rights.subscribe.isAll)
  const watches = (set: Owned) => owns(caller, set) || matches(rights.subscribe, set)
  const isAllowed =
    names.tokens.every((token) => covers(rights.own, token) || covers(rights.subscribe, token)) &&
    names.setIds.map(find).every((set) => set === undefined || watches(set))
  return known(caller) ?? need(caller, isAllowed)
}

/** Of a lease that there is. One that was granted before there was a policy belongs to whoever has its handle. */
function ownsLease({ identity, rights }: Caller, { owner }: Pick<LeaseRecord, 'owner'>): boolean {
  return rights === undefined || owner === '' || owner === identity
}

/** Whether it is listed to him: one that belongs to whoever has its handle tells nobody else its name and what it holds. */
export function seesLease({ identity, rights, isAdmin }: Caller, { owner }: Pick<LeaseRecord, 'owner'>): boolean {
  return rights === undefined || isAdmin || owner === identity
}

export function ownLease(state: State, leaseId: LeaseId | null, caller: Caller): Failure | undefined {
  if (caller.rights === undefined) return undefined
  const lease = leaseId === null ? undefined : state.leases.get(leaseId)
  return need(caller, lease === undefined || ownsLease(caller, lease))
}

/** undefined: the policy names him. */
export function known(caller: Caller): Failure | undefined {
  const { rights } = caller
  if (rights === undefined) return undefined
  const { own, subscribe, acquire, administer } = rights
  return need(caller, administer || [own, subscribe, acquire].some((tokens) => !isNone(tokens)))
}

/** The same sentence whatever was asked for: it tells nothing of what there is. */
export function notPermitted({ identity }: Caller): Failure {
  if (identity === '') return fail('NO_IDENTITY', 'The policy asks who calls, and this connection does not say.')
  return fail('NOT_PERMITTED', 'The policy does not allow this to the identity of the caller.')
}

/** What a rule of access needs to know of a set. */
export interface Owned {
  readonly setId: SetId
  readonly token: string
  /** The identity that created it; empty: not known. */
  readonly owner: string
}

function need(caller: Caller, isAllowed: boolean): Failure | undefined {
  return isAllowed && caller.identity !== '' ? undefined : notPermitted(caller)
}

function mayCreate({ own }: Rights, token: string): boolean {
  return token === '' ? !isNone(own) : covers(own, token)
}

function matches(tokens: Tokens, { token }: Owned): boolean {
  return token === '' ? tokens.isAll : covers(tokens, token)
}

function ownSet(state: State, { setId }: { readonly setId: SetId }, caller: Caller): Failure | undefined {
  const set = state.sets.get(setId)
  return set === undefined || owns(caller, set) ? undefined : notPermitted(caller)
}

function mayHold(state: State, ref: SetRef, caller: Caller): Failure | undefined {
  const { rights } = caller
  return checkRef(state, ref, caller, (set) => {
    return owns(caller, set) || (rights !== undefined && matches(rights.acquire, set))
  })
}

/** By token alone, so that a refusal does not tell whether there is such a set. */
function checkRef(state: State, ref: SetRef, caller: Caller, isAllowed: (set: Owned) => boolean): Failure | undefined {
  if (caller.rights === undefined) return undefined
  const set = 'token' in ref ? { setId: NO_SET, token: ref.token, owner: '' } : state.sets.get(ref.setId)
  return set === undefined || isAllowed(set) ? undefined : notPermitted(caller)
}
