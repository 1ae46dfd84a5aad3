import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Client } from '../../client/api.ts'
import { makeClient } from '../../client/client.ts'
import { IoasidError } from '../../client/errors.ts'
import { fakeTransport } from './fake-transport.ts'
import { manualClock } from './manual-clock.ts'

const setHandle = 'handle'
const hold = { leaseHandle: 'key' }

function setUp() {
  const fake = fakeTransport(() => ({ revision: '1', set: null }))
  return { ...fake, client: makeClient(() => fake.transport, manualClock().clock) }
}

/** What a caller in JavaScript may give, whatever the types say. */
const untyped = (value: unknown): never => value as never

const refused: [string, string, (client: Client) => unknown][] = [
  ['a number below zero', 'count', (c) => c.allocate({ setHandle, count: -1 })],
  ['a count of none', 'count', (c) => c.allocate({ setHandle, count: 0 })],
  ['a count beyond a request', 'count', (c) => c.allocate({ setHandle, count: 65_537 })],
  ['a fraction', 'quota', (c) => c.createSet({ quota: 1.7 })],
  ['what is no number', 'quota', (c) => c.createSet({ quota: untyped('abc') })],
  ['NaN', 'quota', (c) => c.adjustQuota({ setHandle, quota: Number.NaN })],
  ['more than 32 bits', 'ioasid', (c) => c.getIoasid({ ioasid: 2 ** 32 })],
  ['a number where 64 bits are', 'generation', (c) => c.free({ setHandle, ioasids: [1], generation: untyped(12) })],
  ['64 bits and one more', 'generation', (c) => c.free({ setHandle, ioasids: [1], generation: 2n ** 64n })],
  ['a wrong number in a list', 'spids[2]', (c) => c.allocate({ setHandle, spids: [1, 2, -3] })],
  ['a hole in a list', 'ioasids[1]', (c) => c.free({ setHandle, ioasids: Object.assign([1, 2, 3], { 1: undefined }) })],
  ['no ids', 'ioasids', (c) => c.free({ setHandle, ioasids: [] })],
  ['what is no list', 'ioasids', (c) => c.free({ setHandle, ioasids: untyped(7) })],
  ['an empty handle', 'set_handle', (c) => c.freeAll({ setHandle: '' })],
  ['no handle', 'set_handle', (c) => c.freeAll(untyped({}))],
  ['an empty token where a set is named', 'token', (c) => c.getSet({ token: '' })],
  ['a token of 256 bytes', 'token', (c) => c.createSet({ token: 'ü'.repeat(128) })],
  ['a control character', 'token', (c) => c.createSet({ token: 'vm\na' })],
  ['a line separator', 'device', (c) => c.detachSpid({ setHandle, ioasid: 1, device: '\u2028' })],
  ['U+FFFD', 'token_prefix', (c) => c.listSets({ tokenPrefix: '\uFFFD' })],
  ['half a character', 'token', (c) => c.createSet({ token: '\uD800' })],
  ['no set', 'set_ref', (c) => c.getSet(untyped({}))],
  ['a set named twice', 'set_ref', (c) => c.findBySpid(untyped({ token: 'a', setHandle, spid: 1 }))],
  ['a flag that is a text', 'force', (c) => c.deleteSet({ setHandle, force: untyped('no') })],
  ['no data', 'private_data', (c) => c.attachData({ setHandle, ioasid: 1, privateData: new Uint8Array() })],
  ['too much data', 'private_data', (c) => c.allocate({ setHandle, privateData: new Uint8Array(4097) })],
  ['data that is a text', 'private_data', (c) => c.attachData({ setHandle, ioasid: 1, privateData: untyped('x') })],
  ['a request_id of 65 bytes', 'request_id', (c) => c.freeAll({ setHandle, requestId: 'x'.repeat(65) })],
  ['a name that is not known', 'cuont', (c) => c.allocate(untyped({ setHandle, cuont: 4 }))],
  ['what is no request', 'request', (c) => c.allocate(untyped(null))],
  ['no items', 'items', (c) => c.batch([])],
  ['too many items', 'items', (c) => c.batch(Array.from({ length: 1001 }, () => ({ kind: 'allocate', setHandle })))],
  ['a wrong item', 'items[0].allocate.count', (c) => c.batch([{ kind: 'allocate', setHandle, count: 0 }])],
  ['an item of no kind', 'items[0]', (c) => c.batch([untyped({ kind: 'hold' })])],
  ['no item', 'items[0]', (c) => c.batch([untyped(null)])],
  ['no filter', 'all', (c) => c.subscribe({ start: 'now' })],
  ['a filter and all', 'all', (c) => c.subscribe(untyped({ all: true, tokens: ['a'], start: 'now' }))],
  ['an empty token in a filter', 'tokens[0]', (c) => c.subscribe({ tokens: [''], start: 'now' })],
  ['an empty handle in a filter', 'set_handles[0]', (c) => c.subscribe({ setHandles: [''], start: 'now' })],
  ['1,025 names', 'tokens', (c) => c.subscribe({ tokens: names(1024), setHandles: ['x'], start: 'now' })],
  ['a type that is not known', 'types[0]', (c) => c.subscribe({ all: true, types: [untyped('BOUND')], start: 'now' })],
  ['no start', 'start', (c) => c.subscribe(untyped({ all: true }))],
  ['a hold from now on', 'start', (c) => c.subscribe({ all: true, start: 'now', hold })],
  ['a hold of no lease', 'lease_handle', (c) => c.subscribe({ all: true, start: 'snapshot', hold: untyped({}) })],
  ['a hold that is a handle', 'request', (c) => c.subscribe({ all: true, start: 'snapshot', hold: untyped('key') })],
  [
    'a hold of no priority',
    'priority',
    (c) => c.subscribe({ all: true, start: 'snapshot', hold: { ...hold, priority: untyped('cpu') } }),
  ],
  [
    'a hold without teardowns',
    'types',
    (c) => c.subscribe({ all: true, start: 'snapshot', hold, types: ['BIND', 'UNBIND'] }),
  ],
  ['a revision that is none', 'after_revision', (c) => c.subscribe({ all: true, start: { afterRevision: -1n } })],
  ['a space that is no text', 'space_id', (c) => c.subscribe({ all: true, start: 'now', spaceId: untyped(7) })],
  ['a signal that is none', 'signal', (c) => c.getStatus({ signal: untyped('soon') })],
  ['a signal of a stream', 'signal', (c) => c.subscribe({ all: true, start: 'now', signal: untyped({}) })],
  ['no function', 'on_interrupted', (c) => c.subscribe({ all: true, start: 'now', onInterrupted: untyped('log') })],
  ['what are no options', 'request', (c) => c.getStatus(untyped(null))],
  ['a heartbeat too fast', 'heartbeat_ms', (c) => c.subscribe({ all: true, start: 'now', heartbeatMs: 99 })],
]

