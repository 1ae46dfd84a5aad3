import type { Answer, AnswerOf, Command } from '../../server/core/command.ts'
import { type Failure, isFailure } from '../../server/core/failure.ts'
import { asIoasid, asSetId, asSpid, type LeaseId, type Revision, type SetId } from '../../server/core/ids.ts'
import { idsOf } from '../../server/core/runs.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { type Engine, type EngineOptions, startEngine } from '../../server/engine/engine.ts'
import { ALL_TYPES } from '../../server/engine/filter.ts'
import { requestKey } from '../../server/engine/request-digest.ts'
import type { Outcome, Request } from '../../server/engine/sequencer.ts'
import type { Opened, SubscribeRequest } from '../../server/engine/subscribe.ts'
import { createMemoryStore } from '../../server/store/memory.ts'
import type { Store } from '../../server/store/store.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'

export const SPACE: SpaceConfig = {
  capacity: 1024,
  reserved: [],
  policy: 'rested',
  reuseDelayMs: 0,
  maxSets: 100_000,
  maxPrivateData: 1 << 26,
  maxDevicesPerId: 64,
  maxLeases: 10_000,
  maxReferences: 1_000_000,
}

export const LIMITS: EngineOptions['limits'] = {
  requestWindowMs: 600_000,
  requestLimit: 1_000_000,
  maxSubscriptions: 10_000,
  maxOpenSnapshots: 4,
  teardownTimeoutMs: 5000,
  leaseGraceMs: 5000,
  historyRevisions: 1_000_000,
  historyBytes: 1 << 30,
  snapshotEvery: 100_000,
  maxUndurableBytes: 1 << 26,
  ringBytes: 1 << 24,
  maxQueuedBytes: 1 << 20,
}

export interface Running {
  readonly engine: Engine
  readonly clock: ManualClock
  readonly store: Store
  /** What onFailure was told. */
  readonly failures: unknown[]
}

export interface RunOptions {
  readonly store?: Store
  readonly clock?: ManualClock
  readonly space?: Partial<SpaceConfig>
  readonly limits?: Partial<EngineOptions['limits']>
  readonly onCommit?: NonNullable<EngineOptions['onCommit']>
}

export function memoryStore(): Store {
  return createMemoryStore({ spaceId: 'space-a', handleKey: new Uint8Array(32).fill(7) })
}

/** An engine whose time stands still. Started again on the same store it is what a restart gives. */
export async function run(options: RunOptions = {}): Promise<Running> {
  const { store = memoryStore(), clock = createManualClock() } = options
  const failures: unknown[] = []
  const engine = await startEngine({
    store,
    clock,
    space: { ...SPACE, ...options.space },
    limits: { ...LIMITS, ...options.limits },
    onCommit: options.onCommit,
    onFailure: (cause) => failures.push(cause),
  })
  if ('contradiction' in engine) throw new Error(engine.contradiction)
  return { engine, clock, store, failures }
}

/** What came of a request that must succeed. */
export function must<Value extends object>(value: Value | Failure): Value {
  if (isFailure(value)) throw new Error(`${value.reason}: ${value.message}`)
  return value
}

export function request(requestId: string): Request {
  return { key: requestKey('', requestId), requestId }
}

export async function answerOf<Kind extends Answer['kind']>(
  engine: Engine,
  command: Command,
  kind: Kind,
): Promise<{ readonly answer: AnswerOf<Kind>; readonly revision: Revision }> {
  const { answer, revision } = must(await engine.submit(command, undefined))
  if (!isOfKind(answer, kind)) throw new Error(`${command.kind} was answered with ${answer.kind}`)
  return { answer, revision }
}

function isOfKind<Kind extends Answer['kind']>(answer: Answer, kind: Kind): answer is AnswerOf<Kind> {
  return answer.kind === kind
}

type AllocateCommand = Extract<Command, { kind: 'allocate' }>

