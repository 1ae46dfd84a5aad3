import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import { createMeaningOf, readKey, requestKey, writeKey } from '../../server/engine/request-digest.ts'

const CAPACITY = 1024
const set = asSetId(7)
const id = asIoasid(5)
const allocation = {
  kind: 'allocate',
  setId: set,
  count: 1,
  min: 0,
  max: 1023,
  spids: null,
  privateData: null,
} as const

/** Each differs from all others in what it means. */
const COMMANDS: readonly Command[] = [
  allocation,
  { ...allocation, setId: asSetId(8) },
  { ...allocation, count: 2 },
  { ...allocation, min: 1 },
  { ...allocation, max: 1022 },
  { ...allocation, count: 2, spids: [asSpid(1), asSpid(2)] },
  { ...allocation, count: 2, spids: [asSpid(2), asSpid(1)] },
  { ...allocation, privateData: new Uint8Array([1]) },
  { ...allocation, privateData: new Uint8Array([2]) },
  { kind: 'free', setId: set, ioasids: [id], generation: null },
  { kind: 'free', setId: set, ioasids: [asIoasid(6)], generation: null },
  { kind: 'free', setId: set, ioasids: [id], generation: 3 },
  { kind: 'free_all', setId: set },
  { kind: 'delete_set', setId: set, force: false },
  { kind: 'delete_set', setId: set, force: true },
  { kind: 'acquire', set: { setId: set }, ioasid: id, leaseId: asLeaseId(1) },
  { kind: 'release', set: { setId: set }, ioasid: id, leaseId: asLeaseId(1) },
  { kind: 'acquire', set: { token: 'vm' }, ioasid: id, leaseId: asLeaseId(1) },
]

describe('what a command means', () => {
  it('is the same number whichever command came before it', () => {
    const meaningOf = createMeaningOf(CAPACITY)
    for (const before of COMMANDS) {
      for (const command of COMMANDS) {
        meaningOf(before)
        expect(meaningOf(structuredClone(command))).toBe(createMeaningOf(CAPACITY)(command))
      }
    }
  })

  it('differs between commands that differ in one field', () => {
    expect(new Set(COMMANDS.map(createMeaningOf(CAPACITY))).size).toBe(COMMANDS.length)
  })

  it('is "to the end of the space" with another capacity, too', () => {
    const larger = createMeaningOf(4096)
    expect(larger({ ...allocation, max: 4095 })).toBe(createMeaningOf(CAPACITY)(allocation))
    expect(larger(allocation)).not.toBe(createMeaningOf(CAPACITY)(allocation))
  })

  it('is the number that earlier releases have written', () => {
    const [allocated, ...others] = COMMANDS.map(createMeaningOf(CAPACITY))
    expect(allocated).toBe(3_715_120_223)
    expect(others[8]).toBe(3_018_653_369)
  })
})

describe('the key of a request_id', () => {
  it('is written as earlier releases did, and is read as it was', () => {
    expect(writeKey(requestKey('', 'r'))).toBe('\0r')
    expect(writeKey(requestKey('uid:7', 'r'))).toBe('uid:7\0r')
    for (const caller of ['', 'uid:7']) expect(readKey(writeKey(requestKey(caller, 'r')))).toBe(requestKey(caller, 'r'))
  })
})
