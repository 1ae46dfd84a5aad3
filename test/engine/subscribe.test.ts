import { describe, expect, it } from 'vitest'
import type { NotificationType } from '../../server/core/event.ts'
import type { FeedItem } from '../../server/engine/subscription.ts'
import {
  command,
  createSet,
  makeRevisions,
  must,
  namesOf,
  peek,
  run,
  subscribe,
  subscription,
} from '../support/engine.ts'

async function start() {
  const running = await run()
  const vm = await createSet(running.engine, 'vm')
  const other = await createSet(running.engine, 'vm2')
  const anonymous = await createSet(running.engine)
  return { ...running, vm, other, anonymous }
}

type Reader = { next(): Promise<FeedItem> }

/** What is told by now: `revision:KIND KIND`. */
async function told(reader: Reader): Promise<string[]> {
  const lines: string[] = []
  for (;;) {
    const item = await peek(reader.next())
    if (item === 'waiting' || item.kind !== 'entry') return lines
    lines.push(`${item.revision}:${item.events.map(({ kind }) => kind).join(' ')}`)
  }
}

describe('where a subscription begins', () => {
  it('now: after the current revision', async () => {
    const { engine, vm } = await start()
    const { subscription: reader, revision, snapshot } = await subscribe(engine)
    expect(revision).toBe(3)
    expect(snapshot).toBeUndefined()
    must(await engine.submit(command.allocate(vm), undefined))
    expect(await told(reader)).toEqual(['4:ALLOC'])
  })

  it('after a revision: with everything later than it', async () => {
    const { engine } = await start()
    const { subscription: reader, revision } = await subscribe(engine, { start: { kind: 'after', revision: 1 } })
    expect(revision).toBe(1)
    expect(await told(reader)).toEqual(['2:SET_ALLOC', '3:SET_ALLOC'])
  })

  it('after the newest revision: like now', async () => {
    const { engine, vm } = await start()
    const { subscription: reader } = await subscribe(engine, { start: { kind: 'after', revision: 3 } })
    must(await engine.submit(command.allocate(vm), undefined))
    expect(await told(reader)).toEqual(['4:ALLOC'])
  })

  it('not above the newest revision', async () => {
    const { engine } = await start()
    const refused = await engine.subscribe(subscription({ start: { kind: 'after', revision: 4 } }))
    expect(refused).toMatchObject({ reason: 'FUTURE_REVISION', metadata: { revision: '3', requested: '4' } })
    expect(must(await engine.status()).subscriptions).toBe(0)
  })

  it('not in another history, whatever it starts with', async () => {
    const { engine } = await start()
    for (const from of [{ kind: 'now' }, { kind: 'snapshot' }, { kind: 'after', revision: 99 }] as const) {
      const refused = await engine.subscribe(subscription({ start: from, spaceId: 'space-b' }))
      expect(refused).toMatchObject({ reason: 'HISTORY_CHANGED', metadata: { space_id: 'space-a' } })
    }
    await subscribe(engine, { spaceId: 'space-a' })
  })

  it('is looked at last: the set and the room come first', async () => {
    const { engine } = await run({ limits: { maxSubscriptions: 0 } })
    const wrong = { spaceId: 'space-b', start: { kind: 'after', revision: 99 } } as const
    const unknown = subscription({ ...wrong, sets: namesOf([], [7]) })
    expect(await engine.subscribe(unknown)).toMatchObject({ reason: 'SET_NOT_FOUND' })
    expect(await engine.subscribe(subscription(wrong))).toMatchObject({ reason: 'TOO_MANY' })
  })
})

