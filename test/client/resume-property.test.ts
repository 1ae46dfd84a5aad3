import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { SubscribeResponse } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { settle } from './manual-clock.ts'
import { events, header, heartbeat, snapshotEnd } from './messages.ts'
import { ENDINGS, type StreamEnding } from './stream-endings.ts'
import { reading, setUp } from './subscriber.ts'

/** What a daemon has to tell: by revision, from 1 on, how many messages; an id each, that no other has. */
type Log = readonly number[]

interface Served {
  /** How far the daemon is by then, in tenths of its log. */
  readonly tenths: number
  /** So many messages at most. */
  readonly sent: number
  readonly flaw: 'none' | 'missing' | 'twice' | 'again' | 'lower' | 'stranger'
  readonly flawAt: number
  readonly ending: StreamEnding
}

const idsOf = (log: Log, revision: number): number[] =>
  Array.from({ length: log[revision - 1] ?? 0 }, (_, part) => revision * 10 + part)

/** What a right daemon would say to this request. */
function answerTo(log: Log, request: Record<string, unknown>, newest: number): SubscribeResponse[] {
  const isSnapshot = request['start'] === 'snapshot'
  const from = request['start'] === 'after_revision' ? Number(request['after_revision']) : newest
  const messages: SubscribeResponse[] = [header(isSnapshot ? newest : from)]
  if (isSnapshot) {
    for (let revision = 1; revision <= newest; revision++) {
      for (const id of idsOf(log, revision)) messages.push(events(newest, newest, [id]))
    }
    messages.push(snapshotEnd(newest))
  }
  let last = from
  for (let revision = from + 1; revision <= Math.max(newest, from); revision++) {
    const ids = idsOf(log, revision)
    ids.forEach((id, part) => {
      messages.push(events(revision, last, [id], part < ids.length - 1))
      last = revision
    })
    if (ids.length > 0 || revision % 3 !== 0) continue
    messages.push(heartbeat(revision, last))
    last = revision
  }
  return messages
}

/**
 * A flaw between revisions can be seen. One among the parts of a snapshot, or among those of a revision that are neither
 * the first nor the last, cannot: they all have the same two revisions.
 */
function withFlaw(messages: readonly SubscribeResponse[], { flaw, flawAt }: Served): SubscribeResponse[] {
  const isVisible = ({ kind, revision, prev_revision }: SubscribeResponse) =>
    (kind === 'HEADER' && revision !== '0') ||
    (revision !== prev_revision && (kind === 'NOTIFICATIONS' || kind === 'HEARTBEAT'))
  const places = messages.flatMap((message, index) => (isVisible(message) ? [index] : []))
  const at = places[flawAt % Math.max(1, places.length)]
  const message = messages[at ?? 0]
  if (at === undefined || message === undefined || flaw === 'none') return [...messages]
  const [before, rest] = [messages.slice(0, at), messages.slice(at + 1)]
  switch (flaw) {
    case 'missing':
      return [...before, ...rest]
    case 'twice':
      return [...before, message, message, ...rest]
    case 'again':
      // After the beginning of a revision, or of a snapshot, it would be a part of it.
      return message.more || message.kind === 'HEADER'
        ? [...messages]
        : [...before, message, events(Number(message.revision), Number(message.revision), [1]), ...rest]
    case 'lower':
      return [...before, message, events(Number(message.revision) - 1, Number(message.revision), [1]), ...rest]
    case 'stranger':
      return [...before, message, snapshotEnd(0, Number(message.revision) + 1), ...rest]
  }
}

/** The items of a reader, looked at one after the other; where he is after them. */
function follow(log: Log, items: readonly string[], from: number | undefined): number | undefined {
  let at = from
  let snapshot: string[] | undefined
  for (const item of items) {
    const [kind, number, ids = ''] = item.split(' ')
    const revision = Number(number)
    if (kind === 'snapshotBegin') snapshot = []
    else if (kind === 'snapshot') snapshot?.push(ids)
    else if (kind === 'snapshotEnd') {
      const whole = Array.from({ length: revision }, (_, index) => idsOf(log, index + 1)).flat()
      expect(snapshot?.join(',')).toBe(whole.join(','))
      snapshot = undefined
      at = revision
    } else {
      // Neither in a snapshot nor out of order, and nothing was left out.
      expect(snapshot).toBeUndefined()
      expect(revision).toBeGreaterThanOrEqual(at ?? 0)
      const last = kind === 'revision' ? revision - 1 : revision
      for (let missed = (at ?? last) + 1; missed <= last; missed++) expect(idsOf(log, missed)).toEqual([])
      if (kind === 'revision') {
        expect(revision).not.toBe(at)
        expect(ids).toBe(idsOf(log, revision).join(','))
      }
      at = revision
    }
  }
  return snapshot === undefined ? at : undefined
}

const served = fc.record<Served>({
  tenths: fc.integer({ min: 0, max: 10 }),
  sent: fc.integer({ min: 0, max: 30 }),
  flaw: fc.constantFrom('none', 'none', 'missing', 'twice', 'again', 'lower', 'stranger'),
  flawAt: fc.nat({ max: 30 }),
  ending: fc.constantFrom(...ENDINGS.filter(({ follows }) => follows !== 'fail'), ...ENDINGS.slice(-2)),
})

const LONG_MS = 20_000

it('a reader sees the revisions in order, each once, none missing, and snapshots whole, whatever streams it comes by', async () => {
  const logs = fc.array(fc.constantFrom(0, 0, 1, 2, 4), { minLength: 1, maxLength: 14 })
  const starts = fc.constantFrom('snapshot', 'now', 'zero')
  // Four, so that an INTERNAL is seldom the fifth in a row.
  const streamsServed = fc.array(served, { maxLength: 4 })
  const property = fc.asyncProperty(logs, starts, streamsServed, async (log, start, before) => {
    const from = start === 'zero' ? ({ afterRevision: 0n } as const) : start
    const { subscription, streams, stream, advance } = setUp({ start: from, onLost: 'snapshot' })
    const { items, end } = reading(subscription)
    let newest = 0
    for (const each of before) {
      await settle()
      if (end() !== 'reading') break
      newest = Math.max(newest, Math.floor((log.length * each.tenths) / 10))
      const current = stream(streams.length - 1)
      const messages = withFlaw(answerTo(log, current.request, newest), each)
      for (const message of messages.slice(0, each.sent)) current.send(message)
      each.ending.end?.(current)
      await advance(each.ending.end === undefined ? LONG_MS : 3_000)
    }
    const isOver = end() !== 'reading'
    if (!isOver) {
      const current = stream(streams.length - 1)
      for (const message of answerTo(log, current.request, log.length)) current.send(message)
      await settle()
    }
    const at = follow(log, items, start === 'zero' ? 0 : undefined)
    // A flawed stream that falls silent is two; and of five in a row that moved nothing the last may end it all.
    const mayBeOver = streams.length >= 5 || before.some(({ ending }) => ending.follows === 'fail')
    if (isOver) expect(mayBeOver).toBe(true)
    else expect(at === undefined ? [] : lacking(log, at)).toEqual([])
    // There is none before anything was told, nor from where the history was lost until the next snapshot is whole.
    const { cursor } = subscription
    if (at !== undefined && cursor !== undefined) expect(cursor.revision).toBe(BigInt(at))
    await subscription.return()
  })
  await fc.assert(property, { numRuns: 300 })
}, 60_000)

/** What is still to be told after a revision. */
const lacking = (log: Log, at: number): number[] =>
  log.flatMap((parts, index) => (index + 1 > at && parts > 0 ? [index + 1] : []))
