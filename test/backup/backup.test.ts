import { statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isFailure } from '../../server/core/failure.ts'
import { asRevision } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import type { Engine } from '../../server/engine/engine.ts'
import { backupOf, restore, runRestored, scratch, storeIn, verify } from '../support/backups.ts'
import {
  allocate,
  command,
  createSet,
  grantLease,
  makeRevisions,
  memoryStore,
  must,
  request,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { canonical } from '../support/space.ts'

const stateOf = async (engine: Engine) => must(await engine.read((state) => ({ content: canonical(state) }))).content

/** A space in which something of everything has happened. */
async function lived() {
  const running = await run()
  const { engine } = running
  const setId = await createSet(engine, 'vm-a', 10)
  const leaseId = await grantLease(engine, 60_000, 'HOLD')
  const ids = await allocate(engine, setId, 6)
  must(await engine.submit(command.attachSpid(setId, ids[0] ?? 0, 101, ''), undefined))
  must(await engine.submit(command.attachData(setId, ids[1] ?? 0, Uint8Array.of(1, 2, 255)), undefined))
  must(await engine.submit(command.acquire(setId, ids[2] ?? 0, leaseId), undefined))
  must(await engine.submit(command.free(setId, ids.slice(2, 4)), undefined))
  const gone = await createSet(engine, 'vm-gone')
  must(await engine.submit(command.deleteSet(gone), undefined))
  return { ...running, setId, leaseId, ids }
}

describe('a restored space', () => {
  it('is the one that was backed up: sets, ids, leases, references, history, and handles', async () => {
    const { engine, setId, leaseId, ids } = await lived()
    const restored = await runRestored(await backupOf(engine))
    const before = must(await engine.status())
    const after = must(await restored.engine.status())
    expect(after).toEqual({ ...before, store: 'lmdb', spaceId: after.spaceId })
    const { lastSetId: _a, lastLeaseId: _b, ...content } = (await stateOf(engine)) as Record<string, unknown>
    expect(await stateOf(restored.engine)).toMatchObject(content)
    const handle = engine.handles.ofSet(setId)
    expect(restored.engine.handles.toSet(handle)).toBe(setId)
    expect(restored.engine.handles.toLease(engine.handles.ofLease(leaseId))).toBe(leaseId)
    const lives = must(await restored.engine.history(ids[3] ?? 0, undefined, 10))
    expect(lives).toEqual(must(await engine.history(ids[3] ?? 0, undefined, 10)))
    expect(lives).toHaveLength(1)
  })

  it('is another history, so that a cursor of the first one is told so', async () => {
    const { engine } = await lived()
    const restored = await runRestored(await backupOf(engine))
    expect(restored.engine.spaceId).not.toBe(engine.spaceId)
    const start = { kind: 'after', revision: 3 } as const
    const old = await restored.engine.subscribe(subscription({ start, spaceId: engine.spaceId }))
    expect(old).toMatchObject({ reason: 'HISTORY_CHANGED' })
    await subscribe(restored.engine, { start, spaceId: restored.engine.spaceId })
  })

  it('goes on: what is changed and the next restart fit what was there', async () => {
    const { engine, setId } = await lived()
    const restored = await runRestored(await backupOf(engine))
    await makeRevisions(restored.engine, await createSet(restored.engine, 'vm-b'), 20)
    await allocate(restored.engine, setId, 2)
    const found = must(await restored.engine.read((state) => ({ wrong: violations(state) })))
    expect(found.wrong).toEqual([])
  })

  it('gives no number that an earlier restore of the same backup has led to', async () => {
    const { engine } = await lived()
    const bytes = await backupOf(engine)
    const { engine: first } = await runRestored(bytes)
    const sets = [await createSet(first, 'vm-b'), await createSet(first, 'vm-c')]
    const lost = [...sets.map(first.handles.ofSet), first.handles.ofLease(await grantLease(first, 60_000))]
    const { engine: second } = await runRestored(bytes)
    const found = [await createSet(second, 'of another tenant'), await createSet(second, 'of a third')]
    const handles = [...found.map(second.handles.ofSet), second.handles.ofLease(await grantLease(second, 60_000))]
    expect(handles.filter((handle) => lost.includes(handle))).toEqual([])
    for (const setId of [...sets, ...found]) expect(Number.isSafeInteger(setId)).toBe(true)
  })

  it('gives no number again that a set or a lease may have had after the backup, so that no old handle is of a new one', async () => {
    const { engine } = await lived()
    const bytes = await backupOf(engine)
    const lost = engine.handles.ofSet(await createSet(engine, 'of another tenant'))
    const lostLease = engine.handles.ofLease(await grantLease(engine, 60_000))
    const { engine: restored, store } = await runRestored(bytes)
    const setId = await createSet(restored, 'vm-new')
    const leaseId = await grantLease(restored, 60_000)
    expect(restored.handles.toSet(lost)).not.toBe(setId)
    expect(restored.handles.toLease(lostLease)).not.toBe(leaseId)
    // A large number is one like others, on the stream and after a restart.
    const again = await run({ store: { ...store } })
    expect(must(await again.engine.read((state) => ({ has: state.sets.has(setId) })))).toEqual({ has: true })
    expect(await createSet(again.engine, 'vm-newer')).toBe(setId + 1)
  })
})

describe('a request sent again to a restored space', () => {
  it('gets the answer that it got', async () => {
    const { engine, setId } = await lived()
    const first = must(await engine.submit(command.allocate(setId, 2), request('a')))
    const restored = await runRestored(await backupOf(engine))
    expect(await restored.engine.submit(command.allocate(setId, 2), request('a'))).toEqual(first)
    expect(must(await restored.engine.status()).revision).toBe(first.revision)
  })

  it('is new where what it did came after the backup', async () => {
    const { engine, setId } = await lived()
    must(await engine.submit(command.allocate(setId, 1), request('before')))
    const backup = must(await engine.backup())
    const late = must(await engine.submit(command.allocate(setId, 1), request('late')))
    const pieces: Uint8Array[] = []
    const { encodeBackup } = await import('../../server/store/backup-file.ts')
    for await (const piece of encodeBackup(backup.items, '1')) pieces.push(piece)
    const restored = await runRestored(Buffer.concat(pieces))
    const again = must(await restored.engine.submit(command.allocate(setId, 1), request('late')))
    expect(again).toMatchObject({ revision: late.revision, answer: late.answer })
    expect(must(await restored.engine.status()).revision).toBe(late.revision)
  })

  it('is known however many others were let go of while the backup was made', async () => {
    const limits = { requestLimit: 300 }
    const { engine } = await run({ limits })
    const setId = await createSet(engine, 'vm')
    let count = 0
    const next = async () => {
      const quotas = Array.from({ length: 40 }, () => ++count)
      await Promise.all(
        quotas.map((quota) => engine.submit(command.adjustQuota(setId, (quota % 900) + 1), request(`r${quota}`))),
      )
    }
    for (let round = 0; round < 10; round++) await next()
    const kept = count
    const bytes = await backupOf(engine, next)
    const restored = await runRestored(bytes, { limits })
    const { revision } = must(await restored.engine.status())
    const outcome = must(
      await restored.engine.submit(command.adjustQuota(setId, (kept % 900) + 1), request(`r${kept}`)),
    )
    expect(outcome.revision).toBeLessThanOrEqual(revision)
    expect(must(await restored.engine.status()).revision).toBe(kept + 1)
  })
})

describe('a backup', () => {
  it('is of one revision, whatever changes while it is read', async () => {
    const { engine } = await lived()
    const setId = await createSet(engine, 'vm-b')
    const before = await stateOf(engine)
    const { revision } = must(await engine.status())
    const bytes = await backupOf(engine, () => makeRevisions(engine, setId, 3))
    const restored = await runRestored(bytes)
    expect(must(await restored.engine.status()).revision).toBe(revision)
    const { lastSetId: _a, lastLeaseId: _b, ...content } = before as Record<string, unknown>
    expect(await stateOf(restored.engine)).toMatchObject(content)
  })

  it('goes on from the new beginning where its log is compacted under it', async () => {
    const { engine } = await lived()
    await makeRevisions(engine, await createSet(engine, 'vm-b'), 3000)
    const { revision } = must(await engine.status())
    for (const compactAt of [1000, revision]) {
      let pieces = 0
      const bytes = await backupOf(engine, async () => {
        pieces += 1
        if (pieces === 6) must(await engine.compact(compactAt))
      })
      expect(pieces).toBeGreaterThan(6)
      const restored = await runRestored(bytes)
      const status = must(await restored.engine.status())
      expect(status).toMatchObject({ revision, compactRevision: compactAt })
      const from = { kind: 'after', revision: compactAt } as const
      expect(isFailure(await restored.engine.subscribe(subscription({ start: from })))).toBe(false)
      const earlier = { kind: 'after', revision: compactAt - 1 } as const
      expect(await restored.engine.subscribe(subscription({ start: earlier }))).toMatchObject({ reason: 'COMPACTED' })
      expect(await verify(restored.dataDir)).toMatchObject({ output: expect.stringContaining('is in use by') })
    }
  })

  it('of a history that was compacted before says where it begins', async () => {
    const { engine } = await lived()
    await makeRevisions(engine, await createSet(engine, 'vm-b'), 50)
    must(await engine.compact(30))
    const restored = await runRestored(await backupOf(engine))
    expect(must(await restored.engine.status()).compactRevision).toBe(30)
  })

  it('of an empty space is one, too', async () => {
    const { engine } = await run()
    const restored = await runRestored(await backupOf(engine))
    expect(must(await restored.engine.status())).toMatchObject({ revision: 0, sets: 0 })
    await createSet(restored.engine, 'vm')
  })

  it('is one of two at most', async () => {
    const { engine } = await run()
    const first = must(await engine.backup())
    must(await engine.backup())
    expect(await engine.backup()).toMatchObject({
      reason: 'TOO_MANY',
      metadata: { what: 'backups', limit: '2', retry_after_ms: '10000' },
    })
    first.close()
    first.close()
    must(await engine.backup())
  })

  it('ends with a daemon that shuts down', async () => {
    const { engine } = await lived()
    const backup = must(await engine.backup())
    expect(backup.failure()).toBeUndefined()
    await engine.drain({ reason: 'DRAINING', message: 'It ends.', metadata: {} })
    expect(backup.signal.aborted).toBe(true)
    expect(backup.failure()).toMatchObject({ reason: 'DRAINING' })
  })

  it('holds nothing that is not on disk', async () => {
    const { controlStore } = await import('../support/controlled-store.ts')
    const store = controlStore(memoryStore())
    const { engine } = await run({ store })
    const setId = await createSet(engine, 'vm')
    store.hold()
    const change = engine.submit(command.adjustQuota(setId, 5), undefined)
    let opened = false
    const backup = engine.backup().then((result) => {
      opened = true
      return must(result)
    })
    await settle(20)
    expect(opened).toBe(false)
    store.release()
    const { revision } = must(await change)
    expect((await backup).revision).toBe(revision)
  })
})

describe('--reuse-delay after a restore', () => {
  const space = { reuseDelayMs: 60_000, capacity: 100 }

  it('lets every id that is free in the backup rest, one that was never used, too', async () => {
    const { engine } = await run({ space })
    const setId = await createSet(engine, 'vm')
    await allocate(engine, setId, 4)
    const restored = await runRestored(await backupOf(engine), { space })
    const wanted = { ...command.allocate(setId, 1), max: 99 }
    expect(await restored.engine.submit(wanted, undefined)).toMatchObject({
      reason: 'RANGE_EXHAUSTED',
      metadata: { resting: '95', retry_after_ms: expect.stringMatching(/^(60001|5\d\d\d\d)$/) },
    })
    expect(must(await restored.engine.status()).resting).toBe(95)
    expect(must(await restored.engine.read((state) => ({ wrong: violations(state) }))).wrong).toEqual([])
    for (let second = 0; second < 61; second++) {
      restored.clock.advance(1000)
      await settle(2)
    }
    expect(must(await restored.engine.submit(wanted, undefined)).answer).toMatchObject({ runs: [5, 1] })
    expect(must(await restored.engine.read((state) => ({ wrong: violations(state) }))).wrong).toEqual([])
  })

  it('goes on over a restart and a further snapshot, and counts what was reclaimed since by itself', async () => {
    const { engine } = await run({ space })
    const setId = await createSet(engine, 'vm')
    await allocate(engine, setId, 4)
    const limits = { snapshotEvery: 1 }
    const restored = await runRestored(await backupOf(engine), { space, limits })
    for (let second = 0; second < 30; second++) {
      restored.clock.advance(1000)
      await settle(2)
    }
    must(await restored.engine.submit(command.free(setId, [2]), undefined))
    restored.clock.advance(1000)
    await settle(20)
    await expect.poll(() => restored.store.size().sinceSnapshot).toBe(0)
    await restored.engine.drain({ reason: 'DRAINING', message: 'It ends.', metadata: {} })
    const again = await run({ store: restored.store, space })
    expect(must(await again.engine.status()).resting).toBe(96)
    const wanted = { ...command.allocate(setId, 1), max: 99 }
    for (let second = 0; second < 32; second++) {
      again.clock.advance(1000)
      await settle(2)
    }
    expect(must(await again.engine.submit(wanted, undefined)).answer).toMatchObject({ runs: [5, 1] })
    expect(must(await again.engine.status()).resting).toBe(1)
    expect(await again.engine.submit({ ...wanted, min: 2, max: 2 }, undefined)).toMatchObject({
      reason: 'RANGE_EXHAUSTED',
      metadata: { resting: '1' },
    })
  })

  it('of none is none', async () => {
    const { engine } = await run()
    const setId = await createSet(engine, 'vm')
    const restored = await runRestored(await backupOf(engine))
    expect(await allocate(restored.engine, setId, 1)).toEqual([1])
  })
})

describe('ioasidd restore', () => {
  it('makes a private directory, says what it did and what must be kept secret, and verify finds nothing wrong', async () => {
    const { engine } = await lived()
    const { exitCode, output, dataDir } = await restore(await backupOf(engine))
    expect({ exitCode, output }).toMatchObject({ exitCode: 0 })
    expect(output).toMatch(
      /^restored revision 9 of space space-a, .*\n1 sets, 1 leases, 5 ids, history after revision 0\n/,
    )
    expect(output).toMatch(/keep it secret \(mode 0600\)/)
    expect(statSync(dataDir).mode & 0o777).toBe(0o700)
    expect(statSync(join(dataDir, 'data.mdb')).mode & 0o777).toBe(0o600)
    expect(await verify(dataDir)).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining('revision 9, 9 log entries after 0, 1 sets, 1 leases, 5 ids'),
    })
    const store = await storeIn(dataDir)
    expect((await store.tail(asRevision(0), 1 << 20)).length).toBe(0)
    await store.load()
    expect((await store.tail(asRevision(0), 1 << 20)).length).toBe(9)
  })

  it('takes an empty directory, and no other', async () => {
    const { engine } = await lived()
    const bytes = await backupOf(engine)
    const dataDir = scratch()
    expect(await restore(bytes, dataDir)).toMatchObject({ exitCode: 0 })
    expect(await restore(bytes, dataDir)).toMatchObject({
      exitCode: 1,
      output: `ioasidd: ${dataDir} is not empty ("data.mdb"): choose an empty or a new directory as --data-dir.\n`,
    })
    expect(await verify(dataDir)).toMatchObject({ exitCode: 0 })
  })
})
