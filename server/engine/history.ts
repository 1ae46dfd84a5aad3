import type { EndedBy, Entry } from '../core/event.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Revision, SetId } from '../core/ids.ts'
import {
  bindingBefore,
  endedBinding,
  endedLife,
  lifeBefore,
  type PastBinding,
  type PastLife,
  presentOf,
} from '../core/look-back.ts'
import { ioasidNotFound } from '../core/lookup.ts'
import type { State } from '../core/state.ts'
import type { Store } from '../store/store.ts'
import { createHistoryReader, type HistoryReader } from './history-reader.ts'
import { createTurnstile } from './turnstile.ts'

/**
 * Who had an id when: its lives, newest first, read backwards through the log along what stands in it (core/past.ts), as
 * far as the log is kept.
 */
export type History = (
  ioasid: number,
  from: HistoryCursor | undefined,
  maxLives: number,
) => Promise<readonly LifeView[] | Failure>

/** A revision with its wall time, ms. */
export interface Moment {
  readonly revision: number
  readonly wallMs: number
}

export interface LifeView {
  readonly token: string
  readonly setId: SetId
  readonly from: Moment
  /** undefined: it goes on, or is pending. */
  readonly to: Moment | undefined
  /** undefined: nobody has freed it. */
  readonly endedBy: EndedBy | undefined
  /** Identities; empty: not known, or not on record any more, or no caller's doing. */
  readonly allocatedBy: string
  readonly freedBy: string
  /** Newest first; the rest of them where `next` is in this life. */
  readonly bindings: readonly BindingView[]
  /** Where reading goes on; undefined: there is no more. */
  readonly next: HistoryCursor | undefined
}

export interface BindingView {
  readonly spid: number
  readonly from: Moment
  /** undefined: it goes on. */
  readonly to: Moment | undefined
  /** Identities, as of a life. */
  readonly boundBy: string
  readonly unboundBy: string
}

/** A place in an id's past. */
export interface HistoryCursor {
  /** The RECLAIM of a life; 0: of the one that is not over. */
  readonly reclaim: number
  /** In the middle of it, the UNBIND of its next binding; 0: where it begins. */
  readonly unbind: number
  /** Of the life in whose middle it is. */
  readonly generation: number
}

export interface HistoryOptions {
  readonly store: Store
  readonly read: <Value>(query: (state: State) => Value) => Promise<Value | Failure>
  readonly compactRevision: () => Revision
  readonly soon: (callback: () => void) => void
}

/** Of one page, all lives together: a life with more of them goes on on the next one. */
const MAX_BINDINGS = 1000

export function createHistory({ read, soon, ...options }: HistoryOptions): History {
  const nextTurn = createTurnstile(soon, 1)
  return async (ioasid, from, maxLives) => {
    const present = await read((state) => ({
      ...presentOf(state, ioasid),
      failure: ioasid < state.config.capacity ? undefined : ioasidNotFound(ioasid),
    }))
    if (isFailure(present)) return present
    if (present.failure !== undefined) return present.failure

    const reader = createHistoryReader(options, nextTurn)
    const walk = createWalk(ioasid, reader)
    const newest = await walk.newest(present)
    let life = from === undefined ? newest : await walk.lifeAt(newest, from)
    let unbind = from === undefined || from.unbind === 0 ? undefined : from.unbind
    let bindingsLeft = MAX_BINDINGS
    const lives: LifeView[] = []
    while (
      life !== undefined &&
      lives.length < maxLives &&
      bindingsLeft > 0 &&
      (lives.length === 0 || !reader.isEnough)
    ) {
      const { past, to, reclaim, open } = life
      // In the middle of a life, what goes on was told on the page before.
      const first = unbind === undefined ? open : []
      const ended = await walk.bindings(unbind ?? life.unbind, bindingsLeft - first.length)
      const bindings = [...first, ...ended.bindings]
      bindingsLeft -= bindings.length
      unbind = undefined
      const allocatedBy = await walk.actorAt(past.generation)
      const behind = ended.next > 0 ? undefined : await walk.behind(life)
      const next = behind === undefined ? undefined : { reclaim: behind.reclaim, unbind: 0, generation: 0 }
      const inside = ended.next > 0 ? { reclaim, unbind: ended.next, generation: past.generation } : undefined
      lives.push({
        token: past.set.token,
        setId: past.set.setId,
        from: { revision: past.generation, wallMs: past.allocatedWallMs },
        to,
        endedBy: past.freed?.by,
        allocatedBy,
        freedBy: await walk.freedBy(life),
        bindings,
        next: inside ?? next,
      })
      life = behind
    }
    return lives
  }
}

