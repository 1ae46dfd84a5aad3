import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { type Entry, weigh } from '../../server/core/event.ts'
import { asRevision, asSetId } from '../../server/core/ids.ts'
import { createRing } from '../../server/engine/ring.ts'
import { settle } from '../support/manual-clock.ts'

const entry = (revision: number, bytes = 0): Entry => ({
  revision: asRevision(revision),
  servingMs: 0,
  wallMs: 0,
  events: [{ kind: 'DATA', set: { setId: asSetId(1), token: '' }, runs: [1, 1], data: new Uint8Array(bytes) }],
})
const SMALL = weigh(entry(1))
const revisions = (entries: readonly Entry[] | undefined) => entries?.map(({ revision }) => revision)

describe('the ring', () => {
  it('gives what came after a revision, up to a limit, or says that it has left', () => {
    const ring = createRing(3 * SMALL, asRevision(5))
    expect(ring.after(asRevision(5), 9)).toEqual([])
    expect(ring.after(asRevision(4), 9)).toBeUndefined()
    for (let revision = 6; revision <= 10; revision++) ring.push(entry(revision))
    expect(revisions(ring.after(asRevision(7), 9))).toEqual([8, 9, 10])
    expect(revisions(ring.after(asRevision(7), 2))).toEqual([8, 9])
    expect(revisions(ring.after(asRevision(10), 9))).toEqual([])
    expect(ring.after(asRevision(6), 9)).toBeUndefined()
  })

  it('keeps nothing of an entry that is larger than it', () => {
    const ring = createRing(2 * SMALL, asRevision(0))
    ring.push(entry(1))
    ring.push(entry(2, 10_000))
    expect(ring.after(asRevision(1), 9)).toBeUndefined()
    expect(ring.after(asRevision(2), 9)).toEqual([])
    ring.push(entry(3))
    expect(revisions(ring.after(asRevision(2), 9))).toEqual([3])
  })

  it('takes no entry out of order', () => {
    const ring = createRing(1000, asRevision(3))
    for (const revision of [3, 5]) expect(() => ring.push(entry(revision))).toThrow('does not follow')
  })

  it('lets go of the memory of what has left it', async () => {
    setFlagsFromString('--expose-gc')
    const collect: () => void = runInNewContext('gc')
    const ring = createRing(1_000_000, asRevision(0))
    const large = (() => {
      const first = entry(1, 900_000)
      ring.push(first)
      return new WeakRef(first)
    })()
    for (let revision = 2; revision < 2000; revision++) ring.push(entry(revision))
    await settle(1)
    collect()
    expect(ring.after(asRevision(1), 1)).toHaveLength(1)
    expect(ring.after(asRevision(0), 1)).toBeUndefined()
    expect(large.deref()).toBeUndefined()
  })
})
