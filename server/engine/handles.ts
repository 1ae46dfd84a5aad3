import { createHmac, timingSafeEqual } from 'node:crypto'
import { asSetId, NO_SET, type SetId } from '../core/ids.ts'

/**
 * Set handles are computed, not stored: the set's number and a MAC of it under the data directory's key. So there is no
 * index of them, none is in the log or a snapshot, and a guess is refused without a look at any set.
 */
export interface Handles {
  ofSet(setId: SetId): string
  /** The set that a handle names, alive or not; NO_SET where it names none. */
  toSet(handle: string): SetId
}

const PREFIX = 'set-'
const NUMBER_BYTES = 8
const MAC_BYTES = 16

export function createHandles(key: Uint8Array): Handles {
  const ofSet = (setId: SetId) => {
    const number = Buffer.alloc(NUMBER_BYTES)
    number.writeBigUInt64BE(BigInt(setId))
    const mac = createHmac('sha256', key).update(PREFIX).update(number).digest()
    return PREFIX + Buffer.concat([number, mac.subarray(0, MAC_BYTES)]).toString('base64url')
  }
  const length = ofSet(NO_SET).length
  return {
    ofSet,
    toSet: (handle) => {
      if (handle.length !== length || !handle.startsWith(PREFIX)) return NO_SET
      const bytes = Buffer.from(handle.slice(PREFIX.length), 'base64url')
      if (bytes.length !== NUMBER_BYTES + MAC_BYTES) return NO_SET
      const number = bytes.readBigUInt64BE()
      if (number > BigInt(Number.MAX_SAFE_INTEGER)) return NO_SET
      const setId = asSetId(Number(number))
      // The texts are compared, not the MACs, so that a handle has one spelling only; and in constant time.
      const presented = Buffer.from(handle)
      const genuine = Buffer.from(ofSet(setId))
      return presented.length === genuine.length && timingSafeEqual(presented, genuine) ? setId : NO_SET
    },
  }
}
