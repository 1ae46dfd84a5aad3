import type { Command, Decision } from './command.ts'
import type { Event, Names } from './event.ts'
import { type Failure, fail, isFailure } from './failure.ts'
import { countNewHolds, isBound, settledIds } from './holds.ts'
import { asRevision } from './ids.ts'
import { findAlive, leaseNotFound } from './lookup.ts'
import { findId, referencesOf, type State } from './state.ts'
import { planTeardown } from './teardown.ts'

/** The rules of holds: contract section 4, NotificationService. */

type Of<Kind extends Command['kind']> = Extract<Command, { kind: Kind }>

/** To register the same again is to resume, and changes nothing. */
export function register(state: State, { leaseId, names, priority }: Of<'register'>): Decision {
  const lease = findAlive(state, leaseId)
  if (isFailure(lease)) return lease
  const known = lease.holding
  if (known !== null && known.names !== null) {
    if (priority === known.priority && isSame(names, known.names)) return { events: [], answer: { kind: 'done' } }
    return fail('HOLD_DIFFERS', `Lease ${leaseId} holds other sets, or with another priority.`, { lease_id: leaseId })
  }
  const refusal = overHolds(state, countNewHolds(state, leaseId, names))
  return refusal ?? { events: [{ kind: 'REGISTER', leaseId, names, priority }], answer: { kind: 'done' } }
}

/** What it took stays until it is acknowledged or the lease ends: somebody may still use it. */
export function endRegistration(state: State, { leaseId }: Of<'end_registration'>): Decision {
  const isRegistered = state.leases.get(leaseId)?.holding?.names != null
  return { events: isRegistered ? [{ kind: 'DEREGISTER', leaseId }] : [], answer: { kind: 'done' } }
}

/** It may let a wave go even where it settles nothing: an id may have been torn down again since. */
export function acknowledge(state: State, { leaseId, revision }: Of<'acknowledge'>): Decision {
  const lease = state.leases.get(leaseId)
  if (lease === undefined) return leaseNotFound()
  if (revision > state.revision) {
    const message = `The newest revision is ${state.revision}.`
    return fail('FUTURE_REVISION', message, { revision: state.revision, requested: revision })
  }
  const isNews = lease.holding !== null && revision > lease.holding.acknowledged
  const awaited = state.holdIds.get(leaseId)?.awaited.size ?? 0
  if (!isNews || awaited === 0) return { events: [], answer: { kind: 'done' } }

  const acknowledged = asRevision(revision)
  const teardown = planTeardown(state, { kind: 'settled', leaseId })
  let dropped = 0
  // Ascending, so that the decision does not depend on what a restart puts into another order.
  for (const id of settledIds(state, leaseId, acknowledged).toSorted((a, b) => a - b)) {
    const record = findId(state.table, id)
    const set = record === undefined ? undefined : state.sets.get(record.setId)
    if (record === undefined || set === undefined) throw new Error(`lease ${leaseId} holds IOASID ${id}, which is free`)
    if (!isBound(record)) dropped += 1
    teardown.release(set, id)
  }
  const events: Event[] = [{ kind: 'ACKNOWLEDGE', leaseId, acknowledged }]
  // A HELD lease is gone with its last reference.
  if (lease.isHeld && referencesOf(lease) === dropped) events.push({ kind: 'LEASE_END', leaseId })
  return { events: [...events, ...teardown.events()], answer: { kind: 'done' } }
}

/** Whether so many references more, which holds take by themselves, are too many. */
export function overHolds(state: State, more: number): Failure | undefined {
  const limit = state.config.maxReferences
  // Without one more there is nothing to refuse, even where a restart has put the limit below what there is.
  if (more === 0 || state.references + more <= limit) return undefined
  const message = `Holders would have ${state.references + more} references, more than the ${limit} allowed.`
  return fail('TOO_MANY', message, { what: 'references', limit })
}

function isSame(a: Names, b: Names): boolean {
  if (a === 'all' || b === 'all') return a === b
  return isSameList(a.tokens, b.tokens) && isSameList(a.setIds, b.setIds)
}

function isSameList<Item>(a: readonly Item[], b: readonly Item[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index])
}