describe('a filter', () => {
  it('by token passes that token, byte by byte, and no other', async () => {
    const { engine, vm, other, anonymous } = await start()
    const near = ['v', 'VM', 'vm ', 'vm\u0301', ' vm', 'vm2x']
    const { subscription: reader } = await subscribe(engine, { sets: namesOf(['vm']) })
    const { subscription: wall } = await subscribe(engine, { sets: namesOf(near) })
    for (const set of [vm, other, anonymous]) must(await engine.submit(command.allocate(set), undefined))
    expect(await told(reader)).toEqual(['4:ALLOC'])
    expect(await told(wall)).toEqual([])
  })

  it('by handle passes that set, an anonymous one too', async () => {
    const { engine, vm, other, anonymous } = await start()
    const { subscription: reader } = await subscribe(engine, { sets: namesOf([], [anonymous, other]) })
    for (const set of [vm, other, anonymous]) must(await engine.submit(command.allocate(set), undefined))
    expect(await told(reader)).toEqual(['5:ALLOC', '6:ALLOC'])
  })

  it('is the union of what it names, and names each event once', async () => {
    const { engine, vm, other, anonymous } = await start()
    const { subscription: reader } = await subscribe(engine, { sets: namesOf(['vm', 'nobody'], [vm, anonymous]) })
    for (const set of [vm, other, anonymous]) must(await engine.submit(command.allocate(set), undefined))
    expect(await told(reader)).toEqual(['4:ALLOC', '6:ALLOC'])
  })

  it('by types passes these and no others, from the log and live', async () => {
    const { engine, vm } = await start()
    must(await engine.submit(command.allocate(vm, 2, [5, 6]), undefined))
    const types = new Set<NotificationType>(['BIND', 'FREE'])
    const { subscription: reader } = await subscribe(engine, { types, start: { kind: 'after', revision: 0 } })
    must(await engine.submit(command.free(vm, [1]), undefined))
    must(await engine.submit(command.adjustQuota(vm, 9), undefined))
    expect(await told(reader)).toEqual(['4:BIND', '5:FREE'])
  })

  it('never passes what nobody is to be told: data and further devices', async () => {
    const { engine, vm } = await start()
    must(await engine.submit(command.allocate(vm, 1, [5]), undefined))
    const { subscription: reader } = await subscribe(engine, { start: { kind: 'after', revision: 3 } })
    must(await engine.submit(command.attachData(vm, 1, new Uint8Array(3)), undefined))
    must(await engine.submit(command.attachSpid(vm, 1, 5, 'gpu'), undefined))
    expect(await told(reader)).toEqual(['4:ALLOC BIND'])
  })

  it('by token waits for its set, outlives it and serves the next one of that token', async () => {
    const { engine } = await start()
    const { subscription: reader } = await subscribe(engine, { sets: namesOf(['later']) })
    for (let life = 0; life < 2; life++) {
      const later = await createSet(engine, 'later')
      must(await engine.submit(command.deleteSet(later), undefined))
    }
    expect(await told(reader)).toEqual(['4:SET_ALLOC', '5:SET_FREE', '6:SET_ALLOC', '7:SET_FREE'])
  })

  it('by handle falls silent with its set, whoever has the token then', async () => {
    const { engine, vm } = await start()
    const { subscription: reader } = await subscribe(engine, { sets: namesOf([], [vm]) })
    must(await engine.submit(command.deleteSet(vm), undefined))
    const next = await createSet(engine, 'vm')
    must(await engine.submit(command.allocate(next), undefined))
    expect(await told(reader)).toEqual(['4:SET_FREE'])
  })

  it('tells the events of one revision in the order of the contract', async () => {
    const { engine, vm } = await start()
    must(await engine.submit(command.allocate(vm, 3, [7, 8, 9]), undefined))
    must(await engine.submit(command.deleteSet(vm), undefined))
    const { subscription: reader } = await subscribe(engine, { start: { kind: 'after', revision: 3 } })
    expect(await told(reader)).toEqual(['4:ALLOC BIND', '5:UNBIND FREE RECLAIM SET_FREE'])
  })
})

describe('thousands of subscribers', () => {
  it('an entry touches only those who want it', async () => {
    const { engine } = await run()
    let looks = 0
    const counting = new (class extends Set<NotificationType> {
      override has(type: NotificationType): boolean {
        looks += 1
        return super.has(type)
      }
    })(['SET_ALLOC', 'SET_ADJUST'])
    for (let n = 0; n < 3000; n++) await subscribe(engine, { sets: namesOf([`vm${n}`]), types: counting })
    const vm7 = await createSet(engine, 'vm7')
    expect(looks).toBe(1)
    await makeRevisions(engine, vm7, 10)
    expect(looks).toBe(11)
    await createSet(engine, 'none of them')
    await createSet(engine)
    expect(looks).toBe(11)
  })

  it('who leaves takes nobody else along', async () => {
    const { engine, vm } = await start()
    const opened = []
    for (let n = 0; n < 100; n++) opened.push(await subscribe(engine, { sets: namesOf(['vm', 'x'], [vm]) }))
    for (const [n, { close }] of opened.entries()) if (n % 2 === 0) close()
    must(await engine.submit(command.allocate(vm), undefined))
    for (const [n, { subscription: reader }] of opened.entries()) {
      expect(await reader.next()).toMatchObject(n % 2 === 0 ? { kind: 'ended' } : { kind: 'entry', revision: 4 })
    }
  })
})
