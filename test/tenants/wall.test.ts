import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { get, metricsOf } from '../observability/processes/scrape.ts'
import { type Attempt, run } from './attempt.ts'
import { byHandle } from './by-handle.ts'
import { byIdentity } from './by-identity.ts'
import { byLease } from './by-lease.ts'
import { byName } from './by-name.ts'
import { byNumber } from './by-number.ts'
import { byRequest } from './by-request.ts'
import { byStream } from './by-stream.ts'
import { ask, askBytes, read, type Sent, to } from './peer.ts'
import { SPID } from './victims.ts'
import { lookAround, startWorld, type World } from './world.ts'

/** The tenant `a` attacks the tenant `b`; so do others, who are nobody. All is tried on one daemon, one after the other. */

let world: World
let before: Record<string, unknown>
let told: readonly (readonly Buffer[])[]
let leftMs: number

beforeAll(async () => {
  world = await startWorld()
  await mark(7)
  told = heard()
  before = await lookAround(world)
  leftMs = await leaseLeftMs()
})

afterAll(async () => {
  world.close()
  await world.daemon.stop()
})

/** What the victim and the hypervisor have been told; signs of life say nothing. */
function heard(): readonly (readonly Buffer[])[] {
  return world.victims.streams.map(({ messages, error }) => {
    if (error !== undefined) throw error
    return messages.filter((message) => read('Subscribe', message).kind !== 'HEARTBEAT')
  })
}

/** A change of the victim's that both are told of: what was to come before it has come. */
async function mark(quota: number): Promise<void> {
  const [, disk] = world.victims.sets
  const { revision } = await ask(world.peer('b'), 'AdjustQuota', { set_handle: disk?.set_handle, quota })
  const last = () => heard().map((messages) => read('Subscribe', messages.at(-1) ?? Buffer.alloc(0)).revision)
  await vi.waitFor(() => expect(last()).toEqual([revision, revision]), { timeout: 20_000 })
}

async function leaseLeftMs(): Promise<number> {
  const { lease_handle } = world.victims.lease
  return Number((await ask(world.peer('b'), 'GetLease', { lease_handle })).lease.remaining_ms)
}

const ATTACKER = 'spiffe://example.org/vm-a'
const HANDLE = /(set|lease)-[\w-]{32}/

/** Whatever was not in the request comes back to nobody; and no handle does, whoever sent it. */
function expectNoSecrets(everything: string, sent: Sent): void {
  const said = sent.bytes.toString('latin1')
  const leaked = world.victims.secrets.filter((secret) => everything.includes(secret) && !said.includes(secret))
  expect(leaked).toEqual([])
  expect(everything).not.toMatch(HANDLE)
}

const attempts: readonly (readonly [how: string, readonly Attempt[]])[] = [
  ['by names', byName],
  ['by handles of sets', byHandle],
  ['by numbers of ids', byNumber],
  ['by leases', byLease],
  ['by streams', byStream],
  ['by what was asked before, and by what operators ask', byRequest],
  ['by who he is', byIdentity],
]

describe.each(attempts)('an attacker, %s,', (_how, tried) => {
  it.each(tried.map((attempt) => [attempt.name, attempt.reason, attempt] as const))(
    '%s: %s',
    async (_name, _reason, attempt) => {
      const sent = attempt.sent(world)
      const { like, everything } = await run(world, attempt, sent)
      expectNoSecrets(everything, sent)
      if (attempt.twin === undefined) return
      const twin = await run(world, attempt, attempt.twin(world))
      expect(like).toBe(twin.like)
    },
  )
})

it('the attempts are many, and each is another one', () => {
  const names = attempts.flatMap(([how, tried]) => tried.map(({ name }) => `${how} ${name}`))
  expect(new Set(names).size).toBe(names.length)
  expect(names.length).toBeGreaterThan(400)
})

