import { renameSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Client, connect, IoasidError, type SubscribeOptions, type Subscription } from '../../client/index.ts'
import { startDaemon } from '../support/daemon.ts'
import { shownCertificate } from '../support/shown-certificate.ts'
import { tenants, tenantsCa, tenantsKey } from '../support/tenant-certificates.ts'
import { tenantFiles } from './world.ts'

/** The tenant `b` holds what `a` binds in `shared`, too, so that what becomes of his references can be seen. */
const OTHERS = `version: 1
grants:
  - { to: 'spiffe://example.org/vm-a', own: [vm-a, shared] }
  - { to: 'spiffe://example.org/vmm', subscribe: [vm-a, shared], acquire: [vm-a] }
  - { to: 'spiffe://example.org/operator', administer: true }
`
const EVERYBODY = `${OTHERS}  - { to: 'spiffe://example.org/vm-b', own: vm-b, subscribe: shared }
`
const TIMEOUT = { timeout: 30_000 }

/** Calls one after the other until it is stopped. */
interface Calling {
  readonly calls: () => number
  /** What ended it: undefined, that it was stopped. */
  readonly ended: Promise<IoasidError | undefined>
  stop(): void
}

function keepCalling(call: () => Promise<unknown>): Calling {
  let isOver = false
  let calls = 0
  const loop = async () => {
    for (; !isOver; calls += 1) await call()
    return undefined
  }
  const stop = () => {
    isOver = true
  }
  return { calls: () => calls, ended: loop().catch(asIoasidError), stop }
}

function asIoasidError(error: unknown): IoasidError {
  if (error instanceof IoasidError) return error
  throw error
}

interface Watching {
  readonly subscription: Subscription
  readonly revisions: ReadonlySet<bigint>
  readonly ended: Promise<IoasidError | undefined>
}

/** Reads a subscription to its end, which the test's end is. */
function watch(sdk: Client, options: SubscribeOptions, onRevision: (revision: bigint) => unknown = () => 0): Watching {
  const subscription = sdk.subscribe({ ...options, heartbeatMs: 1000 })
  const revisions = new Set<bigint>()
  const loop = async () => {
    for await (const item of subscription) {
      if (item.kind === 'revision') revisions.add(item.revision)
      if (item.kind === 'revision' || item.kind === 'snapshotEnd') await onRevision(item.revision)
    }
    return undefined
  }
  return { subscription, revisions, ended: loop().catch(asIoasidError) }
}

/** Binds an id and frees it again, time after time; keeps the revisions. */
async function worker(sdk: Client, token: string) {
  const { set } = await sdk.createSet({ token, quota: 1000 })
  const { setHandle } = set
  const done: bigint[] = []
  let spid = 0
  const call = async () => {
    const bound = await sdk.allocate({ setHandle, spids: [spid++] })
    const freed = await sdk.free({ setHandle, ioasids: bound.ioasids })
    done.push(bound.revision, freed.revision)
  }
  return { setHandle, done, call }
}

/** The daemon, what may change of its files, and who calls it; each call is made once. */
async function startHost() {
  const { at, flags } = tenantFiles()
  const replace = (file: string, text: string) => {
    writeFileSync(at(`${file}.new`), text, { mode: 0o600 })
    renameSync(at(`${file}.new`), at(file))
  }
  replace('policy', EVERYBODY)
  const daemon = await startDaemon({ args: [...flags, '--log-format', 'json'] })
  const open: Client[] = []
  const as = (cert: string) => {
    const tls = { ca: tenantsCa, cert, key: tenantsKey, serverName: 'localhost' }
    const sdk = connect({ endpoint: daemon.address, tls, deadlineMs: 20_000, retry: { maxAttempts: 1 } })
    open.push(sdk)
    return sdk
  }
  const shown = () => shownCertificate(daemon.address, { ca: tenantsCa, cert: tenants.operator, key: tenantsKey })
  const reloads = () => daemon.output.stderr.split('the policy was read again').length - 1
  return {
    daemon,
    as,
    /** Resolves when new connections are shown it. */
    showCertificate: async (text: string, name: string) => {
      replace('server.crt', text)
      await expect.poll(shown, TIMEOUT).toBe(name)
    },
    /** Resolves when it is in force. */
    enforce: async (policy: string) => {
      replace('policy', policy)
      const before = reloads()
      daemon.signal('SIGHUP')
      await expect.poll(reloads, TIMEOUT).toBeGreaterThan(before)
    },
    close: async () => {
      await Promise.all(open.map((sdk) => sdk.close()))
      return await daemon.stop()
    },
  }
}

/** Everybody at work: what they have, and what they do all the time. */
async function startLoad({ as }: Awaited<ReturnType<typeof startHost>>) {
  const [a, b, vmm, operator] = [as(tenants.a), as(tenants.b), as(tenants.vmm), as(tenants.operator)]
  const [work, workOfB] = [await worker(a, 'vm-a'), await worker(b, 'vm-b')]
  const { setHandle } = (await a.createSet({ token: 'shared' })).set
  const grant = async (sdk: Client) => (await sdk.grantLease({ ttlMs: 600_000 })).lease.leaseHandle
  const [leaseOfVmm, leaseOfB] = [await grant(vmm), await grant(b)]
  const held = await a.allocate({ setHandle, spids: [1, 2] })
  const hold = { leaseHandle: leaseOfVmm, priority: 'CPU' } as const
  const holdOfB = { tokens: ['shared'], start: 'snapshot', hold: { leaseHandle: leaseOfB } } as const
  const acknowledge = (revision: bigint) => vmm.acknowledge({ leaseHandle: leaseOfVmm, revision })
  const streams = [
    watch(a, { tokens: ['vm-a'], start: 'snapshot' }),
    watch(vmm, { tokens: ['vm-a'], start: 'snapshot', hold }, acknowledge),
    watch(operator, { all: true, start: 'snapshot' }),
  ]
  const streamsOfB = [watch(b, { tokens: ['vm-b'], start: 'snapshot' }), watch(b, holdOfB)]
  const newcomer = async () => {
    const sdk = as(tenants.a)
    await sdk.getSet({ token: 'vm-a' })
    await sdk.close()
  }
  const begun = () => [...streams, ...streamsOfB].every(({ subscription }) => subscription.cursor !== undefined)
  await vi.waitFor(() => expect(begun()).toBe(true), TIMEOUT)
  const others = [
    keepCalling(work.call),
    keepCalling(newcomer),
    keepCalling(() => vmm.keepLeaseAlive({ leaseHandle: leaseOfVmm })),
    keepCalling(() => operator.getStatus()),
  ]
  return { a, b, setHandle, held, leaseOfB, holdOfB, work, workOfB, streams, streamsOfB, others }
}

