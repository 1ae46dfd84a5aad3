import type { BatchItem, BatchResult, Client, LeaseInfo } from '../../client/index.ts'
import type { Event } from '../../server/core/event.ts'
import { type Below, oneOf } from './chance.ts'
import { afterNowMs, type Ledger } from './ledger.ts'

/** An owner with a set and a lease who does one thing after another, and writes down what it is answered. */
export interface Tenant {
  /** Goes on until it is told to stop. Rejects when a request that must succeed is refused. */
  run(isOver: () => boolean): Promise<void>
}

export interface TenantOptions {
  readonly client: Client
  readonly token: string
  /** Makes its request_ids different from those of other runs. */
  readonly run: string
  readonly below: Below
  readonly ledger: Ledger
}

/** Renewed at least so often; a lease that lasts LEASE_TTL_MS must never end. */
const RENEW_MS = 400
export const LEASE_TTL_MS = 4_000
const MOST_IDS = 40
const QUOTA = 400

interface Counters {
  requests: number
  spids: number
  renewedMs: number
}

interface Owner extends TenantOptions {
  readonly counters: Counters
  readonly lease: LeaseInfo
  readonly setHandle: string
  /** Its ids, free ones left out. */
  readonly idle: Set<number>
  readonly bound: Set<number>
  /** Those of which its lease has a reference, free ones too. */
  readonly acquired: Set<number>
}

type Beginning = TenantOptions & Pick<Owner, 'counters'>

export async function startTenant(options: TenantOptions): Promise<Tenant> {
  const beginning = { ...options, counters: { requests: 0, spids: 0, renewedMs: 0 } }
  const lease = await grant(beginning, LEASE_TTL_MS)
  const setHandle = await create(beginning, options.token)
  const owner: Owner = { ...beginning, lease, setHandle, idle: new Set(), bound: new Set(), acquired: new Set() }
  await renew(owner)
  return {
    run: async (isOver) => {
      while (!isOver()) await act(owner)
    },
  }
}

async function act(owner: Owner): Promise<void> {
  const { client, below, counters } = owner
  if (Date.now() - counters.renewedMs > RENEW_MS) return await renew(owner)
  const choice = below(12)
  if (choice === 0) return await visit(owner)
  const items = Array.from({ length: choice < 6 ? 1 + below(5) : 1 }, () => choose(owner))
  const results = await client.batch(items)
  for (const [index, item] of items.entries()) {
    const result = results[index]
    if (result === undefined) throw new Error('a batch has an answer for each item')
    settle(owner, item, result)
  }
}

async function renew({ client, lease, ledger, counters }: Owner): Promise<void> {
  const sentMs = Date.now()
  await client.keepLeaseAlive({ leaseHandle: lease.leaseHandle })
  counters.renewedMs = Date.now()
  ledger.renewals.push({ sentMs, atMs: afterNowMs(), leaseId: Number(lease.leaseId), ttlMs: lease.ttlMs })
}

/** A set that lives as long as its lease, which is not long. */
async function visit(owner: Owner): Promise<void> {
  const { client, token, below, counters } = owner
  const { leaseHandle } = await grant(owner, 60_000)
  const setHandle = await create(owner, `${token}/${counters.requests}`, leaseHandle)
  const wanted = { setHandle, requestId: nextRequest(owner), count: 1 + below(20) }
  const { ioasids, revision } = await client.allocate(wanted)
  note(owner, { kind: 'ALLOC', ids: ioasids }, wanted.requestId, revision)
  const requestId = nextRequest(owner)
  const revoked = await client.revokeLease({ leaseHandle, requestId })
  note(owner, { kind: 'LEASE_END', ids: [] }, requestId, revoked.revision)
}

async function grant(owner: Beginning, ttlMs: number): Promise<LeaseInfo> {
  const requestId = nextRequest(owner)
  const { lease, revision } = await owner.client.grantLease({ ttlMs, name: owner.token, requestId })
  note(owner, { kind: 'LEASE_GRANT', ids: [] }, requestId, revision)
  return lease
}

