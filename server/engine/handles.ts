import { createHmac, timingSafeEqual } from 'node:crypto'
import { asLeaseId, asSetId, type LeaseId, type SetId } from '../core/ids.ts'

/**
 * Handles are computed, not stored: a number and a MAC of it under the data directory's key. So there is no index of them,
 * none is in the log or a snapshot, and a guess is refused without a look at any set or lease.
 */
export interface Handles {
  ofSet(setId: SetId): string
  /** The set that a handle names, alive or not; NO_SET where it names none. */
  toSet(handle: string): SetId
  ofLease(leaseId: LeaseId): string
  /** The lease that a handle names, alive or not; NO_LEASE where it names none. */
  toLease(handle: string): LeaseId
}

export function createHandles(key: Uint8Array): Handles {
  const sets = createSealer(key, 'set-')
  const leases = createSealer(key, 'lease-')
  return {
    ofSet: sets.seal,
    toSet: (handle) => asSetId(sets.open(handle)),
    ofLease: leases.seal,
    toLease: (handle) => asLeaseId(leases.open(handle)),
  }
}

const NUMBER_BYTES = 8
const MAC_BYTES = 16
/** No set and no lease has it. */
const NONE = 0
/** Handles of each kind that are not looked through again: their MAC costs more than all else that a small change takes. */
const MAX_REMEMBERED = 1 << 15

/** Numbers of one kind to texts that nobody else can make, and back. The prefix is part of what is sealed. */
function createSealer(key: Uint8Array, prefix: string) {
  const seal = (value: number) => {
    const number = Buffer.alloc(NUMBER_BYTES)
    number.writeBigUInt64BE(BigInt(value))
    const mac = createHmac('sha256', key).update(prefix).update(number).digest()
    return prefix + Buffer.concat([number, mac.subarray(0, MAC_BYTES)]).toString('base64url')
  }
  const { length } = seal(NONE)
  const remembered = new Map<string, number>()
  const open = (handle: string): number => {
    const known = remembered.get(handle)
    if (known !== undefined) return known
    const value = openAnew(handle)
    // Only genuine ones: guesses would push them out. All at once, which costs no more than the next MAC of each.
    if (value !== NONE) {
      if (remembered.size >= MAX_REMEMBERED) remembered.clear()
      remembered.set(handle, value)
    }
    return value
  }
  const openAnew = (handle: string): number => {
    if (handle.length !== length || !handle.startsWith(prefix)) return NONE
    const bytes = Buffer.from(handle.slice(prefix.length), 'base64url')
    if (bytes.length !== NUMBER_BYTES + MAC_BYTES) return NONE
    const number = bytes.readBigUInt64BE()
    if (number > BigInt(Number.MAX_SAFE_INTEGER)) return NONE
    // The texts are compared, not the MACs, so that a handle has one spelling only; and in constant time.
    const presented = Buffer.from(handle)
    const genuine = Buffer.from(seal(Number(number)))
    return presented.length === genuine.length && timingSafeEqual(presented, genuine) ? Number(number) : NONE
  }
  return { seal, open }
}
