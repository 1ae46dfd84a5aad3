import { idsOn } from '../../../server/core/id-list.ts'
import { asIoasid } from '../../../server/core/ids.ts'
import { violations } from '../../../server/core/invariants.ts'
import { findId, type LeaseRecord, type SetRecord, type State } from '../../../server/core/state.ts'
import { type IoasidView, viewIoasid } from '../../../server/core/view.ts'
import type { Sim } from '../sim.ts'

/** What must hold of the present state, ahead of the disk, after every step. */
export function checkPresent({ report, coverage }: Sim, state: State): void {
  coverage.count('state checked')
  const [first] = violations(state)
  if (first !== undefined) report('accounts', `at revision ${state.revision}: ${first}`)
  checkHolds(state, (sentence) => report('hold-reference', `at revision ${state.revision}: ${sentence}`))
}

/** From BIND's own revision, or from its registration's, whoever is registered for a set has what is bound of it. */
function checkHolds(state: State, report: (sentence: string) => void): void {
  const holders = [...state.leases.values()].filter(({ holding }) => (holding?.names ?? null) !== null)
  if (holders.length === 0) return
  for (const set of state.sets.values()) {
    const named = set.bound === 0 ? [] : holders.filter((lease) => names(lease, set))
    if (named.length === 0) continue
    for (const id of idsOn(state.table, set.ids)) {
      const record = findId(state.table, id)
      if (record === undefined || record.isPending || record.bindRevision === 0) continue
      const view = viewIoasid(state, asIoasid(id), record)
      for (const lease of named) checkHolder(lease, view, record.bindRevision, report)
    }
  }
}

function names({ holding }: LeaseRecord, { token, setId }: SetRecord): boolean {
  const named = holding?.names ?? null
  if (named === null || named === 'all') return named === 'all'
  return named.tokens.includes(token) || named.setIds.includes(setId)
}

function checkHolder(
  { leaseId, holding }: LeaseRecord,
  { ioasid, holders, references }: IoasidView,
  bindRevision: number,
  report: (sentence: string) => void,
): void {
  const since = Math.max(bindRevision, holding?.sinceRevision ?? 0)
  const holder = holders.find((each) => each.leaseId === leaseId)
  const about = `lease ${leaseId} is registered for id ${ioasid}, bound at ${bindRevision}`
  if (holder === undefined) report(`${about}, and has no reference to it`)
  else if (holder.sinceRevision > since) report(`${about}, and has it since ${holder.sinceRevision}`)
  else if (references < holders.length) report(`id ${ioasid} has ${holders.length} holders, ${references} references`)
}
