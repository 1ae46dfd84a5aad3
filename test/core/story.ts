import fc from 'fast-check'
import type { Command } from '../../server/core/command.ts'
import { asIoasid, asSetId, asSpid } from '../../server/core/ids.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { CONFIG } from '../support/space.ts'
import type { Model } from './model.ts'
import { type HoldStep, holdCommandOf, holdSteps } from './story-holds.ts'
import {
  choose,
  type Kinds,
  type LeaseStep,
  leaseAt,
  leaseCommandOf,
  leaseSteps,
  leaseTerms,
  PLACES,
  place,
  step,
} from './story-leases.ts'

/**
 * Random stories. A step is drawn without knowing where the story stands, its numbers are taken as places among what
 * is there when its turn comes: so most commands meet a live set and an id of it, some do not, and a failing story can be
 * made shorter step by step.
 */
export type Step =
  | LeaseStep
  | HoldStep
  | { readonly do: 'create'; readonly token: string; readonly quota: number; readonly lease: number | null }
  | { readonly do: 'adjust'; readonly set: number; readonly quota: number }
  | { readonly do: 'delete'; readonly set: number; readonly how: 'force' | 'operator' | 'gently' }
  | {
      readonly do: 'allocate'
      readonly set: number
      readonly count: number
      readonly range: readonly [number, number] | null
      readonly spids: readonly [first: number, step: number] | null
      readonly data: number
    }
  | {
      readonly do: 'free'
      readonly set: number
      readonly ids: readonly number[]
      readonly age: 'any' | 'true' | 'stale'
    }
  | { readonly do: 'free_all'; readonly set: number }
  | {
      readonly do: 'attach' | 'detach'
      readonly set: number
      readonly id: number
      readonly spid: number
      readonly device: string
    }
  | { readonly do: 'attach_data' | 'detach_data'; readonly set: number; readonly id: number; readonly data: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'freeze' }
  | { readonly do: 'restart'; readonly from: 'log' | 'snapshot'; readonly config: SpaceConfig }

export const TOKENS = ['vm-a', 'vm-ab', 'vm-b', 'vm-é']
const DEVICES = ['', '', 'nic', 'gpu']

export function configs(capacities: readonly [number, number]): fc.Arbitrary<SpaceConfig> {
  return fc.record({
    capacity: fc.integer({ min: capacities[0], max: capacities[1] }),
    reserved: fc.array(
      fc.tuple(fc.nat(capacities[1]), fc.nat(3)).map(([first, more]) => [first, first + more] as const),
      { maxLength: 2 },
    ),
    policy: fc.constantFrom('rested' as const, 'lowest' as const),
    reuseDelayMs: fc.constantFrom(0, 0, 1000, 5000),
    maxSets: fc.constantFrom(4, CONFIG.maxSets),
    maxPrivateData: fc.constantFrom(12, CONFIG.maxPrivateData),
    maxDevicesPerId: fc.constantFrom(2, CONFIG.maxDevicesPerId),
    maxLeases: fc.constantFrom(3, CONFIG.maxLeases),
    maxReferences: fc.constantFrom(4, CONFIG.maxReferences, CONFIG.maxReferences),
  })
}

/** How often each step is drawn. */
export type Weights = Readonly<Record<Step['do'], number>>

/** A story begins with a set, ids and a lease, since little can happen without them. */
export function stories(
  capacities: readonly [number, number],
  maxCount: number,
  maxLength: number,
  weights: Weights,
  opening: readonly Step[] = [],
): fc.Arbitrary<Step[]> {
  const ofLease = fc.constantFrom(null, 0)
  const others = fc.array(steps(capacities, maxCount, weights), { minLength: maxLength >> 1, maxLength, size: 'max' })
  return fc
    .tuple(leaseTerms(), ofLease, others)
    .map(([terms, lease, others]) => [
      { do: 'grant', terms },
      { do: 'create', token: 'vm-a', quota: 0, lease },
      { do: 'allocate', set: 0, count: 2, range: null, spids: [0, 1], data: 0 },
      ...opening,
      ...others,
    ])
}

function steps(capacities: readonly [number, number], maxCount: number, weights: Weights): fc.Arbitrary<Step> {
  const all = [...setSteps(capacities, maxCount), ...idSteps(), ...leaseSteps(), ...holdSteps(TOKENS)]
  const others: Kinds<Step> = [
    ['wait', fc.record({ do: step('wait'), ms: fc.constantFrom(1, 500, 1000, 6000) })],
    ['freeze', fc.record({ do: step('freeze') })],
    [
      'restart',
      fc.record({
        do: step('restart'),
        from: fc.constantFrom('log' as const, 'snapshot' as const),
        config: configs(capacities),
      }),
    ],
  ]
  return fc.oneof(...[...all, ...others].map(([kind, arbitrary]) => ({ weight: weights[kind], arbitrary })))
}

function setSteps(capacities: readonly [number, number], maxCount: number): Kinds<Step> {
  const quota = fc.oneof(fc.nat(12), fc.nat(capacities[1]), fc.constant(0))
  const count = fc.oneof({ arbitrary: fc.integer({ min: 1, max: maxCount }), weight: 3 }, fc.constant(1))
  const range = fc.option(fc.tuple(fc.nat(2 * capacities[1]), fc.nat(2 * capacities[1])), { freq: 2 })
  const spids = fc.option(fc.tuple(fc.nat(6), fc.constantFrom(1, 1, 2, -1)), { freq: 2 })
  const token = fc.constantFrom('', 'vm-a', 'vm-a', ...TOKENS)
  const lease = fc.option(place, { freq: 2 })
  const data = fc.constantFrom(0, 0, 0, 3)
  return [
    ['create', fc.record({ do: step('create'), token, quota, lease })],
    ['adjust', fc.record({ do: step('adjust'), set: place, quota })],
    [
      'delete',
      fc.record({ do: step('delete'), set: place, how: fc.constantFrom('force', 'force', 'operator', 'gently') }),
    ],
    ['allocate', fc.record({ do: step('allocate'), set: place, count, range, spids, data })],
  ]
}