describe('a tenant who uses what another has used', () => {
  it.each(['CreateSet', 'Allocate', 'GrantLease'] as const)(
    'has a request_id for himself: %s with the victim’s does what he asks, and gives what is his',
    async (method) => {
      const a = world.peer('a')
      const [, request] = world.victims.said.findLast(([name]) => name === method) ?? []
      const { request_id } = request as { request_id: string }
      const { set_handle } = world.own.set
      const own = { CreateSet: { token: 'vm-a/x' }, Allocate: { set_handle }, GrantLease: request ?? {} }
      const bytes = await askBytes(a, method, { ...own[method], request_id })
      const leaked = world.victims.secrets.filter((secret) => secret !== 'lease of b' && bytes.includes(secret))
      expect(leaked.filter((secret) => secret !== 'ended lease of b')).toEqual([])
      // Not the answer that the victim had, and the same again for him who has used it now.
      const kept = await askBytes(a, method, { ...own[method], request_id })
      expect(read(method, kept).revision).toBe(read(method, bytes).revision)
    },
  )

  it('lists what is his, and nothing else, with any prefix and from any page', async () => {
    const a = world.peer('a')
    for (const prefix of ['', 'v', 'vm-', 'vm-a', 'vm-b', 'vm-b/', 'VM-B', '*']) {
      const { sets } = await ask(a, 'ListSets', { token_prefix: prefix })
      expect(sets.filter(({ token }) => !/^vm-a(\/|$)/.test(token))).toEqual([])
    }
    const page_token = Buffer.from(JSON.stringify(['sets ', 0])).toString('base64url')
    const { sets } = await ask(a, 'ListSets', { page_token })
    expect(sets.map(({ token }) => token)).toEqual(['vm-a', 'vm-a/other', 'vm-a/x'])
    const { leases } = await ask(a, 'ListLeases', {})
    expect(new Set(leases.map(({ owner }) => owner))).toEqual(new Set([ATTACKER]))
  })

  it('lists a page at a time as if nobody else were there', async () => {
    const a = world.peer('a')
    const tokens: string[] = []
    for (let page_token = ''; ; ) {
      const { sets, next_page_token } = await ask(a, 'ListSets', { page_size: 1, page_token })
      tokens.push(...sets.map(({ token }) => token))
      if (next_page_token === '') break
      page_token = next_page_token
    }
    expect(tokens).toEqual(['vm-a', 'vm-a/other', 'vm-a/x'])
  })

  it('is told by his stream of what is his, and not of what others do meanwhile', async () => {
    const [a, { set_handle }] = [world.peer('a'), world.own.set]
    const { messages } = a.listen(to('Subscribe', { tokens: ['vm-a'], now: true, heartbeat_ms: 60_000 }))
    await expect.poll(() => messages.length, { timeout: 20_000 }).toBe(1)
    const { lease } = await ask(world.peer('vmm'), 'GrantLease', { ttl_ms: 60_000 })
    await ask(world.peer('vmm'), 'RevokeLease', { lease_handle: lease.lease_handle })
    const { revision } = await ask(a, 'AdjustQuota', { set_handle, quota: 9 })
    await expect.poll(() => messages.length, { timeout: 20_000 }).toBe(2)
    const [header, change] = messages.map((message) => read('Subscribe', message))
    expect(header?.notifications).toEqual([])
    expect(change?.revision).toBe(revision)
    expect(change?.notifications).toMatchObject([{ type: 'SET_ADJUST', token: 'vm-a', quota: 9 }])
  })
})

describe('afterwards', () => {
  it('the victim, the hypervisor and the operator see what they saw before, byte for byte', async () => {
    expect(await lookAround(world)).toEqual(before)
  })

  it('nothing has come by the streams of the victim and the hypervisor but what he himself has changed', async () => {
    await mark(8)
    const now = heard()
    expect(now.map((messages) => messages.slice(0, -1))).toEqual(told)
  })

  it('nobody has kept the victim’s lease alive', async () => {
    expect(await leaseLeftMs()).toBeLessThanOrEqual(leftMs)
  })

  it('the victim has his answers still', async () => {
    const [method, request] = world.victims.said.find(([name]) => name === 'CreateSet') ?? ['', {}]
    const { set } = await ask(world.peer('b'), method, request)
    expect(set.set_handle).toBe(world.victims.set.set_handle)
    const { info } = await ask(world.peer('b'), 'FindBySpid', { token: 'vm-b', spid: SPID })
    expect(info.ioasid).toBe(world.victims.bound)
  })

  it('the log holds no handle and no private data, and names of sets only where everything is logged', () => {
    const { stderr } = world.daemon.output
    expect(stderr).not.toMatch(HANDLE)
    const lines = stderr.split('\n').filter((line) => line !== '')
    const secret = world.victims.secrets.filter((text) => !text.includes('vm'))
    expect(lines.filter((line) => secret.some((text) => line.includes(text)))).toEqual([])
    const told = lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ level }) => level !== 'debug')
    // Who called is told by his identity, which may hold any name.
    const named = told.map((facts) => JSON.stringify({ ...facts, caller: '' }))
    expect(named.filter((line) => /vm-[a-z]/.test(line))).toEqual([])
    const attacks = told.filter(({ reason, caller }) => reason === 'NOT_PERMITTED' && caller === ATTACKER)
    expect(attacks).not.toEqual([])
    // An attack is nothing that the daemon did not think of.
    expect(told.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([])
  })

  it('the metrics name nobody, and nothing that anybody has named', async () => {
    const { status, body } = await get(await metricsOf(world.daemon), '/metrics')
    expect(status).toBe(200)
    expect(body).toMatch(/reason="NOT_PERMITTED"/)
    expect(world.victims.secrets.filter((secret) => body.includes(secret))).toEqual([])
    expect(body).not.toMatch(HANDLE)
    expect(body).not.toMatch(/vm-|spiffe|uid:/)
  })
})
