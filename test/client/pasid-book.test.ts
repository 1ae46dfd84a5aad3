import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { IoasidNotification, SubscriptionItem } from '../../client/index.ts'
import {
  type Book,
  beginBind,
  beginUnbind,
  endBind,
  endUnbind,
  find,
  newBook,
  receive,
  type Step,
  settle,
  usableEntries,
} from '../../client/pasid-book.ts'

const SPACE = 'space-1'
type Of<Type extends string> = Extract<IoasidNotification, { type: Type }>

const head = (revision: bigint) => ({ revision, token: 'vm-a', setId: 1n, snapshot: false, generation: 1n })
const bind = (revision: bigint, ioasid: number, spid: number, rest: Partial<Of<'BIND'>> = {}): Of<'BIND'> => ({
  type: 'BIND',
  ...head(revision),
  ioasid,
  spid,
  bindRevision: revision,
  ...rest,
})
const unbind = (revision: bigint, ioasid: number, spid: number, bindRevision: bigint): Of<'UNBIND'> => ({
  type: 'UNBIND',
  ...head(revision),
  ioasid,
  spid,
  bindRevision,
  overrun: false,
})
const free = (revision: bigint, ioasid: number): Of<'FREE'> => ({
  type: 'FREE',
  ...head(revision),
  ioasid,
  overrun: false,
})
const change = (revision: bigint, ...notifications: IoasidNotification[]): SubscriptionItem => ({
  kind: 'revision',
  revision,
  notifications,
})
const snapshot = (revision: bigint, binds: IoasidNotification[], spaceId = SPACE): SubscriptionItem[] => [
  { kind: 'snapshotBegin', revision, spaceId },
  ...binds.map((each): SubscriptionItem => ({ kind: 'snapshot', revision, notifications: [each] })),
  { kind: 'snapshotEnd', revision },
]

/** Does what the book says, as a table does whose handlers succeed; what that was, in words. */
function doAll(book: Book, ...items: SubscriptionItem[]): string[] {
  const done: string[] = []
  for (const item of items) {
    for (const step of receive(book, item)) {
      if (step.kind === 'bind') {
        beginBind(book, step.entry)
        endBind(book, step.entry)
      }
      if (step.kind === 'unbind') {
        beginUnbind(book, step.entry)
        endUnbind(book, step.entry)
      }
      if (step.kind !== 'forgetAcknowledgement') done.push(inWords(step))
    }
    settle(book, item)
  }
  return done
}

function inWords(step: Step): string {
  if (step.kind === 'bind') return `bind ${step.entry.spid}→${step.entry.ioasid}`
  if (step.kind === 'unbind') return `${step.why} ${step.entry.spid}→${step.entry.ioasid}`
  return step.kind === 'acknowledge' ? `acknowledge ${step.revision}` : step.kind
}

const table = (book: Book) => [...usableEntries(book)].map(({ spid, ioasid }) => `${spid}→${ioasid}`).sort()

