import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import type { TellableEvent } from '../../server/core/event.ts'
import { asRevision, asSetId } from '../../server/core/ids.ts'
import { bodiesOf, createMessageEncoder } from '../../server/rpc/message-bytes.ts'
import { createPartWriter, encodeHead } from '../../server/rpc/notification-bytes.ts'
import { createEventEncoder, partsOf } from '../../server/rpc/notification-encoding.ts'

const set = { setId: asSetId(1), token: 'vm' }
const revision = asRevision(9)
const alloc = (first: number, count: number): TellableEvent => ({ kind: 'ALLOC', set, runs: [first, count] })
const codec = messageCodec('ioasid.v1.SubscribeResponse')

describe('the encoding of events', () => {
  it('is made once, however many read it', () => {
    const encode = createEventEncoder()
    const event = alloc(1, 1024)
    const [first] = encode(event, revision)
    for (let reader = 0; reader < 5; reader++) expect([...encode(event, revision)][0]).toBe(first)
  })

  it('is kept for the last ones only, up to a number of bytes', () => {
    const encode = createEventEncoder(50_000)
    const events = Array.from({ length: 10 }, (_, index) => alloc(index * 1000, 1000))
    const made = events.map((event) => [...encode(event, revision)])
    const again = events.map((event, index) => [...encode(event, revision)][0] === made[index]?.[0])
    // What was thrown out is encoded anew, and throws out others.
    expect(again[0]).toBe(false)
    expect([...encode(events[9] ?? alloc(0, 1), revision)][0]).toBe([...encode(events[9] ?? alloc(0, 1), revision)][0])
  })

  it('of many ids is made while it is read, though they are one stretch', () => {
    const encode = createEventEncoder()
    // At once it would be ten million notifications.
    const parts = encode(alloc(1, 10_000_000), revision)[Symbol.iterator]()
    const { value } = parts.next()
    expect(codec.deserialize(value ?? Buffer.alloc(0)).notifications).toHaveLength(256)
  })

  it('is whole for each of several readers of different speed, also when what was kept has gone', () => {
    const step = fc.record({ reader: fc.nat(3), event: fc.nat(2) })
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 20, maxLength: 200 }),
        fc.constantFrom(1, 60_000, 10_000_000),
        (steps, room) => {
          const encode = createEventEncoder(room)
          const events = [alloc(1, 5000), alloc(10_000, 3000), alloc(20_000, 10)]
          const readers = new Map<
            string,
            { readonly parts: Iterator<Buffer>; readonly told: Buffer[]; event: number }
          >()
          const readOn = ({ parts, told }: { readonly parts: Iterator<Buffer>; readonly told: Buffer[] }) => {
            const { value, done } = parts.next()
            if (done !== true) told.push(value)
            return done !== true
          }
          for (const { reader, event } of steps) {
            const key = `${reader} ${event}`
            const parts = encode(events[event] ?? alloc(1, 1), revision)[Symbol.iterator]()
            const known = readers.get(key) ?? { parts, told: [], event }
            readers.set(key, known)
            readOn(known)
          }
          for (const reader of readers.values()) {
            while (readOn(reader));
            const expected = [...createEventEncoder()(events[reader.event] ?? alloc(1, 1), revision)]
            expect(Buffer.concat(reader.told).equals(Buffer.concat(expected))).toBe(true)
          }
        },
      ),
      { numRuns: 30 },
    )
  })

  it('of runs is that of their ids, one by one', () => {
    const encode = createEventEncoder()
    const runs = [5, 2, 70, 3, 4, 9, 1, 60, 7, 8]
    const bytes = Buffer.concat([...encode({ kind: 'UNBIND', set, runs, pending: false }, revision)])
    const facts = codec.deserialize(bytes).notifications.map(({ ioasid, spid, generation, bind_revision }) => {
      return [ioasid, spid, generation, bind_revision]
    })
    expect(facts).toEqual([
      [5, 70, '3', '4'],
      [6, 71, '3', '4'],
      [9, 60, '7', '8'],
    ])
  })
})

const numbers = fc.oneof(fc.constantFrom(0, 1, 127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31), fc.maxSafeNat())
const word = fc.oneof(fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 32 - 2), fc.nat(2 ** 32 - 2))

