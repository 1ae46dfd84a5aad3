import { idsOn } from './id-list.ts'
import type { FrozenIds } from './id-pages.ts'
import type { Ioasid } from './ids.ts'
import { asIoasid } from './ids.ts'
import { findId, type IdRecord, type SetRecord } from './state.ts'

/** The present state of some sets as a subscriber is told of it: every set, then every id. */
export type SnapshotItem =
  | { readonly kind: 'set'; readonly set: SetRecord }
  | { readonly kind: 'ioasid'; readonly set: SetRecord; readonly ioasid: Ioasid; readonly record: IdRecord }

/** Made while it is read: the table must not change meanwhile (freezeIds). */
export function* snapshotItems(table: FrozenIds, sets: readonly SetRecord[]): Generator<SnapshotItem> {
  for (const set of sets) yield { kind: 'set', set }
  for (const set of sets) {
    for (const id of idsOn(table, set.ids)) {
      const record = findId(table, id)
      if (record !== undefined) yield { kind: 'ioasid', set, ioasid: asIoasid(id), record }
    }
  }
}
