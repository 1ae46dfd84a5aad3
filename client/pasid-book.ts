import type { PasidEntry, TableSet } from './pasid-table-types.ts'
import type { SubscriptionItem } from './subscription-types.ts'
import type { IoasidNotification } from './types.ts'

/**
 * The bookkeeping of a PasidTable, without effects: what the daemon tells goes in, steps come out, and each of them is
 * noted when it begins and when it is through. Between the two an entry may be in hardware, but is not for use.
 */
export interface Book {
  /** The history that the entries belong to; undefined: none was told in whole yet. */
  spaceId: string | undefined
  /** Up to where everything is through. */
  revision: bigint
  /** By ioasid, what may be in hardware: from the beginning of its bind to the end of its unbind. */
  readonly held: Map<number, PasidEntry>
  /** By set and SPID, what may be used: from the end of its bind to the beginning of its unbind. */
  readonly usable: Map<bigint, Map<number, PasidEntry>>
  readonly setOfToken: Map<string, bigint>
  usableCount: number
  /** What a snapshot has shown so far, by ioasid. */
  incoming: { readonly spaceId: string; readonly entries: Map<number, PasidEntry> } | undefined
}

/** What is to be done next; the steps of one item are done in order, each when the one before it is through. */
export type Step =
  | { readonly kind: 'bind'; readonly entry: PasidEntry }
  | {
      readonly kind: 'unbind'
      readonly entry: PasidEntry
      readonly why: 'unbound' | 'missed'
      readonly overrun: boolean
      readonly revision: bigint
    }
  /** spaceId: of which history the revision is. */
  | { readonly kind: 'acknowledge'; readonly revision: bigint; readonly spaceId: string | undefined }
  /** What was to be acknowledged before is of a history that may be gone; the snapshot's revision will do for it. */
  | { readonly kind: 'forgetAcknowledgement' }

export function newBook(): Book {
  return {
    spaceId: undefined,
    revision: 0n,
    held: new Map(),
    usable: new Map(),
    setOfToken: new Map(),
    usableCount: 0,
    incoming: undefined,
  }
}

/** What follows from an item of the subscription. `settle` is for when all of it is done. */
export function receive(book: Book, item: SubscriptionItem): readonly Step[] {
  switch (item.kind) {
    case 'progress':
      return []
    case 'revision':
      return changes(book, item.revision, item.notifications)
    case 'snapshotBegin':
      book.incoming = { spaceId: item.spaceId, entries: new Map() }
      return [{ kind: 'forgetAcknowledgement' }]
    case 'snapshot':
      for (const event of item.notifications) {
        if (event.type === 'BIND') book.incoming?.entries.set(event.ioasid, toEntry(event))
      }
      return []
    case 'snapshotEnd':
      return comparison(book, item.revision)
  }
}

type Bind = Extract<IoasidNotification, { type: 'BIND' }>

function toEntry({ spid, ioasid, token, setId, generation, bindRevision }: Bind): PasidEntry {
  return { spid, ioasid, token, setId, generation, bindRevision }
}

const isSame = (entry: PasidEntry, other: PasidEntry | undefined): boolean =>
  other !== undefined &&
  entry.bindRevision === other.bindRevision &&
  entry.setId === other.setId &&
  entry.spid === other.spid

function changes(book: Book, revision: bigint, notifications: readonly IoasidNotification[]): readonly Step[] {
  const steps: Step[] = []
  /** What the revision has changed so far. */
  const changed = new Map<number, PasidEntry | undefined>()
  let hasTeardown = false
  for (const event of notifications) {
    const { type, ioasid, overrun = false } = event
    if (type !== 'BIND' && type !== 'UNBIND' && type !== 'FREE') continue
    const before = changed.has(ioasid) ? changed.get(ioasid) : book.held.get(ioasid)
    const after = type === 'BIND' ? toEntry(event) : undefined
    changed.set(ioasid, after)
    hasTeardown ||= after === undefined
    if (before !== undefined && isSame(before, after)) continue
    // An id that is bound twice without an UNBIND between was unbound all the same.
    const why = after === undefined ? 'unbound' : 'missed'
    if (before !== undefined) steps.push({ kind: 'unbind', entry: before, why, overrun, revision })
    if (after !== undefined) steps.push({ kind: 'bind', entry: after })
  }
  // Of an id that was never bound too: its FREE may be the word that others wait for.
  if (hasTeardown) steps.push({ kind: 'acknowledge', revision, spaceId: book.spaceId })
  return steps
}

/**
 * What a snapshot shows against what is held. Every unbind goes before every bind: a SPID may have gone from one id to
 * another, and a token from one set to another. In another history equal numbers mean nothing.
 */
function comparison({ spaceId, held, incoming }: Book, revision: bigint): readonly Step[] {
  const steps: Step[] = []
  if (incoming === undefined) return steps
  const stays = (entry: PasidEntry): boolean =>
    spaceId === incoming.spaceId && isSame(entry, incoming.entries.get(entry.ioasid))
  for (const entry of held.values()) {
    if (!stays(entry)) steps.push({ kind: 'unbind', entry, why: 'missed', overrun: false, revision })
  }
  for (const entry of incoming.entries.values()) {
    const before = held.get(entry.ioasid)
    if (before === undefined || !stays(before)) steps.push({ kind: 'bind', entry })
  }
  steps.push({ kind: 'acknowledge', revision, spaceId: incoming.spaceId })
  return steps
}

/** Everything that followed from the item is done. Tells whether the revision of the book has moved. */
export function settle(book: Book, item: SubscriptionItem): boolean {
  if (item.kind === 'snapshotBegin' || item.kind === 'snapshot') return false
  if (item.kind === 'snapshotEnd') {
    book.spaceId = book.incoming?.spaceId
    book.incoming = undefined
  }
  book.revision = item.revision
  return true
}

export function beginBind({ held }: Book, entry: PasidEntry): void {
  held.set(entry.ioasid, entry)
}

export function endBind(book: Book, entry: PasidEntry): void {
  const { usable, setOfToken } = book
  const { setId, spid, token } = entry
  const spids = usable.get(setId) ?? new Map<number, PasidEntry>()
  if (!spids.has(spid)) book.usableCount += 1
  usable.set(setId, spids.set(spid, entry))
  if (token !== '') setOfToken.set(token, setId)
}

/** Of an entry whose bind has failed too. */
export function beginUnbind(book: Book, { setId, spid, token, ioasid }: PasidEntry): void {
  const { usable, setOfToken } = book
  const spids = usable.get(setId)
  if (spids?.get(spid)?.ioasid !== ioasid) return
  spids.delete(spid)
  book.usableCount -= 1
  if (spids.size > 0) return
  usable.delete(setId)
  if (setOfToken.get(token) === setId) setOfToken.delete(token)
}

export function endUnbind({ held }: Book, { ioasid }: PasidEntry): void {
  held.delete(ioasid)
}

export function* usableEntries({ usable }: Book): Generator<PasidEntry, undefined> {
  for (const spids of usable.values()) yield* spids.values()
}

/** The entry of a SPID; without a set that of the only one there can be. */
export function find({ usable, setOfToken }: Book, spid: number, set: TableSet | undefined): PasidEntry | undefined {
  if (set !== undefined) {
    const setId = set.setId ?? setOfToken.get(set.token)
    return setId === undefined ? undefined : usable.get(setId)?.get(spid)
  }
  // Of one token there may be two sets for a moment, but the former has nothing left that may be used.
  for (const spids of usable.values()) {
    const entry = spids.get(spid)
    if (entry !== undefined) return entry
  }
  return undefined
}