describe('the book of a table', () => {
  it('binds and unbinds in the order of events, and acknowledges a revision last, if it has a teardown', () => {
    const book = newBook()
    doAll(book, ...snapshot(10n, []))
    expect(doAll(book, change(11n, bind(11n, 7, 101)))).toEqual(['bind 101→7'])
    const item = change(12n, unbind(12n, 7, 101, 11n), free(12n, 7), bind(12n, 8, 101))
    expect(doAll(book, item)).toEqual(['unbound 101→7', 'bind 101→8', 'acknowledge 12'])
    expect(table(book)).toEqual(['101→8'])
  })

  it('acknowledges a FREE without an UNBIND, and a snapshot, and nothing else', () => {
    const book = newBook()
    expect(doAll(book, ...snapshot(10n, [bind(9n, 7, 101)]))).toEqual(['bind 101→7', 'acknowledge 10'])
    expect(doAll(book, { kind: 'progress', revision: 11n })).toEqual([])
    expect(doAll(book, change(12n, bind(12n, 8, 102)))).toEqual(['bind 102→8'])
    expect(doAll(book, change(13n, free(13n, 9)))).toEqual(['acknowledge 13'])
    expect(book.revision).toBe(13n)
  })

  it('has an entry for use only between the end of its bind and the beginning of its unbind', () => {
    const book = newBook()
    const entry = { spid: 101, ioasid: 7, token: 'vm-a', setId: 1n, generation: 1n, bindRevision: 9n }
    beginBind(book, entry)
    expect([find(book, 101, undefined), book.held.size, book.usableCount]).toEqual([undefined, 1, 0])
    endBind(book, entry)
    expect([find(book, 101, undefined), book.held.size, book.usableCount]).toEqual([entry, 1, 1])
    beginUnbind(book, entry)
    expect([find(book, 101, undefined), book.held.size, book.usableCount]).toEqual([undefined, 1, 0])
    endUnbind(book, entry)
    expect(book).toEqual(newBook())
  })

  it('unbinds what a snapshot does not show any more, and what it shows bound anew, before it binds anything', () => {
    const book = newBook()
    doAll(book, ...snapshot(10n, [bind(4n, 1, 101), bind(5n, 2, 102), bind(6n, 3, 103), bind(7n, 4, 104)]))
    // 101 was bound anew to the same id; 102 has moved to another one; 103 has gone; 104 is as it was.
    const after = snapshot(20n, [bind(15n, 1, 101), bind(16n, 9, 102), bind(7n, 4, 104)])
    expect(doAll(book, ...after)).toEqual([
      'missed 101→1',
      'missed 102→2',
      'missed 103→3',
      'bind 101→1',
      'bind 102→9',
      'acknowledge 20',
    ])
    expect(table(book)).toEqual(['101→1', '102→9', '104→4'])
  })

  it('unbinds everything where the history is another one, though the numbers are the same', () => {
    const book = newBook()
    doAll(book, ...snapshot(10n, [bind(4n, 1, 101)]))
    expect(doAll(book, ...snapshot(10n, [bind(4n, 1, 101)], 'space-2'))).toEqual([
      'missed 101→1',
      'bind 101→1',
      'acknowledge 10',
    ])
    expect(doAll(book, ...snapshot(11n, [bind(4n, 1, 101)], 'space-2'))).toEqual(['acknowledge 11'])
  })

  it('has done nothing of a snapshot that is cut off', () => {
    const book = newBook()
    doAll(book, ...snapshot(10n, [bind(4n, 1, 101)]))
    const [begin, part] = snapshot(20n, [bind(15n, 2, 102)])
    expect(doAll(book, ...[begin, part].flatMap((item) => item ?? []))).toEqual([])
    expect(book.revision).toBe(10n)
    expect(doAll(book, ...snapshot(21n, []))).toEqual(['missed 101→1', 'acknowledge 21'])
  })

  it('forgets what it had to acknowledge when a snapshot begins: it may be of another history', () => {
    const [begin] = snapshot(20n, [])
    expect(begin && receive(newBook(), begin)).toEqual([{ kind: 'forgetAcknowledgement' }])
  })

  it('takes a second BIND of an id for the end of the first', () => {
    const book = newBook()
    doAll(book, ...snapshot(10n, []))
    const twice = [change(11n, bind(11n, 7, 101)), change(12n, bind(12n, 7, 102))]
    expect(doAll(book, ...twice)).toEqual(['bind 101→7', 'missed 101→7', 'bind 102→7'])
    expect(table(book)).toEqual(['102→7'])
  })

  it('tells the sets apart in which a SPID is the same, by number and by token', () => {
    const book = newBook()
    const other = { setId: 2n, token: 'vm-b' }
    const anonymous = { setId: 3n, token: '' }
    const binds = [bind(4n, 1, 101), bind(5n, 2, 101, other), bind(6n, 3, 101, anonymous)]
    doAll(book, ...snapshot(10n, binds))
    expect(find(book, 101, { token: 'vm-a' })?.ioasid).toBe(1)
    expect(find(book, 101, { token: 'vm-b' })?.ioasid).toBe(2)
    expect(find(book, 101, { setId: 3n })?.ioasid).toBe(3)
    expect(find(book, 101, { token: 'vm-c' })).toBeUndefined()
    expect(find(book, 101, { token: '' })).toBeUndefined()
    // The token passes to the next set.
    const next = bind(21n, 9, 101, { setId: 8n, token: 'vm-b' })
    doAll(book, change(20n, unbind(20n, 2, 101, 5n)), change(21n, next))
    expect(find(book, 101, { token: 'vm-b' })?.ioasid).toBe(9)
    expect(find(book, 101, { setId: 2n })).toBeUndefined()
  })
})

/** A daemon's own table, and what it tells of it. */
type Action = { readonly spid: number; readonly kind: 'bind' | 'unbind' | 'snapshot' | 'cut' }

const action: fc.Arbitrary<Action> = fc.record({
  spid: fc.integer({ min: 0, max: 5 }),
  kind: fc.constantFrom('bind', 'unbind', 'bind', 'unbind', 'snapshot', 'cut'),
})

describe('whatever happens, and whatever of it is never told', () => {
  it('the table is the daemon’s at each snapshot and after it, each bind has one unbind before the next of its id', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const book = newBook()
        const truth = new Map<number, Of<'BIND'>>()
        const done = doAll(book, ...snapshot(0n, []))
        let isTold = true
        for (const [index, { kind, spid }] of actions.entries()) {
          const revision = BigInt(index + 1)
          const before = truth.get(spid)
          // An id goes from one SPID to another, and a SPID from one id to another.
          const ioasid = (spid + index) % 8
          const isTaken = [...truth.values()].some((at) => at.ioasid === ioasid)
          if (kind === 'cut') isTold = false
          if (kind === 'snapshot') {
            done.push(...doAll(book, ...snapshot(revision, [...truth.values()])))
            isTold = true
          }
          if (kind === 'bind' && before === undefined && !isTaken) {
            const event = bind(revision, ioasid, spid)
            truth.set(spid, event)
            if (isTold) done.push(...doAll(book, change(revision, event)))
          }
          if (kind === 'unbind' && before !== undefined) {
            truth.delete(spid)
            const event = unbind(revision, before.ioasid, spid, before.bindRevision)
            if (isTold) done.push(...doAll(book, change(revision, event)))
          }
          if (isTold) expect(table(book)).toEqual([...truth.values()].map((at) => `${at.spid}→${at.ioasid}`).sort())
        }
        expectAlternation(done)
        expect(book.held.size).toBe(book.usableCount)
      }),
    )
  })
})

function expectAlternation(done: readonly string[]): void {
  const bound = new Set<string>()
  for (const step of done) {
    const [what, which = ''] = step.split(' ')
    if (what === 'acknowledge') continue
    expect({ step, isBound: bound.has(which) }).toEqual({ step, isBound: what !== 'bind' })
    if (what === 'bind') bound.add(which)
    else bound.delete(which)
  }
}