const names = (count: number) => Array.from({ length: count }, (_, index) => `vm-${index}`)

/** A list checks its request at once, a call when it is awaited: both before anything is sent. */
async function errorOf(act: () => unknown): Promise<unknown> {
  try {
    await act()
    return undefined
  } catch (error) {
    return error
  }
}

describe('what cannot be sent as it is meant', () => {
  it.each(refused)('is refused: %s', async (_name, field, act) => {
    const { client, calls, streams } = setUp()
    const error = await errorOf(() => act(client))
    expect(error).toBeInstanceOf(IoasidError)
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', metadata: { field } })
    expect(error).toMatchObject({ violations: [{ field, description: expect.any(String) }] })
    expect(calls.length + streams.length).toBe(0)
  })

  it('is refused without a word of the handle', async () => {
    const { client } = setUp()
    const secret = Object.assign(['s3cret'], { toString: () => 's3cret' })
    expect(String(await errorOf(() => client.freeAll({ setHandle: untyped(secret) })))).not.toContain('s3cret')
  })
})

describe('what can be sent', () => {
  const uint32 = fc.integer({ min: 0, max: 0xffff_ffff })

  it('arrives as it was meant', async () => {
    const request = fc.record({
      count: fc.integer({ min: 1, max: 65_536 }),
      min: uint32,
      max: uint32,
      spids: fc.array(uint32, { maxLength: 5 }),
      privateData: fc.uint8Array({ minLength: 1, maxLength: 4096 }),
    })
    const check = fc.asyncProperty(request, async (given) => {
      const { client, calls } = setUp()
      await client.allocate({ setHandle, ...given })
      const { private_data, ...rest } = calls[0]?.request ?? {}
      const { privateData, ...plain } = given
      expect(rest).toMatchObject({ set_handle: setHandle, ...plain })
      expect(private_data).toEqual(Buffer.from(privateData))
    })
    await fc.assert(check, { numRuns: 50 })
  })

  it('keeps 64 bits', async () => {
    const check = fc.asyncProperty(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), async (generation) => {
      const { client, calls } = setUp()
      await client.free({ setHandle, ioasids: [1], generation })
      expect(calls[0]?.request).toMatchObject({ generation: generation.toString() })
    })
    await fc.assert(check, { numRuns: 50 })
  })

  it('leaves out what is not given', async () => {
    const { client, calls } = setUp()
    await client.allocate({ setHandle, count: undefined })
    const request = calls[0]?.request
    for (const absent of ['count', 'min', 'max', 'private_data']) expect(request).not.toHaveProperty(absent)
  })

  it('takes the longest of everything', async () => {
    const { client, calls } = setUp()
    const longest = { token: 'ü'.repeat(127), quota: 0xffff_ffff, requestId: 'x'.repeat(64) }
    await errorOf(() => client.createSet(longest))
    await client.free({ setHandle, ioasids: Array.from({ length: 65_536 }, (_, index) => index) })
    expect(calls).toHaveLength(2)
  })
})
