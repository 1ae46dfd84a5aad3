import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EndedBy, Entry } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asRevision } from '../../server/core/ids.ts'
import type { Engine } from '../../server/engine/engine.ts'
import type { HistoryCursor, LifeView } from '../../server/engine/history.ts'
import { answerOf, command, createSet, grantLease, memoryStore, must, run } from '../support/engine.ts'
import { commandOf, FREED_BY, IDS, STEP } from '../support/history-story.ts'
import { settle } from '../support/manual-clock.ts'
import { readForwards } from '../support/naive-history.ts'

const WALL_MS = 1_700_000_000_000

type Told = Omit<LifeView, 'next'>

/** All pages of it, as one; what goes on on the next page is put together again. */
async function historyOf(engine: Engine, ioasid: number, maxLives = 1000): Promise<readonly Told[]> {
  const lives: Told[] = []
  let from: HistoryCursor | undefined
  for (let page = 0; page < 1000; page++) {
    const told = must(await engine.history(ioasid, from, maxLives))
    expect(told.length).toBeLessThanOrEqual(maxLives)
    for (const { next: _, ...life } of told) {
      const last = lives.at(-1)
      if (last?.from.revision !== life.from.revision) lives.push(life)
      else lives.splice(-1, 1, { ...life, bindings: [...last.bindings, ...life.bindings] })
    }
    from = told.at(-1)?.next
    if (from === undefined) return lives
  }
  throw new Error('the history does not end')
}