describe('certificates change and a tenant is taken out of the policy, under load:', () => {
  let host: Awaited<ReturnType<typeof startHost>>
  let load: Awaited<ReturnType<typeof startLoad>>
  let callsOfB: Calling
  beforeAll(async () => {
    host = await startHost()
    load = await startLoad(host)
    callsOfB = keepCalling(load.workOfB.call)
  })
  afterAll(async () => {
    for (const caller of [...load.others, callsOfB]) caller.stop()
    await host.close()
  })

  /** Everybody else goes on calling, and is answered each time. */
  const goesOn = async (callers: readonly Calling[]) => {
    const before = callers.map(({ calls }) => calls())
    const haveGoneOn = () => callers.every(({ calls }, index) => calls() >= (before[index] ?? 0) + 5)
    const ended = Promise.race(callers.map(async (caller) => Promise.reject(await caller.ended)))
    await Promise.race([ended, expect.poll(haveGoneOn, TIMEOUT).toBe(true)])
  }

  it('with a new certificate everybody goes on', async () => {
    await goesOn([...load.others, callsOfB])
    await host.showCertificate(tenants.renewed, 'renewed')
    await goesOn([...load.others, callsOfB])
  })

  it('the calls and the streams of who is taken out end with NOT_PERMITTED, and everybody else goes on', async () => {
    const { b, streamsOfB, others } = load
    await host.enforce(OTHERS)
    expect(await callsOfB.ended).toMatchObject({ reason: 'NOT_PERMITTED' })
    for (const { ended } of streamsOfB) expect(await ended).toMatchObject({ reason: 'NOT_PERMITTED' })
    await expect(b.getSet({ token: 'vm-b' })).rejects.toMatchObject({ reason: 'NOT_PERMITTED' })
    await expect(b.grantLease({ ttlMs: 60_000 })).rejects.toMatchObject({ reason: 'NOT_PERMITTED' })
    await goesOn(others)
  })

  it('his lease takes no new references, and those it has stay until he acknowledges', async () => {
    const { a, b, setHandle, held, leaseOfB, holdOfB } = load
    const later = await a.allocate({ setHandle, spids: [3] })
    const lease = await b.getLease({ leaseHandle: leaseOfB })
    expect(lease).toMatchObject({ references: 2, state: 'ALIVE', hold: undefined })
    const freed = await a.free({ setHandle, ioasids: [...held.ioasids, ...later.ioasids] })
    expect(freed.results.map(({ state }) => state)).toEqual(['FREE_PENDING', 'FREE_PENDING', 'FREE'])
    await b.keepLeaseAlive({ leaseHandle: leaseOfB })
    expect(await watch(b, holdOfB).ended).toMatchObject({ reason: 'NOT_PERMITTED' })
    await b.acknowledge({ leaseHandle: leaseOfB, revision: freed.revision })
    expect(await b.getLease({ leaseHandle: leaseOfB })).toMatchObject({ references: 0 })
    expect(await a.getSet({ token: 'shared' })).toMatchObject({ allocated: 0, freePending: 0 })
  })

  it('with a new certificate everybody else goes on, and he is let in no more than before', async () => {
    await host.showCertificate(tenants.server, 'first')
    await goesOn(load.others)
    const newcomer = host.as(tenants.b)
    await expect(newcomer.getSet({ token: 'vm-b' })).rejects.toMatchObject({ reason: 'NOT_PERMITTED' })
  })

  it('he may all that he might before, by the connection that he has, when the policy names him again', async () => {
    const { a, b, setHandle, leaseOfB, holdOfB, workOfB, others } = load
    await host.enforce(EVERYBODY)
    await workOfB.call()
    const { subscription } = watch(b, holdOfB)
    await expect.poll(() => subscription.cursor, TIMEOUT).toBeDefined()
    await a.allocate({ setHandle, spids: [4] })
    const references = async () => (await b.getLease({ leaseHandle: leaseOfB })).references
    await expect.poll(references, TIMEOUT).toBe(1)
    await goesOn(others)
  })

  it('not one call of anyone else has failed, and no stream has ended, been interrupted or missed a change', async () => {
    const { others, streams, work } = load
    for (const caller of others) caller.stop()
    for (const { ended } of others) expect(await ended).toBeUndefined()
    const last = work.done.at(-1) ?? 0n
    for (const { subscription, revisions } of streams) {
      await subscription.waitForRevision(last)
      const { interruptions, gaps } = subscription
      expect({ interruptions, gaps }).toEqual({ interruptions: 0, gaps: 0 })
      expect(work.done.filter((revision) => !revisions.has(revision))).toEqual([])
    }
    expect(work.done.length).toBeGreaterThan(40)
    expect(host.daemon.output.stderr).not.toContain('handshake failed')
  })
})
