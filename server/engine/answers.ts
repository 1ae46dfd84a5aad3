import type { Answer } from '../core/command.ts'
import { asRevision, type Revision } from '../core/ids.ts'
import { type Mark, type MarkChange, StoreError } from '../store/store.ts'
import type { RequestKey } from './request-digest.ts'

/**
 * Exactly once (contract 2.5): the answers to requests that carried a request_id, kept as marks for the request window,
 * at most so many of them, the oldest going first. In memory there is only where to find each.
 */
export interface Answers {
  /** The place of the answer that this request_id got, if it is still kept; a place is good for `read`. */
  find(key: RequestKey, servingMs: number): string | undefined
  /** Marks that keep an answer, and let go of older ones; they belong in the batch of what it answers. */
  remember(key: RequestKey, remembered: Remembered): readonly MarkChange[]
  /** Marks that let go of answers whose time is over, some of them: after a quiet hour a million may be due at once. */
  forget(servingMs: number): readonly MarkChange[]
  /** How far back answers reach now, at most the request window. */
  reachMs(servingMs: number): number
  /** Whether serving time must go on being kept for the sake of an answer. */
  readonly count: number
}

export interface Remembered {
  /** meaningOf the command: the same request_id with another meaning is a mistake of the caller. */
  readonly meaning: number
  readonly servingMs: number
  readonly revision: Revision
  readonly answer: Answer
}

export interface AnswerLimits {
  readonly requestWindowMs: number
  readonly requestLimit: number
}

/** Old answers that go with one new one, and on one beat, at most. */
const DROPPED_BY_NEW = 64
const DROPPED_BY_BEAT = 4096

const MARK_PREFIX = 'answer/'

export function isAnswerMark(key: string): boolean {
  return key.startsWith(MARK_PREFIX)
}

export function readAnswer(value: Uint8Array): Remembered {
  const { meaning, servingMs, revision, answer } = parse(value)
  return { meaning, servingMs, revision: asRevision(revision), answer }
}

/** Takes up the answers that a store has kept, given in the order of their keys. */
export function createAnswers(limits: AnswerLimits): Answers & { restore(mark: Mark): void } {
  const places = new Map<RequestKey, number>()
  // A queue of all that is kept, the oldest first; `queue[index]` is kept at place `base + index`.
  let queue: { readonly key: RequestKey; readonly servingMs: number }[] = []
  let head = 0
  let base = 0

  const oldest = () => queue[head]
  const isOver = (servingMs: number) => {
    const first = oldest()
    if (first === undefined) return false
    return queue.length - head > limits.requestLimit || first.servingMs + limits.requestWindowMs <= servingMs
  }
  const add = (key: RequestKey, servingMs: number) => {
    const place = base + queue.length
    queue.push({ key, servingMs })
    places.set(key, place)
    return place
  }
  const dropOldest = () => {
    const key = oldest()?.key
    const place = base + head
    // The same request_id may have come again since, after its window: then the newer answer stays.
    if (key !== undefined && places.get(key) === place) places.delete(key)
    head += 1
    if (head > queue.length / 2) {
      queue = queue.slice(head)
      base += head
      head = 0
    }
    return place
  }

  const drop = (servingMs: number, atMost: number) => {
    const changes: MarkChange[] = []
    while (changes.length < atMost && isOver(servingMs)) changes.push({ key: markKey(dropOldest()), value: null })
    return changes
  }

  return {
    get count() {
      return queue.length - head
    },
    find: (key, servingMs) => {
      const place = places.get(key)
      const kept = place === undefined ? undefined : queue[place - base]
      if (place === undefined || kept === undefined) return undefined
      return kept.servingMs + limits.requestWindowMs > servingMs ? markKey(place) : undefined
    },
    remember: (key, remembered) => {
      const place = add(key, remembered.servingMs)
      const kept = { key: markKey(place), value: encode(key, remembered) }
      return [kept, ...drop(remembered.servingMs, DROPPED_BY_NEW)]
    },
    forget: (servingMs) => drop(servingMs, DROPPED_BY_BEAT),
    reachMs: (servingMs) => {
      const first = oldest()
      if (first === undefined || queue.length - head < limits.requestLimit) return limits.requestWindowMs
      // The limit pushes answers out before their time, so they reach back to the oldest that is left.
      // An answer may be older than the clock that was kept: after a crash serving time starts a little earlier.
      return Math.min(limits.requestWindowMs, Math.max(0, servingMs - first.servingMs))
    },
    restore: ({ key, value }) => {
      const place = Number.parseInt(key.slice(MARK_PREFIX.length), 16)
      if (queue.length === 0) base = place
      // Places are given out one after another and let go of from the oldest on, in the same batches as they are written.
      if (place !== base + queue.length) {
        throw new StoreError('DAMAGED', `the data are damaged: an answer is missing before ${key}; restore a backup`)
      }
      const kept = parse(value)
      add(kept.key, kept.servingMs)
    },
  }
}

/** Places in hexadecimal of one length, so that the order of keys is the order of places. */
function markKey(place: number): string {
  return MARK_PREFIX + place.toString(16).padStart(14, '0')
}

interface Kept extends Remembered {
  readonly key: RequestKey
}

function encode(key: RequestKey, remembered: Remembered): Uint8Array {
  return Buffer.from(JSON.stringify({ key, ...remembered } satisfies Kept))
}

function parse(value: Uint8Array): Kept {
  return JSON.parse(Buffer.from(value).toString())
}
