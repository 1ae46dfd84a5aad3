import { expect } from 'vitest'
import type { Entry, Priority } from '../../server/core/event.ts'
import type { LeaseId } from '../../server/core/ids.ts'
import { AGED, idsOf, UNBOUND } from '../../server/core/runs.ts'
import { type Filter, select } from '../../server/engine/filter.ts'
import type { Opened } from '../../server/engine/subscribe.ts'
import type { FeedItem, Told } from '../../server/engine/subscription.ts'
import { ORDER, type WaveModel } from './wave-model.ts'

/** A holder's stream in a test. */
export interface HolderStream {
  readonly leaseId: LeaseId
  readonly priority: Priority
  readonly filter: Filter
  readonly opened: Opened
  /** Everything up to it was told. */
  cursor: number
  isReading: boolean
  /** It stopped with something on its way to it. */
  isStale: boolean
  pending: Promise<FeedItem> | undefined
}

export interface WaveChecks {
  /** What was told now: the next that the log has for it, in its turn or marked. */
  told(stream: HolderStream, item: FeedItem): Promise<void>
  /** Nothing more is told now: there is nothing more, or it must wait. */
  waits(stream: HolderStream): Promise<void>
}

export interface WaveChecksOptions {
  readonly log: readonly Entry[]
  readonly model: WaveModel
  readonly timeoutMs: number
  readonly servingMs: () => Promise<number>
}

export function createWaveChecks({ log, model, timeoutMs, servingMs }: WaveChecksOptions): WaveChecks {
  const nextFor = ({ filter, cursor }: HolderStream) =>
    log.find((entry) => entry.revision > cursor && select(filter, entry).length > 0)
  const blockedFor = ({ filter, priority }: HolderStream, entry: Entry) => {
    const tornDown = select(filter, entry).flatMap((event) => {
      if (event.kind === 'UNBIND') return idsOf(event.runs, UNBOUND)
      return event.kind === 'FREE' ? idsOf(event.runs, AGED) : []
    })
    return model.blocked(entry, tornDown, priority)
  }
  const isDue = async ({ priority }: HolderStream, entry: Entry) =>
    (await servingMs()) >= entry.servingMs + ORDER.indexOf(priority) * timeoutMs

  const entry = async (stream: HolderStream, { revision, events, overrun }: Told) => {
    const next = nextFor(stream)
    expect(revision).toBe(next?.revision)
    if (next === undefined) return
    expect(events).toEqual(select(stream.filter, next))
    const blocked = blockedFor(stream, next)
    const marked = overrun ?? new Set()
    const where = `${stream.priority} at ${revision}`
    // What was made for a reader who stopped was marked by what was true then.
    if (stream.isStale) expect([...marked], where).toEqual(expect.arrayContaining([...blocked]))
    else expect([...marked].toSorted(), where).toEqual([...blocked].toSorted())
    if (marked.size > 0) expect(await isDue(stream, next)).toBe(true)
  }

  const heartbeat = (stream: HolderStream, revision: number) => {
    expect(revision).toBeGreaterThanOrEqual(stream.cursor)
    const next = nextFor(stream)
    if (next !== undefined) expect(revision).toBeLessThan(next.revision)
  }

  return {
    told: async (stream, item) => {
      if (item.kind === 'ended') {
        expect(item.failure?.reason).toBe('LEASE_NOT_FOUND')
        expect(model.isAlive(stream.leaseId)).toBe(false)
        return
      }
      if (item.kind === 'entry') await entry(stream, item)
      else heartbeat(stream, item.revision)
      stream.cursor = item.revision
    },
    waits: async (stream) => {
      expect(model.isAlive(stream.leaseId)).toBe(true)
      const next = nextFor(stream)
      if (next === undefined) return
      const where = `${stream.priority} waits at ${next.revision}`
      expect(blockedFor(stream, next).size, `${where} for nobody`).toBeGreaterThan(0)
      expect(await isDue(stream, next), `${where} for too long`).toBe(false)
    },
  }
}
