import { ANYONE, type Caller } from './caller.ts'
import type { Command, Decision } from './command.ts'
import { acknowledge, endRegistration, register } from './hold-rules.ts'
import { allocate, attachData, attachSpid, detachData, detachSpid, free, freeAll } from './ioasid-rules.ts'
import { expireLease, grantLease, reviveLease, revokeLease } from './lease-rules.ts'
import { acquire, acquireBySpid, release } from './reference-rules.ts'
import { adjustQuota, createSet, deleteSet } from './set-rules.ts'
import type { State } from './state.ts'

/**
 * Answers a command with the events that carry it out, or with a failure. Reads the state and changes nothing: the same
 * state and command give the same decision on every machine.
 */
export function decide(state: State, command: Command, caller: Caller = ANYONE): Decision {
  switch (command.kind) {
    case 'create_set':
      return createSet(state, command, caller)
    case 'adjust_quota':
      return adjustQuota(state, command, caller)
    case 'delete_set':
      return deleteSet(state, command)
    case 'force_delete_set':
      return deleteSet(state, { ...command, force: true })
    case 'allocate':
      return allocate(state, command, caller)
    case 'free':
      return free(state, command)
    case 'free_all':
      return freeAll(state, command)
    case 'attach_spid':
      return attachSpid(state, command)
    case 'detach_spid':
      return detachSpid(state, command)
    case 'attach_data':
      return attachData(state, command)
    case 'detach_data':
      return detachData(state, command)
    case 'acquire':
      return acquire(state, command)
    case 'acquire_by_spid':
      return acquireBySpid(state, command)
    case 'release':
      return release(state, command)
    case 'grant_lease':
      return grantLease(state, command, caller)
    case 'revive_lease':
      return reviveLease(state, command)
    case 'revoke_lease':
    case 'force_revoke_lease':
      return revokeLease(state, command)
    case 'expire_lease':
      return expireLease(state, command)
    case 'register':
      return register(state, command)
    case 'end_registration':
      return endRegistration(state, command)
    case 'acknowledge':
      return acknowledge(state, command)
  }
}
