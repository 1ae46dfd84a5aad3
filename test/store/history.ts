import type { Entry } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import {
  asIoasid,
  asLeaseId,
  asRevision,
  asSetId,
  asSpid,
  type Ioasid,
  type LeaseId,
  type SetId,
} from '../../server/core/ids.ts'
import { ioasidOf } from '../../server/core/state.ts'
import type { Genesis, Loaded, Mark, Store } from '../../server/store/store.ts'
import { canonical, type Running, restore, start, submit } from '../support/space.ts'

export const GENESIS: Genesis = {
  spaceId: 'space-1',
  handleKey: Uint8Array.from({ length: 32 }, (_, index) => index * 7),
}

/** A space of three pages, in which everything that a snapshot holds has happened. */
export function busySpace(): Running {
  const running = start({ capacity: 10_000, reuseDelayMs: 60_000 })
  const alive = createSet(running, 'vm-alive')
  const gone = createSet(running, 'vm-gone-é')
  for (const setId of [alive, gone]) {
    const spids = [5, 6, 7].map(asSpid)
    done(running, {
      kind: 'allocate',
      setId,
      count: 3,
      min: 0,
      max: 9999,
      spids,
      privateData: Uint8Array.of(1, 2, 255),
    })
    done(running, { kind: 'allocate', setId, count: 2, min: 9000, max: 9999, spids: null, privateData: null })
  }
  const first = ofSpid(running, alive, 5)
  done(running, { kind: 'attach_spid', setId: alive, ioasid: first, spid: asSpid(5), device: 'nic' })
  running.nowMs = 1500
  done(running, { kind: 'delete_set', setId: gone, force: true })
  holdSome(running, first)
  registerSome(running)
  return running
}

/** One lease is alive, the other held; `inUse` has both for holders, one id is pending, and so is one of a draining set. */
function holdSome(running: Running, inUse: Ioasid): void {
  for (const [name, onExpiry] of [
    ['kvm', 'RELEASE'],
    ['gerät', 'HOLD'],
  ] as const) {
    done(running, { kind: 'grant_lease', terms: { name, ttlMs: 10_000, onExpiry } })
  }
  const [kvm, held] = [asLeaseId(1), asLeaseId(2)]
  const draining = createSet(running, 'vm-draining', held)
  const allocate = { kind: 'allocate', count: 1, min: 9100, max: 9999, privateData: null } as const
  done(running, { ...allocate, setId: draining, spids: [asSpid(8)] })
  const pending = asIoasid(running.state.sets.get(draining)?.ids.first ?? 0)
  const alive = { setId: asSetId(1) }
  done(running, { ...allocate, ...alive, spids: [asSpid(9)] })
  const own = asIoasid(running.state.sets.get(alive.setId)?.ids.last ?? 0)
  done(running, { kind: 'acquire', set: alive, ioasid: inUse, leaseId: kvm })
  done(running, { kind: 'acquire', set: alive, ioasid: inUse, leaseId: held })
  done(running, { kind: 'acquire', set: alive, ioasid: own, leaseId: held })
  done(running, { kind: 'acquire', set: { setId: draining }, ioasid: pending, leaseId: held })
  done(running, { kind: 'free', ...alive, ioasids: [own], generation: null })
  done(running, { kind: 'expire_lease', leaseId: held })
}

/**
 * Three leases are registered, by names and system-wide; the last of them is held. Of the set that is alive one bound id is
 * written down for nobody but the held lease, one was bound again after a teardown that only the system-wide holder has
 * acknowledged, one is pending for all three.
 */
function registerSome(running: Running): void {
  const terms = { name: 'vmm', ttlMs: 10_000, onExpiry: 'HOLD' } as const
  const [byName, ofAll, held] = [asLeaseId(3), asLeaseId(4), asLeaseId(5)]
  for (let lease = 3; lease <= 5; lease++) done(running, { kind: 'grant_lease', terms })
  const setId = asSetId(1)
  const names = { tokens: ['vm-alive', 'vm-später'], setIds: [setId, asSetId(2)] }
  done(running, { kind: 'register', leaseId: byName, names, priority: 'DEVICE' })
  done(running, { kind: 'register', leaseId: ofAll, names: 'all', priority: 'IOMMU' })
  done(running, { kind: 'register', leaseId: held, names: { ...names, setIds: [] }, priority: 'CPU' })
  const [again, freed] = [ofSpid(running, setId, 6), ofSpid(running, setId, 7)]
  done(running, { kind: 'detach_spid', setId, ioasid: again, device: '' })
  done(running, { kind: 'attach_spid', setId, ioasid: again, spid: asSpid(6), device: '' })
  done(running, { kind: 'acknowledge', leaseId: ofAll, revision: running.state.revision })
  done(running, { kind: 'free', setId, ioasids: [freed], generation: null })
  done(running, { kind: 'expire_lease', leaseId: held })
}

function ofSpid({ state }: Running, setId: SetId, spid: number): Ioasid {
  return asIoasid(ioasidOf(state, setId, spid) ?? 0)
}

/** So many more revisions, one id each. */
export function goOn(running: Running, revisions: number): readonly Entry[] {
  const before = running.log.length
  const setId = asSetId(1)
  const allocate = { kind: 'allocate', setId, count: 1, min: 100, max: 8999, spids: null, privateData: null } as const
  for (let count = 0; count < revisions; count++) done(running, allocate)
  return running.log.slice(before)
}

/** An entry of three parts: longer than 2 MiB as encoded. */
export function longEntry(revision: number): Entry {
  const set = { setId: asSetId(1), token: 'vm-alive' }
  const runs = Array.from({ length: 200_000 }, (_, index) => 1_000_000 + index * 2)
  const data = Uint8Array.from({ length: 600_000 }, (_, index) => index * index)
  const events = [
    { kind: 'ALLOC' as const, set, runs },
    { kind: 'DATA' as const, set, runs: [1, 1], data },
  ]
  return { revision: asRevision(revision), servingMs: 1, wallMs: 2, events }
}

/** An entry that means nothing, for tests of the log alone. */
export function plainEntry(revision: number): Entry {
  const set = { setId: asSetId(1), token: 'vm' }
  return {
    revision: asRevision(revision),
    servingMs: revision,
    wallMs: 0,
    events: [{ kind: 'ALLOC', set, runs: [revision, 1] }],
  }
}

export function plainEntries(first: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => plainEntry(first + index))
}

export interface Read extends Genesis {
  readonly compactRevision: number
  readonly entries: readonly Entry[]
  readonly marks: readonly Mark[]
  readonly base: Loaded['base']
}

/** All that a start reads. */
export async function read(store: Store): Promise<Read> {
  const loaded = await store.load()
  return { ...loaded, entries: await collect(loaded.entries), marks: await collect(loaded.marks) }
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const collected: Item[] = []
  for await (const item of items) collected.push(item)
  return collected
}

/** The state that a start makes of what it read, in a form that can be compared. */
export function stateOf({ base, entries }: Read, running: Running): object {
  const state = restore(base, entries, running.state.config)
  if ('contradiction' in state) throw new Error(state.contradiction)
  return canonical(state)
}

function createSet(running: Running, token: string, leaseId: LeaseId | null = null): SetId {
  done(running, { kind: 'create_set', token, quota: 0, leaseId })
  return running.state.lastSetId
}

function done(running: Running, command: Parameters<typeof submit>[1]): void {
  const decision = submit(running, command)
  if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${JSON.stringify(decision)}`)
}
