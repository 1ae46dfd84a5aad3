import type { EndedBy, Entry } from '../../server/core/event.ts'
import { AGED, BOUND, eachId, PLAIN, UNBOUND } from '../../server/core/runs.ts'
import type { BindingView, LifeView, Moment } from '../../server/engine/history.ts'

/** The lives of every id, newest first, read forwards from a whole log: what GetHistory must tell. */

type Told = Omit<LifeView, 'next'>

export interface NaiveHistory {
  /** As far as it is on record when everything at or below a revision is dropped. */
  of(ioasid: number, compactRevision: number): readonly Told[]
}

interface Draft extends Omit<Told, 'bindings' | 'to' | 'endedBy' | 'freedBy'> {
  to: Moment | undefined
  endedBy: EndedBy | undefined
  freedBy: string
  bindings: (Omit<BindingView, 'to' | 'unboundBy'> & { to: Moment | undefined; unboundBy: string })[]
}

export function readForwards(log: readonly Entry[], by: ReadonlyMap<number, EndedBy>): NaiveHistory {
  const lives = new Map<number, Draft[]>()
  for (const { revision, wallMs, events, actor = '' } of log) {
    const now: Moment = { revision, wallMs }
    const present = (id: number): Draft => {
      const [life] = lives.get(id) ?? []
      if (life === undefined) throw new Error(`IOASID ${id} has no life at revision ${revision}`)
      return life
    }
    for (const event of events) {
      if (event.kind === 'ALLOC') {
        for (const { id } of eachId(event.runs, PLAIN)) {
          const begun = {
            ...event.set,
            from: now,
            to: undefined,
            endedBy: undefined,
            allocatedBy: actor,
            freedBy: '',
            bindings: [],
          }
          lives.set(id, [begun, ...(lives.get(id) ?? [])])
        }
      } else if (event.kind === 'BIND') {
        for (const { id, index, attributes } of eachId(event.runs, BOUND)) {
          const spid = (attributes[0] ?? 0) + index
          present(id).bindings.unshift({ spid, from: now, to: undefined, boundBy: actor, unboundBy: '' })
        }
      } else if (event.kind === 'UNBIND') {
        for (const { id } of eachId(event.runs, UNBOUND)) {
          const [binding] = present(id).bindings
          if (binding === undefined) continue
          binding.to = now
          binding.unboundBy = actor
        }
      } else if (event.kind === 'FREE') {
        for (const { id } of eachId(event.runs, AGED)) {
          present(id).endedBy = by.get(revision) ?? 'OWNER'
          present(id).freedBy = actor
        }
      } else if (event.kind === 'RECLAIM') {
        for (const { id } of eachId(event.runs, AGED)) present(id).to = now
      }
    }
  }
  const isOnRecord = ({ to }: { readonly to: Moment | undefined }, compactRevision: number) =>
    to === undefined || to.revision > compactRevision
  return {
    of: (ioasid, compactRevision) =>
      (lives.get(ioasid) ?? [])
        .filter((life) => isOnRecord(life, compactRevision))
        .map(({ bindings, ...life }) => {
          const kept: BindingView[] = bindings.filter((binding) => isOnRecord(binding, compactRevision))
          return { ...life, bindings: kept }
        }),
  }
}
