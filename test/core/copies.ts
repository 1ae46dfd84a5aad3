import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { decide } from '../../server/core/decide.ts'
import type { LeaseId } from '../../server/core/ids.ts'
import { reindex } from '../../server/core/reindex.ts'
import { findId, freeze, type State } from '../../server/core/state.ts'
import { canonical, thaw } from '../support/space.ts'

/** What a restart, a snapshot and a follower make of a state is the same state. */

/** Of all that a snapshot holds; everything else is computed. */
export function rebuilt(state: State): State {
  const copy = reindex(thaw(freeze(state)), state.config)
  if ('contradiction' in copy) throw new Error(copy.contradiction)
  return copy
}

export function sameState(copy: State, state: State): void {
  same(canonical(copy), canonical(state))
  same(holdIndices(copy), holdIndices(state))
  for (const command of endings(state)) same(decide(copy, command), decide(state, command))
}

/** What ends or begins much at once, so that an order in which a state happens to be indexed would show. */
function endings({ leases, sets, revision }: State): Command[] {
  const ofLeases = [...leases.keys()].flatMap((leaseId) => [
    { kind: 'revoke_lease' as const, leaseId },
    { kind: 'expire_lease' as const, leaseId },
    { kind: 'acknowledge' as const, leaseId, revision },
    { kind: 'acknowledge' as const, leaseId, revision: revision >> 1 },
    { kind: 'register' as const, leaseId, names: 'all' as const, priority: 'CPU' as const },
  ])
  return [
    ...ofLeases,
    ...[...sets.keys()].map((setId) => ({ kind: 'delete_set' as const, setId, force: true })),
    ...[...sets.keys()].map((setId) => ({ kind: 'free_all' as const, setId })),
  ]
}

/** Who holds what, as it is looked up. What was torn down at one revision is in no order, different revisions ascend. */
function holdIndices({ bound, holders, holdIds, table }: State): object {
  const flat = <Key extends string | number>(index: ReadonlyMap<Key, ReadonlySet<LeaseId>>) =>
    [...index].map(([key, leaseIds]) => [key, ascending(leaseIds)]).sort()
  const ofLeases = [...holdIds].sort(([one], [other]) => one - other)
  return {
    bound,
    ofAll: ascending(holders.ofAll),
    byToken: flat(holders.byToken),
    bySet: flat(holders.bySet),
    ids: ofLeases.map(([leaseId, { awaited, live }]) => {
      const awaiting = [...awaited].map(
        (id) => findId(table, id)?.holds.find((hold) => hold.leaseId === leaseId)?.awaiting,
      )
      return { leaseId, awaiting, awaited: ascending(awaited), live: ascending(live) }
    }),
  }
}

function ascending(numbers: ReadonlySet<number>): number[] {
  return [...numbers].sort((one, other) => one - other)
}

/** The fast comparison first; vitest's own says where two things differ. */
export function same(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toStrictEqual(expected)
}
