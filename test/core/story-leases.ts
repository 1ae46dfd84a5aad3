import fc from 'fast-check'
import type { Command, SetRef } from '../../server/core/command.ts'
import type { LeaseTerms } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asSetId, asSpid, type LeaseId } from '../../server/core/ids.ts'
import { allIds, type Model, type ModelSet } from './model.ts'

/** Steps of leases and references, as part of a random story (story.ts). */
export type LeaseStep =
  | { readonly do: 'grant'; readonly terms: LeaseTerms }
  | { readonly do: 'revive' | 'expire'; readonly lease: number }
  | { readonly do: 'revoke'; readonly lease: number; readonly by: 'holder' | 'operator' }
  | {
      readonly do: 'acquire' | 'release' | 'acquire_by_spid'
      readonly lease: number
      readonly id: number
      readonly set: number
      readonly spid: number
      readonly by: 'token' | 'handle'
    }

export const PLACES = 999
export const place = fc.nat(PLACES)

/** What a step may be drawn as, by what it does. */
export type Kinds<Step extends { readonly do: string }> = (readonly [Step['do'], fc.Arbitrary<Step>])[]

export function step<const Kind extends string>(kind: Kind): fc.Arbitrary<Kind> {
  return fc.constant(kind)
}

export function leaseSteps(): Kinds<LeaseStep> {
  const by = fc.constantFrom('token' as const, 'handle' as const)
  const onId = { lease: place, id: place, set: place, spid: fc.nat(6), by }
  return [
    ['grant', fc.record({ do: step('grant'), terms: leaseTerms() })],
    ['acquire', fc.record({ do: step('acquire'), ...onId })],
    ['acquire_by_spid', fc.record({ do: step('acquire_by_spid'), ...onId })],
    ['release', fc.record({ do: step('release'), ...onId })],
    ['expire', fc.record({ do: step('expire'), lease: place })],
    ['revive', fc.record({ do: step('revive'), lease: place })],
    ['revoke', fc.record({ do: step('revoke'), lease: place, by: fc.constantFrom('holder', 'operator') })],
  ]
}

export function leaseTerms(): fc.Arbitrary<LeaseTerms> {
  return fc.record({
    name: fc.constantFrom('', 'kvm', 'gerät'),
    ttlMs: fc.constantFrom(500, 10_000),
    onExpiry: fc.constantFrom('RELEASE', 'HOLD', 'HOLD'),
  })
}

export function leaseCommandOf(step: LeaseStep, model: Model): Command {
  if (step.do === 'grant') return { kind: 'grant_lease', terms: step.terms }
  const leaseId = leaseAt(step.lease, model)
  switch (step.do) {
    case 'revive': {
      const held = model.leases.filter(({ isHeld }) => isHeld).map((lease) => lease.leaseId)
      const isLikely = step.lease < 0.8 * PLACES
      return { kind: 'revive_lease', leaseId: isLikely ? asLeaseId(choose(held, [leaseId], step.lease)) : leaseId }
    }
    case 'revoke':
      return { kind: step.by === 'holder' ? 'revoke_lease' : 'force_revoke_lease', leaseId }
    case 'expire':
      return { kind: 'expire_lease', leaseId }
    case 'acquire': {
      // Many places lead to few ids, so that they have several holders.
      const likely = allIds(model).slice(0, step.id % 2 === 0 ? 2 : undefined)
      const { set, id } = likely[step.id % likely.length] ?? { set: undefined, id: undefined }
      const named = step.set < 0.9 * PLACES ? set : setAt(step.set, model)
      const ioasid = step.id < 0.95 * PLACES ? id?.ioasid : step.id
      // Sometimes the lease that its set ends with.
      const holder = step.lease % 4 === 0 ? asLeaseId(set?.leaseId ?? leaseId) : leaseId
      return { kind: 'acquire', set: refOf(named, step.by), ioasid: asIoasid(ioasid ?? 1), leaseId: holder }
    }
    case 'acquire_by_spid': {
      const set = setAt(step.set, model)
      const known = (set?.ids ?? []).flatMap(({ spid }) => spid ?? [])
      const spid = asSpid(step.id < 0.8 * PLACES ? choose(known, [step.spid], step.id) : step.spid)
      return { kind: 'acquire_by_spid', set: refOf(set, step.by), spid, leaseId }
    }
    case 'release':
      return releaseOf(step, leaseId, model)
  }
}

/** Mostly of a reference that is there. */
function releaseOf({ id: place, set: setPlace, by }: Extract<LeaseStep, { id: number }>, any: LeaseId, model: Model) {
  const held = allIds(model).flatMap(({ set, id }) => id.references.map(({ leaseId }) => ({ set, id, leaseId })))
  const one = place < 0.85 * PLACES ? held[place % held.length] : undefined
  const other = allIds(model)[place % Math.max(1, allIds(model).length)]
  const set = one?.set ?? (setPlace < 0.7 * PLACES ? other?.set : setAt(setPlace, model))
  const ioasid = asIoasid((one ?? other)?.id.ioasid ?? 1)
  return {
    kind: 'release' as const,
    set: refOf(set, by),
    ioasid,
    leaseId: one === undefined ? any : asLeaseId(one.leaseId),
  }
}

/**
 * Half of the places lead to who holds something; few to a lease that never was, and to the first of all, which may be
 * gone.
 */
export function leaseAt(place: number, model: Model): LeaseId {
  const live = model.leases.map(({ leaseId }) => leaseId)
  const holders = allIds(model).flatMap(({ id }) => [...id.references, ...id.holds].map(({ leaseId }) => leaseId))
  const likely = place < 0.45 * PLACES && holders.length > 0 ? holders : live
  return asLeaseId(choose(place < 0.95 * PLACES ? likely : [], [1, model.lastLeaseId + 1], place))
}

export function setAt(place: number, model: Model): ModelSet | undefined {
  return place < 0.95 * PLACES ? model.sets[place % model.sets.length] : undefined
}

/** By its token, if it has one; without a set, by what names none. */
function refOf(set: ModelSet | undefined, by: 'token' | 'handle'): SetRef {
  if (by === 'token' && set?.token !== '') return { token: set?.token ?? 'nobody' }
  return { setId: asSetId(set?.setId ?? 0) }
}

export function choose(likely: readonly number[], others: readonly number[], place: number): number {
  const among = likely.length > 0 ? likely : others
  return among[place % among.length] ?? 0
}