function idSteps(): Kinds<Step> {
  const ids = fc.uniqueArray(place, { minLength: 1, maxLength: 5 })
  const age = fc.constantFrom('any' as const, 'any' as const, 'true' as const, 'stale' as const)
  const binding = { set: place, id: place, spid: fc.nat(6), device: fc.constantFrom(...DEVICES) }
  const onId = { set: place, id: place, data: fc.integer({ min: 1, max: 6 }) }
  return [
    ['free', fc.record({ do: step('free'), set: place, ids, age })],
    ['free_all', fc.record({ do: step('free_all'), set: place })],
    ['attach', fc.record({ do: step('attach'), ...binding })],
    ['detach', fc.record({ do: step('detach'), ...binding })],
    ['attach_data', fc.record({ do: step('attach_data'), ...onId })],
    ['detach_data', fc.record({ do: step('detach_data'), ...onId })],
  ]
}

export type Action = Exclude<Step, { do: 'wait' | 'freeze' | 'restart' }>

/** What a step asks for where the story stands. */
export function commandOf(step: Action, model: Model): Command {
  if (step.do === 'create') {
    const leaseId = step.lease === null ? null : leaseAt(step.lease, model)
    return { kind: 'create_set', token: step.token, quota: step.quota, leaseId }
  }
  if (step.do === 'register' || step.do === 'end_registration' || step.do === 'acknowledge')
    return holdCommandOf(step, model)
  if (isOfLeases(step)) return leaseCommandOf(step, model)
  // Few places lead to the first set of all, which may be gone, to one that never was, and to no set at all.
  const live = model.sets.map((set) => set.setId)
  const number = choose(step.set < 0.95 * PLACES ? live : [], [1, model.lastSetId + 1, 0], step.set)
  const setId = asSetId(number)
  const own = model.sets.find((set) => set.setId === number)?.ids ?? []
  // Few places lead to ids of other sets, and to numbers that are nobody's.
  const mine = own.map((id) => id.ioasid)
  const all = model.sets.flatMap((set) => set.ids).map((id) => id.ioasid)
  const { capacity } = model.config
  const nobodys = [0, capacity - 1, capacity, 4_294_967_295]
  const idAt = (place: number) => {
    const likely = place < 0.92 * PLACES ? mine : place < 0.97 * PLACES ? all : []
    return asIoasid(choose(likely, nobodys, place))
  }
  switch (step.do) {
    case 'adjust':
      return { kind: 'adjust_quota', setId, quota: step.quota }
    case 'delete':
      if (step.how === 'operator') return { kind: 'force_delete_set', setId }
      return { kind: 'delete_set', setId, force: step.how === 'force' }
    case 'allocate': {
      const [a, b] = step.range ?? [0, capacity - 1]
      const [min, max] = [Math.min(a % capacity, b % capacity), Math.max(a % capacity, b % capacity)]
      const data = step.data === 0 ? null : new Uint8Array(step.data).fill(65 + step.data)
      return { kind: 'allocate', setId, count: step.count, min, max, spids: spidsOf(step), privateData: data }
    }
    case 'free': {
      const ioasids = [...new Set(step.ids.map(idAt))]
      const generation = own.find((id) => id.ioasid === ioasids[0])?.generation ?? 1
      return {
        kind: 'free',
        setId,
        ioasids,
        generation: { any: null, true: generation, stale: generation + 1 }[step.age],
      }
    }
    case 'free_all':
      return { kind: 'free_all', setId }
    case 'attach': {
      // Half of the places lead to an id without a SPID.
      const unbound =
        step.id < 0.5 * PLACES ? own.filter(({ spid, isPending }) => spid === undefined && !isPending) : []
      const ioasid = unbound[step.id % unbound.length]?.ioasid ?? idAt(step.id)
      return { kind: 'attach_spid', setId, ioasid: asIoasid(ioasid), spid: asSpid(step.spid), device: step.device }
    }
    case 'detach': {
      // Half of the places lead to an id with a SPID, and most of them to a device of it.
      const bound = step.id < 0.5 * PLACES ? own.filter(({ devices }) => devices.length > 0) : []
      const ioasid = bound[step.id % bound.length]?.ioasid ?? idAt(step.id)
      const devices = step.spid < 5 ? (own.find((id) => id.ioasid === ioasid)?.devices ?? []) : []
      const device = devices[step.id % devices.length] ?? step.device
      return { kind: 'detach_spid', setId, ioasid: asIoasid(ioasid), device }
    }
    case 'attach_data': {
      const privateData = new Uint8Array(step.data).fill(97 + step.data)
      return { kind: 'attach_data', setId, ioasid: idAt(step.id), privateData }
    }
    case 'detach_data':
      return { kind: 'detach_data', setId, ioasid: idAt(step.id) }
  }
}

function isOfLeases(step: Exclude<Action, HoldStep>): step is LeaseStep {
  return 'terms' in step || 'lease' in step
}

/** As many different SPIDs as ids: ascending, descending, or with gaps. */
function spidsOf({ count, spids }: Extract<Action, { do: 'allocate' }>) {
  if (spids === null) return null
  const [first, step] = spids
  const lowest = step < 0 ? first + count : first
  return Array.from({ length: count }, (_, index) => asSpid(lowest + step * index))
}
