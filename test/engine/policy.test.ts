import { describe, expect, it } from 'vitest'
import type { Caller } from '../../server/core/caller.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asSetId } from '../../server/core/ids.ts'
import type { Engine } from '../../server/engine/engine.ts'
import type { SubscribeRequest } from '../../server/engine/subscribe.ts'
import { command, memoryStore, must, namesOf, run, subscription } from '../support/engine.ts'
import { faultsOf, infoOf, LONG_MS, leaseOf } from '../support/holders.ts'
import { settle } from '../support/manual-clock.ts'
import { callerUnder, policyOf } from '../support/rights.ts'

const BEFORE = policyOf(`
  - { to: 'uid:1', own: vm/* }
  - { to: 'uid:2', subscribe: vm/*, own: other }
  - { to: 'uid:9', administer: true }
`)
const AFTER = policyOf(`
  - { to: 'uid:1', own: vm/* }
  - { to: 'uid:2', own: other }
`)
const owner = callerUnder(BEFORE, 'uid:1')
const holder = callerUnder(BEFORE, 'uid:2')
const stranger = callerUnder(BEFORE, 'uid:3')
const admin = callerUnder(BEFORE, 'uid:9')

async function as(engine: Engine, caller: Caller, asked: Parameters<Engine['submit']>[0]) {
  return must(await engine.submit(asked, undefined, caller))
}

async function start() {
  const running = await run()
  const { engine } = running
  await as(engine, owner, command.createSet('vm/1'))
  const granted = await as(engine, holder, command.grantLease(LONG_MS))
  if (granted.answer.kind !== 'lease') throw new Error('no lease')
  const { leaseId } = granted.answer.lease
  const opened = await subscribeAs(engine, holder, {
    sets: namesOf(['vm/1']),
    start: { kind: 'snapshot' },
    hold: { leaseId, priority: 'CPU' },
  })
  const allocated = await as(engine, owner, command.allocate(setId, 2, [5, 6]))
  return { ...running, leaseId, opened, bound: allocated.revision }
}

const setId = asSetId(1)

async function subscribeAs(engine: Engine, caller: Caller, from: Partial<SubscribeRequest>) {
  return must(await engine.subscribe(subscription(from), caller))
}

async function reasonOf(outcome: Promise<object>): Promise<string> {
  const value = await outcome
  return isFailure(value) ? value.reason : 'none'
}

describe('a subscription under a policy', () => {
  it('is refused by a name that its caller may not watch, whether there is such a set or not', async () => {
    const { engine } = await start()
    const refused = async (caller: Caller, sets: SubscribeRequest['sets']) =>
      await reasonOf(engine.subscribe(subscription({ sets }), caller))
    expect(await refused(stranger, namesOf(['vm/1']))).toBe('NOT_PERMITTED')
    expect(await refused(holder, namesOf(['vm/1', 'nobody']))).toBe('NOT_PERMITTED')
    expect(await refused(holder, namesOf(['VM/1']))).toBe('NOT_PERMITTED')
    expect(await refused(holder, 'all')).toBe('NOT_PERMITTED')
    expect(await refused(holder, namesOf([], [1]))).toBe('none')
    expect(await refused(stranger, namesOf([], [1]))).toBe('NOT_PERMITTED')
    expect(await refused(callerUnder(BEFORE, ''), namesOf(['vm/1']))).toBe('NO_IDENTITY')
    expect(await refused(admin, 'all')).toBe('none')
  })

  it('is an administrator’s without a right of his own, but no hold is', async () => {
    const { engine } = await start()
    const granted = await as(engine, admin, command.grantLease(LONG_MS))
    if (granted.answer.kind !== 'lease') throw new Error('no lease')
    const hold = { leaseId: granted.answer.lease.leaseId, priority: 'CPU' } as const
    const wanted = subscription({ sets: 'all', start: { kind: 'snapshot' }, hold })
    expect(await reasonOf(engine.subscribe(wanted, admin))).toBe('NOT_PERMITTED')
  })

  it('by the handle of a set that has ended is for who could see it', async () => {
    const { engine } = await start()
    await as(engine, owner, command.deleteSet(setId))
    await settle(10)
    const again = { sets: namesOf([], [1]), start: { kind: 'after', revision: 1 } } as const
    expect(await reasonOf(engine.subscribe(subscription(again), holder))).toBe('none')
    expect(await reasonOf(engine.subscribe(subscription(again), stranger))).toBe('NOT_PERMITTED')
  })

  it('is one of as many as its caller may have', async () => {
    const { engine } = await run()
    const rightsOf = policyOf("  - { to: 'uid:1', own: vm }", {
      maxSets: 1,
      maxIds: 1,
      maxLeases: 1,
      maxSubscriptions: 2,
    })
    const caller = callerUnder(rightsOf, 'uid:1')
    const first = await subscribeAs(engine, caller, { sets: namesOf(['vm']) })
    await subscribeAs(engine, caller, { sets: namesOf(['vm']) })
    const third = await engine.subscribe(subscription({ sets: namesOf(['vm']) }), caller)
    expect(third).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'own_subscriptions', limit: '2' } })
    first.close()
    await subscribeAs(engine, caller, { sets: namesOf(['vm']) })
  })
})

