import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFailure } from '../../server/core/failure.ts'
import { NO_LEASE } from '../../server/core/ids.ts'
import { controlStore } from '../support/controlled-store.ts'
import {
  command,
  createSet,
  grantLease,
  isThere,
  leaseMarks,
  memoryStore,
  must,
  peek,
  request,
  run,
} from '../support/engine.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

const steps = fc.array(fc.record({ ms: fc.integer({ min: 1, max: 1500 }), renews: fc.boolean() }), { maxLength: 12 })

describe('the time of a lease', () => {
  it('is never over early, and at most a second late, whenever it was renewed and however late timers are', async () => {
    const property = async (ttlMs: number, lateMs: number, plan: readonly { ms: number; renews: boolean }[]) => {
      const clock = createManualClock()
      const late = { ...clock, after: (ms: number, callback: () => void) => clock.after(ms + lateMs, callback) }
      const { engine } = await run({ clock: late })
      clock.advance(lateMs * 3)
      const leaseId = await grantLease(engine, ttlMs)
      let ageMs = 0
      // To its end, whatever the plan was.
      for (const { ms, renews } of [...plan, ...Array.from({ length: 6 }, () => ({ ms: 1900, renews: false }))]) {
        clock.advance(ms)
        ageMs += ms
        const found = await isThere(engine, leaseId)
        if (ageMs < ttlMs) expect(found).toBe(true)
        if (ageMs >= ttlMs + 1000) expect(found).toBe(false)
        if (!found) return
        if (!renews) continue
        must(await engine.renew(leaseId))
        ageMs = 0
      }
      throw new Error('it never ended')
    }
    const ttl = fc.integer({ min: 500, max: 10_000 })
    await fc.assert(fc.asyncProperty(ttl, fc.integer({ min: 0, max: 450 }), steps, property), { numRuns: 60 })
  })

  it('is not over when one millisecond is left and somebody looks, and is over when none is left', async () => {
    const { engine, clock } = await run()
    // The daemon looks every 500 ms.
    clock.advance(1)
    const one = await grantLease(engine, 500)
    clock.advance(499)
    expect(engine.remainingMs(one)).toBe(1)
    expect(await isThere(engine, one)).toBe(true)
    clock.advance(500)
    expect(await isThere(engine, one)).toBe(false)
  })

  it('is never over by a fraction of a millisecond early, though serving time is told in whole ones', async () => {
    const clock = createManualClock()
    // Each look of the daemon at a lease's end falls on the beginning of a millisecond of serving time.
    let fractionMs = 0
    const { engine } = await run({ clock: { ...clock, monotonicMs: () => clock.monotonicMs() + fractionMs } })
    clock.advance(400)
    fractionMs = 0.75
    const leaseId = await grantLease(engine, 600)
    fractionMs = 0
    clock.advance(600)
    expect(await isThere(engine, leaseId)).toBe(true)
    clock.advance(500)
    expect(await isThere(engine, leaseId)).toBe(false)
  })

  it('is told as it is: what remains of it, all of it after a renewal, and nothing of it after its end', async () => {
    const { engine, clock } = await run()
    const leaseId = await grantLease(engine, 10_000)
    expect(engine.remainingMs(leaseId)).toBe(10_000)
    clock.advance(9_999)
    expect(engine.remainingMs(leaseId)).toBe(1)
    expect(must(await engine.renew(leaseId)).answer).toMatchObject({
      kind: 'lease',
      lease: { leaseId, state: 'ALIVE' },
    })
    expect(engine.remainingMs(leaseId)).toBe(10_000)
    clock.advance(11_000)
    expect(engine.remainingMs(leaseId)).toBe(0)
    expect(await engine.renew(leaseId)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })

  it('does not pass while the process is stopped: half a minute ends none early', async () => {
    const clock = createManualClock()
    let stoppedMs = 0
    const { engine } = await run({ clock: { ...clock, monotonicMs: () => clock.monotonicMs() + stoppedMs } })
    const leaseId = await grantLease(engine, 5000)
    clock.advance(2000)
    stoppedMs = 30_000
    // A gap counts for a second at most.
    clock.advance(1999)
    expect(await isThere(engine, leaseId)).toBe(true)
    clock.advance(2001)
    expect(await isThere(engine, leaseId)).toBe(false)
  })

  it('is renewed by taking a reference, either way, and by nothing else that the holder does', async () => {
    const { engine, clock } = await run()
    const setId = await createSet(engine, 'vm')
    must(await engine.submit(command.allocate(setId, 1, [7]), undefined))
    const leaseId = await grantLease(engine, 2000)
    for (const taking of [command.acquire(setId, 1, leaseId), command.acquireBySpid(setId, 7, leaseId)]) {
      clock.advance(1500)
      must(await engine.submit(taking, undefined))
      expect(engine.remainingMs(leaseId)).toBe(2000)
    }
    clock.advance(1500)
    must(await engine.submit(command.release(setId, 1, leaseId), undefined))
    must(await engine.submit(command.createSet('own', 0, leaseId), undefined))
    expect(await engine.submit(command.acquire(setId, 9, leaseId), undefined)).toMatchObject({
      reason: 'IOASID_NOT_FOUND',
    })
    expect(engine.remainingMs(leaseId)).toBe(500)
  })
})

describe('a renewal', () => {
  it('is answered when it is on disk, and not before', async () => {
    const store = controlStore(memoryStore())
    const { engine, clock } = await run({ store })
    const leaseId = await grantLease(engine, 10_000)
    clock.advance(4000)
    await settle()
    store.hold()
    const renewed = engine.renew(leaseId)
    expect(await peek(renewed)).toBe('waiting')
    store.release()
    must(await renewed)
    const again = await run({ store, limits: { leaseGraceMs: 200 } })
    expect(again.engine.remainingMs(leaseId)).toBeGreaterThanOrEqual(10_000)
  })

  it('that the disk did not take is not answered with success', async () => {
    const store = controlStore(memoryStore())
    const { engine } = await run({ store })
    const leaseId = await grantLease(engine, 10_000)
    await settle()
    store.hold()
    const renewed = engine.renew(leaseId)
    await settle()
    store.fail(new Error('gone'))
    expect(await renewed).toMatchObject({ reason: 'STORE_FAILED' })
    expect(await engine.renew(leaseId)).toMatchObject({ reason: 'STORE_FAILED' })
  })

  it('takes no revision and makes no log grow, however many there are', async () => {
    const { engine, store, clock } = await run()
    const leaseIds = [await grantLease(engine, 10_000), await grantLease(engine, 10_000)]
    const before = { revision: must(await engine.status()).revision, size: store.size() }
    for (let round = 0; round < 50; round++) {
      clock.advance(300)
      for (const leaseId of leaseIds) expect(must(await engine.renew(leaseId)).revision).toBe(before.revision)
    }
    expect({ revision: must(await engine.status()).revision, size: store.size() }).toEqual(before)
    expect(await leaseMarks(store)).toBe(2)
  })

  it('waits for the disk in a bounded number of bytes, like everything else', async () => {
    const store = controlStore(memoryStore())
    const { engine } = await run({ store, limits: { maxUndurableBytes: 1000 } })
    const leaseId = await grantLease(engine, 10_000)
    await settle()
    store.hold()
    const outcomes = Array.from({ length: 100 }, () => engine.renew(leaseId))
    expect(await peek(Promise.race(outcomes))).toMatchObject({ reason: 'OVERLOADED' })
    store.release()
    const refused = (await Promise.all(outcomes)).filter(isFailure)
    expect(refused.length).toBeGreaterThan(70)
    must(await engine.renew(leaseId))
  })

  it('leaves nothing behind when the lease has ended', async () => {
    const { engine, store, clock } = await run()
    await grantLease(engine, 1000)
    must(await engine.submit(command.revokeLease(await grantLease(engine, 1000)), undefined))
    clock.advance(2000)
    await settle()
    expect(await leaseMarks(store)).toBe(0)
  })
})

describe('a request sent again', () => {
  it('keeps its lease alive as the first one did: its holder counts from when it sent what was answered', async () => {
    const store = controlStore(memoryStore())
    const { engine, clock } = await run({ store })
    const setId = await createSet(engine, 'vm')
    must(await engine.submit(command.allocate(setId, 1, [7]), undefined))
    const granting = command.grantLease(2000, 'HOLD')
    const granted = must(await engine.submit(granting, request('grant')))
    const leaseId = granted.answer.kind === 'lease' ? granted.answer.lease.leaseId : NO_LEASE
    const requests = [
      [granting, 'grant'],
      [command.acquire(setId, 1, leaseId), 'acquire'],
      [command.acquireBySpid(setId, 7, leaseId), 'find'],
    ] as const
    for (const [asked, name] of requests) must(await engine.submit(asked, request(name)))
    const { revision } = must(await engine.status())
    for (const [asked, name] of requests) {
      clock.advance(1500)
      await settle()
      store.hold()
      const again = engine.submit(asked, request(name))
      expect(await peek(again)).toBe('waiting')
      store.release()
      must(await again)
      expect(engine.remainingMs(leaseId)).toBe(2000)
    }
    expect(must(await engine.status()).revision).toBe(revision)
    // It revives none: that would be a change.
    clock.advance(3000)
    for (const [asked, name] of requests) must(await engine.submit(asked, request(name)))
    expect(must(await engine.read((state) => ({ lease: state.leases.get(leaseId) }))).lease).toMatchObject({
      isHeld: true,
      references: 2,
    })
  })

  it('GrantLease: is the same lease, also after a restart, and there is one', async () => {
    const store = memoryStore()
    const first = await run({ store })
    const granting = command.grantLease(5000, 'HOLD', 'kvm')
    const granted = must(await first.engine.submit(granting, request('r')))
    expect(must(await first.engine.submit(granting, request('r')))).toEqual(granted)
    const { engine } = await run({ store })
    expect(must(await engine.submit(granting, request('r')))).toEqual(granted)
    expect(must(await engine.status())).toMatchObject({ leases: 1, revision: 1 })
    for (const other of [
      command.grantLease(5001, 'HOLD', 'kvm'),
      command.grantLease(5000, 'RELEASE', 'kvm'),
      command.grantLease(5000, 'HOLD', ''),
    ]) {
      expect(await engine.submit(other, request('r'))).toMatchObject({ reason: 'REQUEST_ID_REUSED' })
    }
  })
})
