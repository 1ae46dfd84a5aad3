/** Who had an id when, and by whom. */

/**
 * A revision with its wall time.
 *
 * @example
 * const told = ({ revision, time }: Moment) => `${time.toISOString()} (revision ${revision})`
 */
export interface Moment {
  readonly revision: bigint
  /** The daemon's wall clock. */
  readonly time: Date
}

/**
 * One life of an id, from ALLOC to RECLAIM.
 *
 * @example
 * for await (const life of client.getHistory(4711)) console.log(life.token, life.endedBy ?? 'goes on')
 */
export interface Life {
  /** The token of the set that had it; empty for an anonymous set. */
  readonly token: string
  /** The public number of that set. */
  readonly setId: bigint
  /** Which life; the revision of its beginning. */
  readonly generation: bigint
  readonly from: Moment
  /** undefined: it goes on, or is pending. */
  readonly to: Moment | undefined
  /** Who freed it: who has the set's handle, the end of the set's lease, an operator; undefined: nobody yet. */
  readonly endedBy: 'OWNER' | 'LEASE' | 'OPERATOR' | undefined
  /** The identity whose request allocated it, written as IoasidSet.owner is; empty: not known, or not on record any more. */
  readonly allocatedBy: string
  /** The identity whose request freed it. Empty too while nobody has, and where a lease that ended by time has. */
  readonly freedBy: string
  /** Newest first. */
  readonly bindings: readonly Binding[]
}

/**
 * One binding of an id to a SPID, from BIND to UNBIND.
 *
 * @example
 * const present = life.bindings.find((binding: Binding) => binding.to === undefined)
 */
export interface Binding {
  readonly spid: number
  readonly from: Moment
  /** undefined: it goes on. */
  readonly to: Moment | undefined
  /** The identity whose request bound it; empty as `allocatedBy` of a life is. */
  readonly boundBy: string
  /** The identity whose request unbound it, or freed the id; empty too while nobody has. */
  readonly unboundBy: string
}
