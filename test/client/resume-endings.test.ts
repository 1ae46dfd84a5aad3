import { describe, expect, it } from 'vitest'
import type { SubscribeResponse } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { settle } from './manual-clock.ts'
import { events, header, heartbeat, SPACE, snapshotEnd } from './messages.ts'
import { ENDINGS } from './stream-endings.ts'
import { reading, setUp } from './subscriber.ts'

const AGAIN = { start: 'after_revision', after_revision: '3', space_id: '' }
const SNAPSHOT = { start: 'snapshot', space_id: '' }
const after = (revision: string) => ({ start: 'after_revision', after_revision: revision, space_id: SPACE })
const fromThree = { start: { afterRevision: 3n } } as const
const fromSnapshot = { start: 'snapshot' } as const

/** A place in a stream, what was told before it, what a reader has of it, and what is asked for from there. */
type Place = readonly [
  name: string,
  options: typeof fromThree | typeof fromSnapshot,
  messages: readonly SubscribeResponse[],
  items: readonly string[],
  next: object,
]

const places: readonly Place[] = [
  ['before the header', fromThree, [], [], AGAIN],
  ['after the header', fromThree, [header(3)], ['progress 3'], after('3')],
  ['after a revision', fromThree, [header(3), events(5, 3, [1])], ['progress 3', 'revision 5 1'], after('5')],
  ['in a revision', fromThree, [header(3), events(5, 3, [1], true)], ['progress 3'], after('3')],
  ['after a heartbeat', fromThree, [header(3), heartbeat(40, 3)], ['progress 3', 'progress 40'], after('40')],
  ['before a snapshot', fromSnapshot, [], [], SNAPSHOT],
  ['at the beginning of a snapshot', fromSnapshot, [header(3)], ['snapshotBegin 3'], SNAPSHOT],
  ['in a snapshot', fromSnapshot, [header(3), events(3, 3, [1], true)], ['snapshotBegin 3', 'snapshot 3 1'], SNAPSHOT],
  [
    'after a snapshot',
    fromSnapshot,
    [header(3), events(3, 3, [1]), snapshotEnd(3)],
    ['snapshotBegin 3', 'snapshot 3 1', 'snapshotEnd 3'],
    after('3'),
  ],
]

const cases = places.flatMap((place) => ENDINGS.map((ending) => [ending.name, place[0], ending, place] as const))

/** Longer than three heartbeats and a second, and than any wait. */
const LONG_MS = 20_000

describe('wherever a stream ends', () => {
  it.each(cases)('with %s %s', async (_ending, _place, { follows, end }, [, options, messages, expected, next]) => {
    for (const onLost of ['fail', 'snapshot'] as const) {
      const { subscription, stream, streams, advance } = setUp({ ...options, onLost })
      const { items, end: outcome } = reading(subscription)
      await settle()
      for (const message of messages) stream(0).send(message)
      end?.(stream(0))
      await advance(LONG_MS)
      // Whatever follows, what was told is what came whole.
      expect(items).toEqual(expected)
      if (follows === 'fail' || (follows === 'lost' && onLost === 'fail')) {
        expect(outcome()).toBeInstanceOf(Error)
        expect(streams).toHaveLength(1)
        continue
      }
      expect(outcome()).toBe('reading')
      expect(stream(1).request).toMatchObject(follows === 'lost' ? SNAPSHOT : next)
      expect(subscription.interruptions).toBeGreaterThan(0)
      await subscription.return()
    }
  })
})

const first = [header(3), events(5, 3, [1])]
const broken: readonly (readonly [string, readonly SubscribeResponse[]])[] = [
  ['a message is missing', [events(9, 7, [2])]],
  ['a message comes twice', [events(5, 3, [1])]],
  ['a revision comes twice', [events(5, 5, [1])]],
  ['a message has a lower revision', [events(4, 5, [2])]],
  ['a heartbeat has a lower revision', [heartbeat(4, 5)]],
  ['a heartbeat follows what was not told', [heartbeat(9, 7)]],
  ['a message follows what a heartbeat has not said', [heartbeat(9, 5), events(10, 5, [2])]],
  ['a revision has no end', [events(7, 5, [2], true), events(8, 7, [3])]],
  ['a heartbeat comes in a revision', [events(7, 5, [2], true), heartbeat(7, 7)]],
  ['a header comes again', [{ ...header(6), prev_revision: '5' }]],
  ['a new header comes', [header(6)]],
  ['a snapshot ends that there was not', [snapshotEnd(5)]],
]

describe('a stream that makes no sense', () => {
  it.each(broken)('since %s is left, and asked for again from what was told', async (_name, messages) => {
    const { subscription, stream, advance } = setUp(fromThree)
    const { items, end } = reading(subscription)
    await settle()
    for (const message of [...first, ...messages, events(11, 10, [9])]) stream(0).send(message)
    await advance(100)
    const told = messages.length > 1 && messages[0]?.kind === 'HEARTBEAT' ? '9' : '5'
    expect(stream(0).isCancelled()).toBe(true)
    expect(stream(1).request).toMatchObject(after(told))
    expect(items).toEqual(['progress 3', 'revision 5 1', ...(told === '9' ? ['progress 9'] : [])])
    expect(subscription.gaps).toBe(1)
    expect(end()).toBe('reading')
  })
})
