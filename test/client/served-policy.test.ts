import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Client, connect, type Life } from '../../client/index.ts'
import type { Rights, Tokens } from '../../server/core/caller.ts'
import { type Served, serve } from '../support/rpc.ts'
import { once } from './cli/fake-io.ts'
import { failureOf } from './failure-of.ts'
import { logTable } from './table.ts'

/** The SDK and ioasidctl before a daemon with a policy, as whoever `who` is at the time. */

const tokens = (...names: readonly string[]): Tokens => ({ isAll: false, names: new Set(names), namespaces: [] })
const NONE: Rights = {
  own: tokens(),
  subscribe: tokens(),
  acquire: tokens(),
  administer: false,
  limits: { maxSets: 2, maxIds: 1000, maxLeases: 10, maxSubscriptions: 10 },
}

const tenant = { identity: 'spiffe://fleet/a', rights: { ...NONE, own: tokens('vm-a') }, isAdmin: false }
const holder = {
  identity: 'spiffe://fleet/kvm',
  rights: { ...NONE, subscribe: tokens('vm-a'), acquire: tokens('vm-a') },
  isAdmin: false,
}
const operator = { identity: 'uid:0', rights: { ...NONE, administer: true }, isAdmin: true }

let who: { identity: string; rights: Rights; isAdmin: boolean }
let served: Served
let client: Client

beforeEach(async () => {
  who = { ...tenant }
  served = await serve({ caller: who })
  client = connect({ endpoint: served.address })
})

afterEach(async () => {
  await client.close()
  served.stop()
})

const become = (caller: typeof who): void => void Object.assign(who, caller)
const ctl = (...argv: string[]) => once({ connectTo: served.address }, ...argv)

describe('under a policy', () => {
  it('a set is found again with its handle by who made it, and with its owner by an operator', async () => {
    const { set } = await client.createSet({ token: 'vm-a' })
    const own = { setHandle: set.setHandle, owner: 'spiffe://fleet/a' }
    expect(set).toMatchObject(own)
    expect(await client.getSet({ token: 'vm-a' })).toMatchObject(own)
    const { code, out } = await ctl('set', 'get', '--token', 'vm-a', '-o', 'json')
    expect({ code, ...JSON.parse(out) }).toMatchObject({ code: 0, ...own })
    // For eyes there are tables, and what is on a screen is seen by others.
    expect((await ctl('set', 'get', '--token', 'vm-a', '-o', 'wide')).out).not.toContain(set.setHandle)

    become(holder)
    expect(await client.getSet({ token: 'vm-a' })).toMatchObject({ setHandle: '', owner: '' })
    become(operator)
    expect(await client.getSet({ token: 'vm-a' })).toMatchObject({ setHandle: '', owner: 'spiffe://fleet/a' })
    expect((await ctl('set', 'list', '-o', 'wide')).out).toContain('  spiffe://fleet/a  vm-a\n')
  })

  it('a lease tells its owner to who has it, and to an operator', async () => {
    become(holder)
    const { lease } = await client.grantLease({ ttlMs: 30_000, name: 'kvm' })
    expect(lease.owner).toBe('spiffe://fleet/kvm')
    expect(await client.getLease({ leaseHandle: lease.leaseHandle })).toMatchObject({ owner: 'spiffe://fleet/kvm' })
    become(operator)
    expect((await ctl('lease', 'list', '-o', 'wide')).out).toContain('  spiffe://fleet/kvm  kvm\n')
  })

  it('an operator learns by whom an id was allocated and bound, and by whom it was freed', async () => {
    const { setHandle, setId } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [101] })
    const [ioasid = 0] = ioasids
    become(operator)
    await client.forceDeleteSet({ setId })
    const lives: Life[] = []
    for await (const life of client.getHistory(ioasid)) lives.push(life)
    const binding = { spid: 101, boundBy: 'spiffe://fleet/a', unboundBy: 'uid:0' }
    const by = { allocatedBy: 'spiffe://fleet/a', freedBy: 'uid:0' }
    expect(lives).toMatchObject([{ endedBy: 'OPERATOR', ...by, bindings: [binding] }])
    expect((await ctl('history', String(ioasid), '-o', 'wide')).out).toMatch(
      / {2}spiffe:\/\/fleet\/a {2}uid:0 {2}vm-a\n/,
    )
  })

  it('what is not allowed is denied, and a limit of one identity says that it is one', async () => {
    expect(await ctl('set', 'create', 'vm-b')).toMatchObject({ code: 7, err: expect.stringContaining('NOT_PERMITTED') })
    expect(await ctl('watch', '--all')).toMatchObject({ code: 7 })
    for (const token of ['vm-a', '']) await client.createSet({ token })
    const { code, err } = await ctl('set', 'create')
    expect({ code, err }).toEqual({ code: 6, err: expect.stringContaining('what=own_sets') })
    expect(err).toContain('the limit of each identity')
  })

  it('a tenant measures what it may use, whatever its tokens are', async () => {
    const { code, err } = await ctl('check', 'perf', '--duration', '500ms', '--callers', '2')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    become(operator)
    expect(await client.getStatus()).toMatchObject({ sets: 0, allocated: 0, leases: 0 })
  })
})

describe('a table whose holder may no longer hold', () => {
  it('ends, and nobody gets its ids before it has torn them down', async () => {
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    const { ioasids } = await client.allocate({ setHandle, spids: [101] })
    const [ioasid = 0] = ioasids
    become(holder)
    const { table, log } = await logTable(client)
    expect(log).toEqual([`bind 101 ${ioasid}`])

    who.rights = NONE
    await served.engine.enforce((identity) => (identity === holder.identity ? NONE : tenant.rights))
    expect(await failureOf(table.closed)).toMatchObject({ code: 'PERMISSION_DENIED', reason: 'NOT_PERMITTED' })
    become(tenant)
    await client.free({ setHandle, ioasids })
    expect(await client.getIoasid({ ioasid, setHandle })).toMatchObject({ state: 'FREE_PENDING', references: 1 })
    expect(table.get(101)).toBe(ioasid)

    become({ ...holder, rights: NONE })
    await table.close()
    expect(log).toEqual([`bind 101 ${ioasid}`, `closed 101 ${ioasid}`])
    become(tenant)
    expect((await client.getSet({ setHandle })).allocated).toBe(0)
  })
})
