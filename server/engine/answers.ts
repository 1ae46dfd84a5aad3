import type { Answer } from '../core/command.ts'
import type { Revision } from '../core/ids.ts'
import { type Mark, type MarkChange, StoreError } from '../store/store.ts'
import { weighAnswer } from './answer-weight.ts'
import { type RequestKey, readKey, writeKey } from './request-digest.ts'

/**
 * Exactly once (contract 2.5): the answers to requests that carried a request_id, kept as marks for the request window,
 * at most so many of them, the oldest going first. In memory there is only where to find each. Those that become durable
 * together share a mark: a store takes about as long for a short one as for a long one.
 */
export interface Answers {
  /** Where the answer is that this request_id got, if it is still kept. */
  find(key: RequestKey, servingMs: number): Place | undefined
  /** Takes an answer, which `seal` gives to the batch of what it answers. About how many bytes it will take there. */
  remember(key: RequestKey, remembered: Remembered): number
  /** Whether `seal` has something to give. */
  readonly isDue: boolean
  /** Marks of the answers since the last call, and some that let go of older ones. */
  seal(): readonly MarkChange[]
  /** Lets go of answers whose time is over, some of them: after a quiet hour a million may be due at once. */
  forget(servingMs: number): void
  /** How far back answers reach now, at most the request window. */
  reachMs(servingMs: number): number
  /** Whether serving time must go on being kept for the sake of an answer. */
  readonly count: number
}

/** An answer among those of its mark. */
export interface Place {
  readonly mark: string
  readonly index: number
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

/** What one mark holds: all of it is read for one answer. */
const ANSWERS_OF_MARK = 64
const BYTES_OF_MARK = 16 << 10

const MARK_PREFIX = 'answer/'

export function isAnswerMark(key: string): boolean {
  return key.startsWith(MARK_PREFIX)
}

/** The answers of a mark, by their index in it. */
export function readAnswers(value: Uint8Array): readonly Remembered[] {
  return parse(value)
}

/**
 * Of marks that are read in the order of their keys while others are added and let go of: the answers up to a revision,
 * at places without a gap, as `restore` wants them.
 */
export function answersUpTo(revision: Revision): (mark: Mark) => readonly Mark[] {
  let place = 0
  return ({ value }) => {
    const kept = parse(value).filter((answer) => answer.revision <= revision)
    if (kept.length === 0) return []
    const key = markKey(place)
    place += kept.length
    return [{ key, value: encode(kept) }]
  }
}

/** Answers that share a mark. */
interface Group {
  readonly mark: string
  /** The place of the first, in the queue of all. */
  readonly first: number
  /** As they will be written; none once they are. */
  kept: Kept[]
  /** About as many as they will take. */
  bytes: number
  /** How many are still kept; the mark goes with the last. */
  left: number
  isSealed: boolean
}

/** Takes up the answers that a store has kept, given in the order of their keys. */
export function createAnswers(limits: AnswerLimits): Answers & { restore(mark: Mark): void } {
  const places = new Map<RequestKey, number>()
  // A queue of all that is kept, the oldest first; `queue[index]` is kept at place `base + index`.
  let queue: { readonly key: RequestKey; readonly servingMs: number; readonly group: Group }[] = []
  let head = 0
  let base = 0
  let unsealed: Group[] = []
  let due: MarkChange[] = []

  const oldest = () => queue[head]
  const count = () => queue.length - head
  const isOver = (servingMs: number) => {
    const first = oldest()
    if (first === undefined) return false
    return count() > limits.requestLimit || first.servingMs + limits.requestWindowMs <= servingMs
  }
  const add = (key: RequestKey, servingMs: number, group: Group) => {
    places.set(key, base + queue.length)
    queue.push({ key, servingMs, group })
    group.left += 1
  }
  const dropOldest = () => {
    const first = oldest()
    if (first === undefined) return
    const { key, group } = first
    // The same request_id may have come again since, after its window: then the newer answer stays.
    if (places.get(key) === base + head) places.delete(key)
    group.left -= 1
    if (group.left === 0 && group.isSealed) due.push({ key: group.mark, value: null })
    head += 1
    if (head > queue.length / 2) {
      queue = queue.slice(head)
      base += head
      head = 0
    }
  }

  const newGroup = (isSealed: boolean): Group => {
    const first = base + queue.length
    return { mark: markKey(first), first, kept: [], bytes: 0, left: 0, isSealed }
  }

  /** The group that takes a further answer of so many bytes. */
  const openGroup = (bytes: number): Group => {
    const last = unsealed.at(-1)
    if (last !== undefined && last.kept.length < ANSWERS_OF_MARK && last.bytes + bytes <= BYTES_OF_MARK) return last
    const group = newGroup(false)
    unsealed.push(group)
    return group
  }

  const drop = (servingMs: number, atMost: number) => {
    for (let dropped = 0; dropped < atMost && isOver(servingMs); dropped++) dropOldest()
  }

  return {
    get count() {
      return count()
    },
    get isDue() {
      return unsealed.length + due.length > 0
    },
    find: (key, servingMs) => {
      const place = places.get(key)
      const kept = place === undefined ? undefined : queue[place - base]
      if (place === undefined || kept === undefined) return undefined
      const { group } = kept
      const isKept = kept.servingMs + limits.requestWindowMs > servingMs
      return isKept ? { mark: group.mark, index: place - group.first } : undefined
    },
    remember: (key, { meaning, servingMs, revision, answer }) => {
      const bytes = weighAnswer(key, answer)
      const group = openGroup(bytes)
      group.kept.push({ key: writeKey(key), meaning, servingMs, revision, answer })
      group.bytes += bytes
      add(key, servingMs, group)
      drop(servingMs, DROPPED_BY_NEW)
      return bytes
    },
    seal: () => {
      const marks = due
      due = []
      for (const group of unsealed) {
        // What the limit has pushed out meanwhile is not written any more.
        if (group.left > 0) marks.push({ key: group.mark, value: encode(group.kept) })
        group.kept = []
        group.isSealed = true
      }
      unsealed = []
      return marks
    },
    forget: (servingMs) => drop(servingMs, DROPPED_BY_BEAT),
    reachMs: (servingMs) => {
      const first = oldest()
      if (first === undefined || count() < limits.requestLimit) return limits.requestWindowMs
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
      const group = newGroup(true)
      for (const { key, servingMs } of parse(value)) add(readKey(key), servingMs, group)
      // The limit may have pushed out a part of the oldest group, whose mark was kept for the rest.
      for (let first = oldest(); first !== undefined && first.group.left > 1; first = oldest()) {
        if (count() <= limits.requestLimit) break
        dropOldest()
      }
    },
  }
}

/** Places in hexadecimal of one length, so that the order of keys is the order of places. */
function markKey(place: number): string {
  return MARK_PREFIX + place.toString(16).padStart(14, '0')
}

/** As it is written. */
interface Kept extends Remembered {
  readonly key: string
}

/** All of them at once, which takes half as long as one by one. */
function encode(answers: readonly Kept[]): Uint8Array {
  return Buffer.from(JSON.stringify(answers))
}

function parse(value: Uint8Array): readonly Kept[] {
  const kept: Kept | readonly Kept[] = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.length).toString())
  // In data of format 1 a mark may be one answer.
  return 'key' in kept ? [kept] : kept
}
