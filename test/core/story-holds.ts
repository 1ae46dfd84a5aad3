import fc from 'fast-check'
import type { Command } from '../../server/core/command.ts'
import type { Names, Priority } from '../../server/core/event.ts'
import { asLeaseId, asSetId } from '../../server/core/ids.ts'
import { allIds, type Model } from './model.ts'
import { choose, type Kinds, leaseAt, PLACES, place, setAt, step } from './story-leases.ts'

/** Steps of holds, as part of a random story (story.ts). */
export type HoldStep =
  | {
      readonly do: 'register'
      readonly lease: number
      readonly of: 'all' | 'names' | 'same'
      readonly tokens: readonly string[]
      readonly sets: readonly number[]
      readonly priority: Priority
    }
  | { readonly do: 'end_registration'; readonly lease: number }
  | {
      readonly do: 'acknowledge'
      readonly lease: number
      readonly place: number
      /** Revisions: the newest, one of a teardown, one before it, any, the first of all, and one that is yet to come. */
      readonly at: 'now' | 'teardown' | 'before' | 'any' | 'zero' | 'future'
    }

export function holdSteps(tokens: readonly string[]): Kinds<HoldStep> {
  const of = <const Value>(...values: readonly Value[]) => fc.constantFrom(...values)
  return [
    [
      'register',
      fc.record({
        do: step('register'),
        lease: place,
        of: of('all', 'names', 'names', 'names', 'names', 'same'),
        // Of the tokens that sets may have, whether one has it or not.
        tokens: fc.uniqueArray(of(...tokens), { maxLength: 3 }),
        sets: fc.array(place, { maxLength: 2 }),
        priority: of('CPU', 'IOMMU', 'DEVICE'),
      }),
    ],
    ['end_registration', fc.record({ do: step('end_registration'), lease: place })],
    [
      'acknowledge',
      fc.record({
        do: step('acknowledge'),
        lease: place,
        place,
        at: of('now', 'now', 'teardown', 'teardown', 'teardown', 'before', 'any', 'zero', 'future'),
      }),
    ],
  ]
}

export function holdCommandOf(step: HoldStep, model: Model): Command {
  if (step.do === 'end_registration') return { kind: step.do, leaseId: leaseAt(step.lease, model) }
  return step.do === 'register' ? registerOf(step, model) : acknowledgeOf(step, model)
}

function registerOf(step: Extract<HoldStep, { do: 'register' }>, model: Model): Command {
  const { leases } = model
  // Mostly who is not registered yet: a lease registers once in its life, or once in each of its lives.
  const unregistered = leases.filter(({ registration, isHeld }) => registration === undefined && !isHeld)
  // Among them those that came back, with references from before.
  const holders = new Set(allIds(model).flatMap(({ id }) => id.holds.map(({ leaseId }) => leaseId)))
  const back = unregistered.filter((lease) => holders.has(lease.leaseId))
  const fresh = back.length > 0 && step.lease % 3 > 0 ? back : unregistered
  const any = leaseAt(step.lease, model)
  const leaseId = step.of === 'same' ? any : asLeaseId(fresh[step.lease % (fresh.length + 1)]?.leaseId ?? any)
  const known = leases.find((lease) => lease.leaseId === leaseId)?.registration
  if (step.of === 'same' && known !== undefined) {
    const priority = step.priority === 'DEVICE' ? step.priority : known.priority
    return { kind: 'register', leaseId, names: known.names, priority }
  }
  return { kind: 'register', leaseId, names: namesOf(step, model), priority: step.priority }
}

/** Sets by number may be draining, or the first of all, which may be gone. */
function namesOf({ of, tokens, sets }: Extract<HoldStep, { do: 'register' }>, model: Model): Names {
  if (of === 'all') return 'all'
  const setIds = new Set(sets.map((place) => setAt(place, model)?.setId ?? 1))
  const named = tokens.length + setIds.size > 0 ? tokens : ['nobody']
  // Ascending, as the edge writes them.
  return { tokens: [...named].sort(), setIds: [...setIds].sort((a, b) => a - b).map(asSetId) }
}

/** Mostly of who has something to acknowledge. */
function acknowledgeOf({ lease, place, at }: Extract<HoldStep, { do: 'acknowledge' }>, model: Model): Command {
  const teardowns = allIds(model).flatMap(({ id }) =>
    id.holds.flatMap(({ leaseId, lastTeardown }) => (lastTeardown === undefined ? [] : [{ leaseId, lastTeardown }])),
  )
  const one = lease < 0.9 * PLACES ? teardowns[lease % teardowns.length] : undefined
  const leaseId = asLeaseId(one?.leaseId ?? leaseAt(lease, model))
  const own = teardowns.filter((each) => each.leaseId === leaseId).map(({ lastTeardown }) => lastTeardown)
  const teardown = choose(own, [model.revision], place)
  const revisions = {
    now: model.revision,
    teardown,
    before: Math.max(0, teardown - 1),
    any: place % (model.revision + 1),
    zero: 0,
    future: model.revision + 1 + (place % 3),
  }
  return { kind: 'acknowledge', leaseId, revision: revisions[at] }
}