export const command = {
  createSet: (token: string, quota = 0, leaseId: LeaseId | null = null): Command => ({
    kind: 'create_set',
    token,
    quota,
    leaseId,
  }),
  adjustQuota: (setId: SetId, quota: number): Command => ({ kind: 'adjust_quota', setId, quota }),
  deleteSet: (setId: SetId): Command => ({ kind: 'delete_set', setId, force: true }),
  allocate: (setId: SetId, count = 1, spids: readonly number[] | null = null): AllocateCommand => ({
    kind: 'allocate',
    setId,
    count,
    min: 0,
    max: SPACE.capacity - 1,
    spids: spids === null ? null : spids.map(asSpid),
    privateData: null,
  }),
  free: (setId: SetId, ioasids: readonly number[]): Command => ({
    kind: 'free',
    setId,
    ioasids: ioasids.map(asIoasid),
    generation: null,
  }),
  attachSpid: (setId: SetId, ioasid: number, spid: number, device: string): Command => ({
    kind: 'attach_spid',
    setId,
    ioasid: asIoasid(ioasid),
    spid: asSpid(spid),
    device,
  }),
  detachSpid: (setId: SetId, ioasid: number, device = ''): Command => ({
    kind: 'detach_spid',
    setId,
    ioasid: asIoasid(ioasid),
    device,
  }),
  attachData: (setId: SetId, ioasid: number, privateData: Uint8Array): Command => ({
    kind: 'attach_data',
    setId,
    ioasid: asIoasid(ioasid),
    privateData,
  }),
  grantLease: (ttlMs: number, onExpiry: 'RELEASE' | 'HOLD' = 'RELEASE', name = ''): Command => ({
    kind: 'grant_lease',
    terms: { name, ttlMs, onExpiry },
  }),
  revokeLease: (leaseId: LeaseId): Command => ({ kind: 'revoke_lease', leaseId }),
  acknowledge: (leaseId: LeaseId, revision: number): Command => ({ kind: 'acknowledge', leaseId, revision }),
  acquire: (setId: SetId, ioasid: number, leaseId: LeaseId): Command => ({
    kind: 'acquire',
    set: { setId },
    ioasid: asIoasid(ioasid),
    leaseId,
  }),
  release: (setId: SetId, ioasid: number, leaseId: LeaseId): Command => ({
    kind: 'release',
    set: { setId },
    ioasid: asIoasid(ioasid),
    leaseId,
  }),
  acquireBySpid: (setId: SetId, spid: number, leaseId: LeaseId): Command => ({
    kind: 'acquire_by_spid',
    set: { setId },
    spid: asSpid(spid),
    leaseId,
  }),
}

export async function createSet(engine: Engine, token = '', quota = 0): Promise<SetId> {
  const { answer } = await answerOf(engine, command.createSet(token, quota), 'set')
  return answer.set.setId
}

export async function grantLease(engine: Engine, ttlMs: number, onExpiry?: 'RELEASE' | 'HOLD'): Promise<LeaseId> {
  const { answer } = await answerOf(engine, command.grantLease(ttlMs, onExpiry), 'lease')
  return answer.lease.leaseId
}

/** Whether a lease is there, ALIVE or HELD. */
export async function isThere(engine: Engine, leaseId: LeaseId): Promise<boolean> {
  return must(await engine.read((state) => ({ found: state.leases.has(leaseId) }))).found
}

/** How many leases' times a store keeps. */
export async function leaseMarks(store: Store): Promise<number> {
  let count = 0
  for await (const { key } of (await store.load()).marks) if (key.startsWith('lease/')) count += 1
  return count
}

export async function allocate(engine: Engine, setId: SetId, count = 1): Promise<number[]> {
  const wanted: Command = { ...command.allocate(setId, count), max: engine.capacity - 1 }
  const { answer } = await answerOf(engine, wanted, 'allocated')
  return idsOf(answer.runs)
}

let quota = 0

/** So many changes of an empty set, each a revision. */
export async function makeRevisions(engine: Engine, setId: SetId, count: number): Promise<void> {
  const outcomes: Promise<Outcome>[] = []
  for (let made = 0; made < count; made++) {
    quota = (quota % 500) + 1
    outcomes.push(engine.submit(command.adjustQuota(setId, quota), undefined))
  }
  for (const outcome of await Promise.all(outcomes)) must(outcome)
}

export function subscription(
  from: Partial<Omit<SubscribeRequest, 'sets'>> & { sets?: SubscribeRequest['sets'] } = {},
): SubscribeRequest {
  return {
    sets: 'all',
    types: ALL_TYPES,
    start: { kind: 'now' },
    spaceId: '',
    heartbeatMs: 5000,
    hold: undefined,
    ...from,
  }
}

export function namesOf(tokens: readonly string[], setIds: readonly number[] = []): SubscribeRequest['sets'] {
  return { tokens: new Set(tokens), setIds: new Set(setIds.map(asSetId)) }
}

export async function subscribe(engine: Engine, from: Partial<SubscribeRequest> = {}): Promise<Opened> {
  return must(await engine.subscribe(subscription(from)))
}

/** What a promise has come to by now: its value, or that it still waits. */
export async function peek<Value>(promise: Promise<Value>): Promise<Value | 'waiting'> {
  let seen: Value | 'waiting' = 'waiting'
  void promise.then((value) => {
    seen = value
  })
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
  return seen
}
