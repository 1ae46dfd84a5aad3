import type { Entry } from '../../../server/core/event.ts'
import type { Sim } from '../sim.ts'
import type { Lives } from './lives.ts'

/**
 * What holders know: an id whose BIND they were told of is theirs until they have said that they cleaned up after its last
 * teardown. By their own books, not by the daemon's.
 */
export interface Users {
  follow(entry: Entry): void
  /** A lease with a hold and no books yet. */
  open(leaseId: number, name: string): void
  /** A snapshot shows it bound, or a BIND of that revision was told. */
  bound(leaseId: number, ioasid: number, revision: number | 'snapshot'): void
  /** An UNBIND or a FREE of it, or a snapshot of that revision that does not show it. */
  torn(leaseId: number, ioasid: number, revision: number): void
  /** All but these are gone, says a snapshot. */
  settleOthers(leaseId: number, bound: ReadonlySet<number>, revision: number): void
  /** The holder sends its word, whether or not it arrives. */
  acknowledged(leaseId: number, revision: number): void
  /** Who has it. */
  userOf(ioasid: number): string | undefined
}

interface Books {
  readonly name: string
  /** By id: the revision of its last teardown, 0 while it is bound. */
  readonly ids: Map<number, number>
}

export function createUsers({ coverage }: Sim, lives: () => Lives): Users {
  const all = new Map<number, Books>()
  const registered = new Map<number, number>()
  return {
    follow: ({ revision, events }) => {
      for (const event of events) if (event.kind === 'REGISTER') registered.set(event.leaseId, revision)
    },
    open: (leaseId, name) => {
      if (!all.has(leaseId)) all.set(leaseId, { name, ids: new Map() })
    },
    bound: (leaseId, ioasid, revision) => {
      // What was bound before it registered and is told as history may be long gone.
      const isOwn = revision === 'snapshot' || revision > (registered.get(leaseId) ?? Infinity)
      const ids = all.get(leaseId)?.ids
      if (!isOwn || ids === undefined) return
      if ((ids.get(ioasid) ?? 0) > 0) coverage.count('rebound before the acknowledgement')
      ids.set(ioasid, 0)
    },
    torn: (leaseId, ioasid, revision) => {
      const ids = all.get(leaseId)?.ids
      if (ids?.has(ioasid)) ids.set(ioasid, revision)
    },
    settleOthers: (leaseId, bound, revision) => {
      const ids = all.get(leaseId)?.ids ?? new Map<number, number>()
      for (const id of ids.keys()) if (!bound.has(id)) ids.set(id, revision)
    },
    acknowledged: (leaseId, revision) => {
      const ids = all.get(leaseId)?.ids ?? new Map<number, number>()
      for (const [id, tornAt] of ids) if (tornAt > 0 && tornAt <= revision) ids.delete(id)
    },
    userOf: (ioasid) => {
      for (const [leaseId, { name, ids }] of all) {
        // Whose lease has ended has lost it, and knows it.
        const tornAt = lives().isLeaseThere(leaseId) ? ids.get(ioasid) : undefined
        if (tornAt === undefined) continue
        const why = tornAt === 0 ? 'was told of its BIND' : `has not acknowledged its teardown at ${tornAt}`
        return `${name}, lease ${leaseId}, ${why}`
      }
      return undefined
    },
  }
}