describe('the history of an id', () => {
  it('is what the whole log tells, and of what was compacted what goes on behind it, in pages of any size and after a restart', async () => {
    const stories = fc.array(STEP, { minLength: 20, maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(
        stories,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, share, pageSize) => {
          const store = memoryStore()
          const { engine, clock } = await run({ store, space: { capacity: IDS + 1 } })
          await engine.submit(command.grantLease(600_000), undefined)
          await createSet(engine, 'vm')
          const by = new Map<number, EndedBy>()
          let last = 0
          for (const step of steps) {
            clock.advance(7)
            const asked = commandOf(step)
            const outcome = await engine.submit(asked, undefined)
            const freedBy = FREED_BY[asked.kind]
            // Where nothing had to change its revision is another change's.
            const isNew = !isFailure(outcome) && outcome.revision > last
            if (isNew && freedBy !== undefined) by.set(outcome.revision, freedBy)
            if (isNew) last = outcome.revision
          }
          const log: readonly Entry[] = await store.tail(asRevision(0), 1 << 30)
          const naive = readForwards(log, by)
          const compareAll = async (asked: Engine, compactRevision: number) => {
            for (let id = 1; id <= IDS; id++) {
              expect(await historyOf(asked, id, pageSize), `IOASID ${id}`).toEqual(naive.of(id, compactRevision))
            }
          }
          await compareAll(engine, 0)
          const compactRevision = Math.floor(share * log.length)
          const compacted = engine.compact(compactRevision)
          await settle(50)
          expect(must(await compacted).compactRevision).toBe(compactRevision)
          await compareAll(engine, compactRevision)
          const restarted = await run({ store, space: { capacity: IDS + 1 } })
          await compareAll(restarted.engine, compactRevision)
        },
      ),
      { numRuns: 150 },
    )
  })

  it('names who freed it: its owner, the end of a lease, an operator', async () => {
    const { engine, clock } = await run({ space: { capacity: 3, policy: 'lowest' } })
    const lease = async () => {
      const { answer } = await answerOf(engine, command.grantLease(1000), 'lease')
      return answer.lease.leaseId
    }
    const set = async (leaseId = asLeaseId(0)) => {
      const { answer } = await answerOf(engine, command.createSet('', 0, leaseId === 0 ? null : leaseId), 'set')
      await engine.submit({ ...command.allocate(answer.set.setId), max: 2 }, undefined)
      return answer.set.setId
    }
    await engine.submit(command.free(await set(), [1]), undefined)
    await engine.submit(command.deleteSet(await set()), undefined)
    const revoked = await lease()
    await set(revoked)
    await engine.submit(command.revokeLease(revoked), undefined)
    await set(await lease())
    // Grace, and then its time.
    for (let second = 0; second < 8; second++) {
      clock.advance(1000)
      await settle()
    }
    await engine.submit({ kind: 'force_delete_set', setId: await set() }, undefined)
    const lives = await historyOf(engine, 1)
    expect(lives.map(({ endedBy }) => endedBy)).toEqual(['OPERATOR', 'LEASE', 'LEASE', 'OWNER', 'OWNER'])
  })

  it('names from FREE on who freed it, also if somebody else brings its end', async () => {
    const { engine } = await run()
    const setId = await createSet(engine, 'vm')
    const { answer } = await answerOf(engine, command.grantLease(1000), 'lease')
    const { leaseId } = answer.lease
    await engine.submit(command.allocate(setId, 1, [5]), undefined)
    await engine.submit({ kind: 'acquire', set: { setId }, ioasid: asIoasid(1), leaseId }, undefined)
    const freed = must(await engine.submit(command.free(setId, [1]), undefined))
    const [pending] = await historyOf(engine, 1)
    expect(pending).toMatchObject({ endedBy: 'OWNER', to: undefined })
    expect(pending?.bindings).toMatchObject([{ spid: 5, to: { revision: freed.revision } }])
    const gone = must(await engine.submit({ kind: 'force_revoke_lease', leaseId }, undefined))
    const bindings = [{ spid: 5, to: { revision: freed.revision } }]
    expect(await historyOf(engine, 1)).toMatchObject([{ endedBy: 'OWNER', to: { revision: gone.revision }, bindings }])
  })

  it('has wall times, and of what began before a compaction the beginning', async () => {
    const { engine, clock } = await run()
    const setId = await createSet(engine, 'vm')
    clock.advance(1000)
    await engine.submit(command.allocate(setId, 1, [5]), undefined)
    clock.advance(1000)
    const compacted = engine.compact(2)
    await settle(50)
    expect(must(await compacted)).toEqual({ revision: 2, compactRevision: 2 })
    await engine.submit(command.free(setId, [1]), undefined)
    const from = { revision: 2, wallMs: WALL_MS + 2000 }
    const to = { revision: 3, wallMs: WALL_MS + 3000 }
    const binding = { spid: 5, from, to, boundBy: '', unboundBy: '' }
    expect(await historyOf(engine, 1)).toEqual([
      { token: 'vm', setId, from, to, endedBy: 'OWNER', allocatedBy: '', freedBy: '', bindings: [binding] },
    ])
  })

  it('says whose requests they were, of an id that was pending too', async () => {
    const { engine } = await run()
    const by = (identity: string) => ({ identity, rights: undefined, isAdmin: true })
    const setId = await createSet(engine, 'vm')
    const leaseId = await grantLease(engine, 10_000)
    await engine.submit(command.allocate(setId, 1, [5]), undefined, by('uid:1'))
    await engine.submit({ kind: 'acquire', set: { setId }, ioasid: asIoasid(1), leaseId }, undefined, by('uid:2'))
    await engine.submit(command.free(setId, [1]), undefined, by('uid:3'))
    const [pending] = await historyOf(engine, 1)
    await engine.submit({ kind: 'release', set: { setId }, ioasid: asIoasid(1), leaseId }, undefined, by('uid:4'))
    const [ended] = await historyOf(engine, 1)
    const bound = { boundBy: 'uid:1', unboundBy: 'uid:3' }
    expect(pending).toMatchObject({ allocatedBy: 'uid:1', freedBy: 'uid:3', to: undefined, bindings: [bound] })
    expect(ended).toMatchObject({ allocatedBy: 'uid:1', freedBy: 'uid:3', to: { revision: 6 }, bindings: [bound] })
  })

  it('goes on within a life that has very many bindings, and though it ended between two pages', async () => {
    const { engine } = await run()
    const setId = await createSet(engine, 'vm')
    await engine.submit(command.allocate(setId), undefined)
    for (let round = 0; round < 2300; round++) {
      await engine.submit(command.attachSpid(setId, 1, round, ''), undefined)
      await engine.submit(command.detachSpid(setId, 1), undefined)
    }
    const [first] = must(await engine.history(1, undefined, 10))
    expect(first?.bindings.map(({ spid }) => spid)).toEqual(Array.from({ length: 1000 }, (_, index) => 2299 - index))
    await engine.submit(command.free(setId, [1]), undefined)
    // The next life of the same id, which is none of what was asked for.
    await engine.submit({ ...command.allocate(setId), max: 1 }, undefined)
    const [second] = must(await engine.history(1, first?.next, 10))
    expect(second?.from).toEqual(first?.from)
    expect(second?.bindings.map(({ spid }) => spid)).toEqual(Array.from({ length: 1000 }, (_, index) => 1299 - index))
    const [third, ...others] = must(await engine.history(1, second?.next, 10))
    expect(third?.bindings).toHaveLength(300)
    expect(others).toEqual([])
    expect(third?.next).toBeUndefined()
    const all = await historyOf(engine, 1)
    expect(all.map(({ bindings }) => bindings.length)).toEqual([0, 2300])
    // What a page would end with is the last one that is kept.
    const edge = engine.compact(all[1]?.bindings[1000]?.to?.revision ?? 0)
    await settle(50)
    must(await edge)
    const [, kept] = must(await engine.history(1, undefined, 10))
    expect(kept?.bindings).toHaveLength(1000)
    expect(kept?.next).toBeUndefined()
  })

  it('has fewer lives on a page where each is part of a large change, and leaves none out', async () => {
    const capacity = 65_536
    const { engine } = await run({ space: { capacity, policy: 'lowest' } })
    const setId = await createSet(engine, 'vm')
    // Every other id, each with a SPID that does not follow the one before: as many runs as ids.
    const spids = Array.from({ length: 30_000 }, (_, index) => index * 2)
    for (let life = 0; life < 9; life++) {
      await engine.submit({ ...command.allocate(setId, spids.length, spids), max: capacity - 1 }, undefined)
      await engine.submit({ kind: 'free_all', setId }, undefined)
    }
    const first = must(await engine.history(1, undefined, 1000))
    expect(first.length).toBeGreaterThan(0)
    expect(first.length).toBeLessThan(9)
    expect((await historyOf(engine, 1)).map(({ bindings }) => bindings.length)).toEqual(
      Array.from({ length: 9 }, () => 1),
    )
  })

  it('of an id that was never allocated is empty, and of one beyond the space there is none', async () => {
    const { engine } = await run()
    expect(await historyOf(engine, 7)).toEqual([])
    expect(await historyOf(engine, 0)).toEqual([])
    expect(await engine.history(1024, undefined, 10)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
  })
})

describe('compaction by an operator', () => {
  it('drops what is at or below a revision, once what is above it is on disk without it', async () => {
    const { engine, store } = await run()
    const setId = await createSet(engine, 'vm')
    for (let round = 0; round < 9; round++) await engine.submit(command.allocate(setId), undefined)
    const compacted = engine.compact(6)
    await settle(50)
    expect(must(await compacted)).toEqual({ revision: 10, compactRevision: 6 })
    await expect(store.tail(asRevision(5), 1)).rejects.toMatchObject({ problem: 'COMPACTED' })
    expect((await store.tail(asRevision(6), 1 << 20)).map(({ revision }) => revision)).toEqual([7, 8, 9, 10])
    expect(must(await engine.status()).compactRevision).toBe(6)
  })

  it('below what is compacted already does nothing, and above the present is refused', async () => {
    const { engine } = await run()
    const setId = await createSet(engine, 'vm')
    for (let round = 0; round < 4; round++) await engine.submit(command.allocate(setId), undefined)
    const first = engine.compact(4)
    await settle(50)
    await first
    expect(must(await engine.compact(2))).toEqual({ revision: 5, compactRevision: 4 })
    expect(must(await engine.compact(0))).toEqual({ revision: 5, compactRevision: 4 })
    const refused = await engine.compact(6)
    expect(refused).toMatchObject({ reason: 'FUTURE_REVISION', metadata: { revision: '5', requested: '6' } })
  })
})