describe('when the policy changes', () => {
  it('streams that may no longer see end with NOT_PERMITTED, and nobody else’s do', async () => {
    const { engine, opened } = await start()
    const own = await subscribeAs(engine, owner, { sets: namesOf(['vm/1']) })
    const watched = await subscribeAs(engine, admin, { sets: 'all' })
    await engine.enforce(AFTER)
    expect(opened.subscription.signal.aborted).toBe(true)
    expect(await opened.subscription.next()).toMatchObject({ kind: 'ended', failure: { reason: 'NOT_PERMITTED' } })
    expect(own.subscription.signal.aborted).toBe(false)
    expect(watched.subscription.signal.aborted).toBe(true)
  })

  it('a registration takes no new references, and those that it has stay until they are acknowledged', async () => {
    const { engine, leaseId } = await start()
    await engine.enforce(AFTER)
    await as(engine, owner, command.allocate(setId, 1, [7]))
    expect(must(await leaseOf(engine, leaseId))).toMatchObject({ references: 2, hold: undefined, state: 'ALIVE' })
    expect(await as(engine, owner, command.free(setId, [1, 3]))).toMatchObject({ answer: { references: [1, 0] } })
    expect(must(await infoOf(engine, 1)).state).toBe('FREE_PENDING')
    const now = callerUnder(AFTER, 'uid:2')
    const { revision } = must(await engine.status())
    await as(engine, now, command.acknowledge(leaseId, revision))
    expect(isFailure(await infoOf(engine, 1))).toBe(true)
    expect(must(await leaseOf(engine, leaseId)).references).toBe(1)
    expect(await faultsOf(engine)).toEqual([])
  })

  it('its holder may come back when the policy allows it again', async () => {
    const { engine, leaseId } = await start()
    await engine.enforce(AFTER)
    const from = { sets: namesOf(['vm/1']), start: { kind: 'snapshot' }, hold: { leaseId, priority: 'CPU' } } as const
    expect(await reasonOf(engine.subscribe(subscription(from), callerUnder(AFTER, 'uid:2')))).toBe('NOT_PERMITTED')
    await engine.enforce(BEFORE)
    await subscribeAs(engine, holder, from)
    expect(must(await leaseOf(engine, leaseId))).toMatchObject({ references: 2 })
    expect(await faultsOf(engine)).toEqual([])
  })

  it('a request that was on its way under the old one is decided under the new one', async () => {
    const { engine } = await start()
    // By a handle: whose the set is is looked up first, and the policy changes meanwhile.
    const asked = engine.subscribe(subscription({ sets: namesOf([], [1]) }), holder)
    await engine.enforce(AFTER)
    expect(await reasonOf(asked)).toBe('NOT_PERMITTED')
  })

  it('it holds from the start on for what was registered under an earlier one', async () => {
    const store = memoryStore()
    const before = await run({ store })
    await as(before.engine, owner, command.createSet('vm/1'))
    const granted = await as(before.engine, holder, command.grantLease(LONG_MS))
    if (granted.answer.kind !== 'lease') throw new Error('no lease')
    const { leaseId } = granted.answer.lease
    const from = { sets: namesOf(['vm/1']), start: { kind: 'snapshot' }, hold: { leaseId, priority: 'CPU' } } as const
    await subscribeAs(before.engine, holder, from)
    const after = await run({ store })
    await after.engine.enforce(AFTER)
    expect(must(await leaseOf(after.engine, leaseId)).hold).toBeUndefined()
  })
})

describe('a lease under a policy', () => {
  it('is kept alive by nobody but who was granted it', async () => {
    const { engine, leaseId } = await start()
    expect(await reasonOf(engine.renew(leaseId, owner))).toBe('NOT_PERMITTED')
    expect(await reasonOf(engine.renew(leaseId, callerUnder(AFTER, 'uid:2')))).toBe('none')
  })
})
