import type { SetRef } from '../../server/core/command.ts'
import { type Failure, isFailure } from '../../server/core/failure.ts'
import { asLeaseId, asSetId, asSpid, NO_LEASE, NO_SET } from '../../server/core/ids.ts'
import {
  BEFORE_ALL,
  findBySpid,
  getIoasid,
  getLease,
  getSet,
  type IdCursor,
  listIoasids,
  listLeases,
  listSets,
  status,
} from '../../server/core/query.ts'
import type { State } from '../../server/core/state.ts'
import type { IoasidView } from '../../server/core/view.ts'
import { allIds, type Model, type ModelSet, restingUntil, show, sum, unreservedOf, usableIds } from './model.ts'
import { showId, showLease, showSet } from './model-show.ts'

/** What is asked of both sides, so that everything they let see can be compared. */
export interface Probe {
  readonly ids: readonly number[]
  readonly spids: readonly number[]
  /** Numbers of sets, live or not. */
  readonly setIds: readonly number[]
  /** Numbers of leases, live or not. */
  readonly leaseIds: readonly number[]
  /** The set whose handle is presented with every id. */
  readonly presented: number
  readonly tokens: readonly string[]
  readonly prefix: string
  readonly pageSize: number
  /** Where a page ended some time ago; what it ended with may be gone. */
  readonly after: IdCursor
}

const SET_NOT_FOUND = { refused: 'SET_NOT_FOUND', facts: {} }

/** Everything that the core's queries show. */
export function observeCore(state: State, probe: Probe): object {
  const { prefix, pageSize } = probe
  const refs: SetRef[] = [
    ...probe.tokens.map((token) => ({ token })),
    ...probe.setIds.map((setId) => ({ setId: asSetId(setId) })),
  ]
  return {
    status: status(state),
    listed: pages(NO_SET, (after) => {
      const { items, more } = listSets(state, prefix, after, pageSize)
      return { items, more, last: items.at(-1)?.setId ?? after }
    }),
    sets: refs.map((ref) => orRefusal(getSet(state, ref))),
    ids: probe.ids.map((id) => orRefusal(getIoasid(state, id, undefined), showView)),
    presented: probe.ids.map((id) => orRefusal(getIoasid(state, id, asSetId(probe.presented)), showView)),
    found: refs.map((ref) => probe.spids.map((spid) => orRefusal(findBySpid(state, ref, asSpid(spid)), showView))),
    leases: probe.leaseIds.map((leaseId) => orRefusal(getLease(state, asLeaseId(leaseId)))),
    listedLeases: pages(NO_LEASE, (after) => {
      const { items, more } = listLeases(state, after, pageSize)
      return { items, more, last: items.at(-1)?.leaseId ?? after }
    }),
    resumed: refs.map((ref) => {
      const page = listIoasids(state, ref, probe.after, pageSize)
      return isFailure(page) ? orRefusal(page) : { items: page.items.map(showView), more: page.more }
    }),
    lists: refs.map((ref) => {
      const first = listIoasids(state, ref, BEFORE_ALL, pageSize)
      if (isFailure(first)) return orRefusal(first)
      return pages<IdCursor, object>(BEFORE_ALL, (after) => {
        const page = listIoasids(state, ref, after, pageSize)
        if (isFailure(page)) throw new Error('the set is gone between two pages')
        return { items: page.items.map(showView), more: page.more, last: page.items.at(-1) ?? after }
      })
    }),
  }
}