async function create(owner: Beginning, token: string, leaseHandle?: string): Promise<string> {
  const requestId = nextRequest(owner)
  const { set, revision } = await owner.client.createSet({ token, quota: QUOTA, leaseHandle, requestId })
  note(owner, { kind: 'SET_ALLOC', ids: [] }, requestId, revision)
  return set.setHandle
}

function nextRequest({ run, token, counters }: Beginning): string {
  return `${run}/${token}/${counters.requests++}`
}

interface Happened {
  readonly kind: Event['kind']
  readonly ids: readonly number[]
}

function note({ ledger }: Beginning, event: Happened, requestId: string, revision: bigint, item?: BatchItem): void {
  const answered = { requestId, item, revision: Number(revision), event, acknowledged: undefined }
  ledger.answers.push({ atMs: afterNowMs(), ...answered })
}

/** One thing to ask for that must succeed, whatever else of the same batch comes before it. */
function choose(owner: Owner): BatchItem {
  const { below, setHandle, token, lease, counters, idle, bound, acquired } = owner
  const common = { setHandle, requestId: nextRequest(owner) }
  const take = (from: Set<number>) => {
    const id = oneOf(below, [...from])
    if (id !== undefined) from.delete(id)
    return id
  }
  // What it keeps is bounded, however long it runs: freed ids that it has acquired are among those of its quota.
  const isFull = idle.size + bound.size > MOST_IDS
  const choice = acquired.size > MOST_IDS ? 3 : below(isFull ? 4 : 7)
  const isIdle = (choice === 2 && bound.size === 0) || (choice === 3 && acquired.size === 0)
  if (choice <= 1 || (isFull && isIdle)) {
    const ioasids = [take(idle), take(idle), take(bound), take(bound)].filter((id) => id !== undefined)
    if (ioasids.length > 0) return { kind: 'free', ...common, ioasids }
  }
  const ioasid = choice === 2 ? take(bound) : choice === 3 ? take(acquired) : choice === 4 ? take(idle) : undefined
  const reference = { token, requestId: common.requestId, leaseHandle: lease.leaseHandle }
  if (ioasid !== undefined && choice === 2) return { kind: 'detachSpid', ...common, ioasid }
  if (ioasid !== undefined && choice === 3) return { kind: 'release', ...reference, ioasid }
  if (ioasid !== undefined && choice === 4) return { kind: 'attachSpid', ...common, ioasid, spid: counters.spids++ }
  const other = choice === 5 ? [...bound].find((id) => !acquired.has(id)) : undefined
  if (other !== undefined) {
    // At once, so that a batch does not take two references to it.
    acquired.add(other)
    return { kind: 'acquire', ...reference, ioasid: other }
  }
  const count = 1 + below(4)
  if (below(2) === 0) {
    const privateData = new Uint8Array(1 + below(600)).fill(counters.spids)
    return { kind: 'allocate', ...common, count, privateData }
  }
  return { kind: 'allocate', ...common, count, spids: Array.from({ length: count }, () => counters.spids++) }
}

/** What was asked for has happened. */
function settle(owner: Owner, item: BatchItem, result: BatchResult): void {
  const { idle, bound } = owner
  if (result.kind === 'failure') throw result.error
  const happened = (kind: Event['kind'], ids: readonly number[]) =>
    note(owner, { kind, ids }, item.requestId ?? '', result.revision, item)
  switch (item.kind) {
    case 'allocate': {
      const ids = 'ioasids' in result ? result.ioasids : []
      for (const id of ids) (item.spids === undefined ? idle : bound).add(id)
      return happened('ALLOC', ids)
    }
    case 'free':
      return happened('FREE', item.ioasids)
    case 'attachSpid':
      bound.add(item.ioasid)
      return happened('BIND', [item.ioasid])
    case 'detachSpid':
      idle.add(item.ioasid)
      return happened('UNBIND', [item.ioasid])
    case 'acquire':
      return happened('ACQUIRE', [item.ioasid])
    case 'release':
      return happened('RELEASE', [item.ioasid])
    default:
      throw new Error(`a tenant does not ask for ${item.kind}`)
  }
}
