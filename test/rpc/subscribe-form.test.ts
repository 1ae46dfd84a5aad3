import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endOf, type Served, serve } from '../support/rpc.ts'

let served: Served
let handle: string

beforeAll(async () => {
  served = await serve({ limits: { maxSubscriptions: 3 } })
  handle = ((await served.set('CreateSet', { token: 'vm' })) as { set: { set_handle: string } }).set.set_handle
})
afterAll(() => served.stop())

const open = (request: object) => served.wire.open('ioasid.v1.NotificationService', 'Subscribe', request)
const now = { now: true }
const HOLD = { hold: true, lease_handle: 'lease-guess', snapshot: true, tokens: ['vm'] }
const names = (count: number) => Array.from({ length: count }, (_, index) => `vm-${index}`)

const WRONG: readonly (readonly [string, object, string])[] = [
  ['no set is named', { ...now }, 'tokens'],
  ['all is not alone', { ...now, all: true, tokens: ['vm'] }, 'all'],
  ['all is not alone, with a handle', { ...now, all: true, set_handles: ['x'] }, 'all'],
  ['more than 1,024 names', { ...now, tokens: names(1025) }, 'tokens'],
  ['more than 1,024 names, the same one again counts', { ...now, tokens: names(1024), set_handles: ['x'] }, 'tokens'],
  ['an empty token', { ...now, tokens: ['vm', ''] }, 'tokens[1]'],
  ['a control character in a token', { ...now, tokens: ['a\n'] }, 'tokens[0]'],
  ['a token that is too long', { ...now, tokens: ['é'.repeat(128)] }, 'tokens[0]'],
  ['an empty handle', { ...now, tokens: ['vm'], set_handles: [''] }, 'set_handles[0]'],
  ['no start', { all: true }, 'start'],
  ['now, but false', { all: true, now: false }, 'now'],
  ['snapshot, but false', { all: true, snapshot: false }, 'snapshot'],
  ['no type', { ...now, all: true, types: ['ALLOC', 'TYPE_UNSPECIFIED'] }, 'types[1]'],
  ['heartbeat_ms 0', { ...now, all: true, heartbeat_ms: 0 }, 'heartbeat_ms'],
  ['heartbeat_ms 99', { ...now, all: true, heartbeat_ms: 99 }, 'heartbeat_ms'],
  ['heartbeat_ms 60,001', { ...now, all: true, heartbeat_ms: 60_001 }, 'heartbeat_ms'],
  ['a space_id that is too long', { ...now, all: true, space_id: 'x'.repeat(256) }, 'space_id'],
  ['a lease_handle without hold', { ...now, all: true, lease_handle: 'x' }, 'lease_handle'],
  ['hold without a lease_handle', { ...HOLD, lease_handle: '' }, 'lease_handle'],
  ['hold that starts now', { hold: true, lease_handle: 'x', tokens: ['vm'], now: true }, 'start'],
  ['hold without BIND', { ...HOLD, types: ['UNBIND', 'FREE'] }, 'types'],
  ['hold without UNBIND', { ...HOLD, types: ['BIND', 'FREE', 'ALLOC'] }, 'types'],
  ['hold without FREE', { ...HOLD, types: ['BIND', 'UNBIND'] }, 'types'],
]

describe('the form of a subscription', () => {
  it.each(WRONG)('%s', async (_name, request, field) => {
    const refusal = await endOf(open(request))
    expect(refusal).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', metadata: { field } })
    expect(refusal.violations).toMatchObject([{ field }])
  })

  it('may be at its very bounds', async () => {
    const fine = [
      { ...now, tokens: [...names(1023), 'é'.repeat(127)], heartbeat_ms: 100 },
      { after_revision: '0', tokens: ['vm', 'vm'], set_handles: [handle, handle], heartbeat_ms: 60_000 },
      { ...now, all: true, priority: 'CPU', space_id: served.engine.spaceId, types: ['ALLOC', 'ALLOC'] },
    ]
    const streams = fine.map(open)
    for (const stream of streams) expect(await stream.next()).toMatchObject({ kind: 'HEADER', space_id: 'space-a' })
    const full = await endOf(open({ ...now, all: true }))
    expect(full).toMatchObject({ status: 'RESOURCE_EXHAUSTED', metadata: { what: 'subscriptions', limit: '3' } })
    for (const stream of streams) stream.cancel()
    for (const stream of streams) await stream.ended
  })
})

describe('a subscription that cannot begin there', () => {
  it.each([
    ['an unknown handle', { ...now, set_handles: ['set-guess'] }, 'SET_NOT_FOUND', {}],
    ['another history', { ...now, all: true, space_id: 'x' }, 'HISTORY_CHANGED', { space_id: 'space-a' }],
    ['the future', { all: true, after_revision: '2' }, 'FUTURE_REVISION', { revision: '1', requested: '2' }],
  ])('%s', async (_name, request, reason, metadata) => {
    expect(await endOf(open(request))).toMatchObject({ reason, metadata })
  })

  it('a hold of a lease that nobody has', async () => {
    expect(await endOf(open({ ...HOLD, lease_handle: 'lease-guess' }))).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(await served.engine.status()).toMatchObject({ subscriptions: 0 })
  })

  it('the far future', async () => {
    const refusal = await endOf(open({ all: true, after_revision: '18446744073709551615' }))
    expect(refusal).toMatchObject({ status: 'OUT_OF_RANGE', reason: 'FUTURE_REVISION' })
  })
})