/** The same, from the model. */
export function observeModel(model: Model, probe: Probe): object {
  const { prefix, pageSize } = probe
  const ids = allIds(model)
  const byRef = [
    ...probe.tokens.map((token) => model.sets.find((set) => set.token === token && token !== '')),
    ...probe.setIds.map((setId) => model.sets.find((set) => set.setId === setId)),
  ]
  const find = (set: ModelSet | undefined, spid: number) => {
    if (set === undefined) return SET_NOT_FOUND
    const id = set.ids.find((each) => each.spid === spid)
    if (id === undefined) {
      return { refused: 'SPID_NOT_FOUND', facts: { set_id: String(set.setId), spid: String(spid) } }
    }
    return showId(model, set, id)
  }
  const get = (ioasid: number, presented: number | undefined) => {
    if (presented !== undefined && !model.sets.some((set) => set.setId === presented)) return SET_NOT_FOUND
    const found = ids.find(({ id }) => id.ioasid === ioasid)
    if (found === undefined) return { refused: 'IOASID_NOT_FOUND', facts: { ioasid: String(ioasid) } }
    const isWrong = presented !== undefined && found.set.setId !== presented
    return isWrong ? { refused: 'WRONG_SET', facts: { ioasid: String(ioasid) } } : showId(model, found.set, found.id)
  }
  return {
    status: {
      capacity: model.config.capacity,
      reserved: sum(model.sets.map((set) => set.quota)),
      available: unreservedOf(model),
      sets: model.sets.length,
      allocated: ids.length,
      freePending: ids.filter(({ id }) => id.isPending).length,
      resting: usableIds(model.config).filter((id) => restingUntil(model, id) !== undefined).length,
      leases: model.leases.length,
      revision: model.revision,
    },
    listed: slices(model.sets.filter((set) => prefix === '' || set.token.startsWith(prefix)).map(showSet), pageSize),
    sets: byRef.map((set) => (set === undefined ? SET_NOT_FOUND : showSet(set))),
    ids: probe.ids.map((id) => get(id, undefined)),
    presented: probe.ids.map((id) => get(id, probe.presented)),
    found: byRef.map((set) => probe.spids.map((spid) => find(set, spid))),
    leases: probe.leaseIds.map((leaseId) => {
      const lease = model.leases.find((each) => each.leaseId === leaseId)
      return lease === undefined ? { refused: 'LEASE_NOT_FOUND', facts: {} } : showLease(model, lease)
    }),
    listedLeases: slices(
      model.leases.map((lease) => showLease(model, lease)),
      pageSize,
    ),
    resumed: byRef.map((set) => {
      if (set === undefined) return SET_NOT_FOUND
      const later = set.ids.filter(({ generation, ioasid }) => isAfter(probe.after, generation, ioasid))
      return { items: later.slice(0, pageSize).map((id) => showId(model, set, id)), more: later.length > pageSize }
    }),
    lists: byRef.map((set) =>
      set === undefined
        ? SET_NOT_FOUND
        : slices(
            set.ids.map((id) => showId(model, set, id)),
            pageSize,
          ),
    ),
  }
}

function isAfter(cursor: IdCursor, generation: number, ioasid: number): boolean {
  return generation > cursor.generation || (generation === cursor.generation && ioasid > cursor.ioasid)
}

function slices<Item>(items: readonly Item[], size: number): Item[][] {
  const pages: Item[][] = []
  for (let first = 0; first === 0 || first < items.length; first += size) pages.push(items.slice(first, first + size))
  return pages
}

/** Follows a list to its end. */
function pages<Cursor, Item>(
  begin: Cursor,
  read: (after: Cursor) => { readonly items: readonly Item[]; readonly more: boolean; readonly last: Cursor },
): (readonly Item[])[] {
  const found: (readonly Item[])[] = []
  let after = begin
  for (;;) {
    const { items, more, last } = read(after)
    found.push(items)
    if (!more) return found
    if (items.length === 0) throw new Error('a page is empty, but not the last one')
    after = last
  }
}

function showView(view: IoasidView): object {
  return { ...view, privateData: show(view.privateData) }
}

function orRefusal<Value extends object>(value: Value | Failure, present: (value: Value) => object = (same) => same) {
  return isFailure(value) ? { refused: value.reason, facts: value.metadata } : present(value)
}