describe('the bytes of notifications of ids', () => {
  it('are what the library would write, for all numbers', () => {
    const facts = fc.record({ ioasid: word, generation: numbers, spid: word, bindRevision: numbers })
    fc.assert(
      fc.property(
        fc.array(facts, { maxLength: 50 }),
        fc.constantFrom(undefined, 'snapshot' as const, 'overrun' as const),
        fc.string(),
        (list, marking, token) => {
          const name = { setId: asSetId(2 ** 40), token: token.toWellFormed() }
          const writer = createPartWriter()
          for (const each of list) writer.add(encodeHead('BIND', name, revision), each, marking)
          const told = codec.deserialize(writer.take()).notifications
          const expected = list.map(({ ioasid, generation, spid, bindRevision }) => ({
            type: 'BIND' as const,
            revision: '9',
            token: name.token,
            set_id: String(2 ** 40),
            ioasid,
            generation: String(generation),
            spid,
            bind_revision: String(bindRevision),
            snapshot: marking === 'snapshot',
            overrun: marking === 'overrun',
          }))
          expect(told).toEqual(codec.deserialize(codec.serialize({ notifications: expected })).notifications)
        },
      ),
    )
  })
})

describe('the events of a revision', () => {
  it('are encoded once, too, where they stand behind one that is too large to be kept', () => {
    const set = { setId: asSetId(1), token: 'vm-a' }
    const events: TellableEvent[] = [
      { kind: 'FREE', set, runs: [1, 20_000, 5], pending: false },
      { kind: 'RECLAIM', set, runs: [1, 1_000, 5] },
      { kind: 'SET_FREE', set },
    ]
    const encode = createEventEncoder(128 * 1024)
    const read = () => partsOf(encode, events, revision)[Symbol.iterator]()
    const one = read()
    const other = read()
    const areSame: boolean[] = []
    for (let a = one.next(), b = other.next(); a.done !== true && b.done !== true; a = one.next(), b = other.next()) {
      areSame.push(a.value === b.value)
    }
    // The parts of RECLAIM and SET_FREE.
    expect(areSame.slice(-5)).toEqual([true, true, true, true, true])
  })
})

describe('a message of a stream', () => {
  const kind = fc.constantFrom(
    'HEADER' as const,
    'NOTIFICATIONS' as const,
    'SNAPSHOT_END' as const,
    'HEARTBEAT' as const,
  )

  it('is what the library would write, for all numbers', () => {
    const part = codec.serialize({ notifications: [{ type: 'FREE', token: 'vm', ioasid: 7 }] })
    fc.assert(
      fc.property(
        fc.record({ kind, revision: fc.maxSafeNat(), prevRevision: fc.maxSafeNat(), more: fc.boolean() }),
        fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
        fc.nat(3),
        (numbers, subscriptionId, count) => {
          const encode = createMessageEncoder(subscriptionId, 'a-space')
          const message = encode({ ...numbers, parts: Array<Buffer>(count).fill(part) })
          const expected = {
            subscription_id: String(subscriptionId),
            space_id: 'a-space',
            kind: numbers.kind,
            revision: String(numbers.revision),
            prev_revision: String(numbers.prevRevision),
            more: numbers.more,
            notifications: Array(count).fill({ type: 'FREE', token: 'vm', ioasid: 7 }),
          }
          expect(codec.deserialize(message)).toEqual(codec.deserialize(codec.serialize(expected)))
        },
      ),
    )
  })
})

describe('the messages of a revision', () => {
  it('hold every part once, in order, and all but the last say that more follows', () => {
    const parts = Array.from({ length: 30 }, (_, index) => Buffer.alloc(100 * (1 + ((index * 7) % 90)), index))
    const bodies = [...bodiesOf(parts)]
    const all = bodies.flatMap((body) => body.parts)
    expect(all).toHaveLength(parts.length)
    expect(all.every((part, index) => part === parts[index])).toBe(true)
    expect(bodies.map(({ more }) => more)).toEqual([...bodies.slice(1).map(() => true), false])
    // A subscriber that does not read pins a message, and ten thousand may not read.
    for (const body of bodies) expect(Buffer.concat(body.parts).length).toBeLessThanOrEqual(32 * 1024)
  })

  it('of nothing are none', () => {
    expect([...bodiesOf([])]).toEqual([])
  })
})