/** A life on the way back. */
interface Life {
  readonly past: PastLife
  readonly to: Moment | undefined
  /** Its RECLAIM; 0: it is not over. */
  readonly reclaim: number
  /** Who made it RECLAIM. */
  readonly reclaimedBy: string
  /** A binding that goes on. */
  readonly open: readonly BindingView[]
  /** The UNBIND of the newest one that has ended; 0: none is on record. */
  readonly unbind: number
}

function createWalk(ioasid: number, reader: HistoryReader) {
  const { read } = reader
  const ended = async (reclaim: number): Promise<Life | undefined> => {
    const entry = await read(reclaim)
    const past = entry === undefined ? undefined : endedLife(entry, ioasid)
    if (entry === undefined || past === undefined) return undefined
    return { past, to: momentOf(entry), reclaim, reclaimedBy: actorOf(entry), open: [], unbind: past.lastUnbind }
  }

  const actorAt = async (revision: number): Promise<string> => actorOf(await read(revision))

  /** Who bound it, and the UNBIND before its BIND, in the same life. */
  const beginning = async ({ bindRevision }: PastBinding) => {
    const entry = await read(bindRevision)
    return { boundBy: actorOf(entry), before: entry === undefined ? 0 : bindingBefore(entry, ioasid) }
  }

  const behind = async ({ past }: Life): Promise<Life | undefined> => {
    const entry = await read(past.generation)
    return entry === undefined ? undefined : await ended(lifeBefore(entry, ioasid))
  }

  return {
    behind,
    actorAt,
    /** Where it was pending, its RECLAIM is the doing of who let go last. */
    freedBy: async ({ past: { freed }, reclaimedBy }: Life): Promise<string> => {
      return freed === undefined || freed.revision === 0 ? reclaimedBy : await actorAt(freed.revision)
    },

    newest: async ({ life, binding, lastReclaim }: ReturnType<typeof presentOf>): Promise<Life | undefined> => {
      if (life === undefined) return await ended(lastReclaim)
      const present = { past: life, to: undefined, reclaim: 0, reclaimedBy: '' }
      if (binding === undefined) return { ...present, open: [], unbind: life.lastUnbind }
      const { boundBy, before } = await beginning(binding)
      const open = [{ spid: binding.spid, from: beginOf(binding), to: undefined, boundBy, unboundBy: '' }]
      return { ...present, open, unbind: before }
    },

    lifeAt: async (newest: Life | undefined, { reclaim, generation }: HistoryCursor): Promise<Life | undefined> => {
      if (reclaim > 0) return await ended(reclaim)
      // It was not over when the page before was made. It may be by now, and others may have come after it.
      let life = newest
      while (life !== undefined && life.past.generation > generation) life = await behind(life)
      return life
    },

    bindings: async (from: number, most: number) => {
      const bindings: BindingView[] = []
      let unbind = from
      while (unbind > 0 && bindings.length < most && (bindings.length === 0 || !reader.isEnough)) {
        const entry = await read(unbind)
        const binding = entry === undefined ? undefined : endedBinding(entry, ioasid)
        if (entry === undefined || binding === undefined) return { bindings, next: 0 }
        const { boundBy, before } = await beginning(binding)
        const span = { from: beginOf(binding), to: momentOf(entry) }
        bindings.push({ spid: binding.spid, ...span, boundBy, unboundBy: actorOf(entry) })
        unbind = before
      }
      const isKept = (await read(unbind)) !== undefined
      return { bindings, next: isKept ? unbind : 0 }
    },
  }
}

function momentOf({ revision, wallMs }: Entry): Moment {
  return { revision, wallMs }
}

function actorOf(entry: Entry | undefined): string {
  return entry?.actor ?? ''
}

function beginOf({ bindRevision, boundWallMs }: PastBinding): Moment {
  return { revision: bindRevision, wallMs: boundWallMs }
}
