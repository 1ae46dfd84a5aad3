import { describe, expect, it } from 'vitest'
import { createTenants, type OwnLoadLimits } from '../../server/rpc/own-limits.ts'
import { createManualClock } from '../support/manual-clock.ts'

const OWN: OwnLoadLimits = { maxConnections: 3, maxCalls: 4, maxRequests: 2000, maxInFlightBytes: 100 }
const ALL = { maxCalls: 6, maxRequests: 5000 }

function started(limits: OwnLoadLimits | 'no policy' = OWN) {
  const clock = createManualClock()
  const own = limits === 'no policy' ? undefined : limits
  const tenants = createTenants({ own, all: ALL, nowMs: clock.monotonicMs, after: clock.after })
  return { clock, tenants, a: tenants.of('uid:1'), b: tenants.of('uid:2'), c: tenants.of('uid:3') }
}

const tooMany = (what: string, limit: number, retryAfterMs: number) => ({
  reason: 'TOO_MANY',
  metadata: { what, limit: String(limit), retry_after_ms: String(retryAfterMs) },
})

describe('the calls of one identity', () => {
  it('are refused beyond its limit, those of others are not, and one that ends makes room', () => {
    const { a, b } = started()
    for (let call = 0; call < 4; call++) expect(a.begin(1)).toBeUndefined()
    expect(a.begin(1)).toMatchObject(tooMany('own_calls', 4, 100))
    expect(b.begin(1)).toBeUndefined()
    a.end()
    expect(a.begin(1)).toBeUndefined()
  })

  it('count with those of all, and what is refused counts nowhere', () => {
    const { a, b, c } = started()
    for (let call = 0; call < 3; call++) expect([a.begin(1), b.begin(1)]).toEqual([undefined, undefined])
    expect(c.begin(1)).toMatchObject(tooMany('calls', 6, 100))
    a.end()
    expect([c.begin(1), c.begin(1)]).toMatchObject([undefined, { metadata: { what: 'calls' } }])
    b.end()
    expect([c.begin(1), c.begin(1)]).toMatchObject([undefined, { metadata: { what: 'calls' } }])
  })
})

describe('the requests of one identity', () => {
  it('are as many a second as it may make, and it is told when to come again', () => {
    const { clock, a, b } = started()
    expect(a.ask(2000)).toBeUndefined()
    expect(a.begin(1)).toMatchObject(tooMany('own_requests', 2000, 1))
    expect(a.ask(1000)).toMatchObject(tooMany('own_requests', 2000, 501))
    expect(b.begin(1)).toBeUndefined()
    clock.advance(1)
    expect(a.begin(1)).toBeUndefined()
    expect(a.begin(1)).toBeUndefined()
    expect(a.begin(1)).toMatchObject({ metadata: { what: 'own_requests' } })
  })

  it('are refused whole where there is not room for all of a Batch, and nothing of it counts', () => {
    const { a } = started()
    expect(a.ask(1500)).toBeUndefined()
    expect(a.ask(600)).toMatchObject(tooMany('own_requests', 2000, 50))
    expect(a.ask(500)).toBeUndefined()
  })

  it('can be a whole Batch, however few it may make a second', () => {
    const { clock, a } = started({ ...OWN, maxRequests: 10 })
    expect(a.ask(1000)).toBeUndefined()
    expect(a.ask(1000)).toMatchObject(tooMany('own_requests', 10, 100_000))
    clock.advance(100_000)
    expect(a.ask(1000)).toBeUndefined()
  })

  it('count with those of all, and are not taken from its own where those are too many', () => {
    const { clock, a, b, c } = started()
    for (const each of [a, b]) expect(each.ask(2000)).toBeUndefined()
    expect(c.ask(1001)).toMatchObject(tooMany('requests', 5000, 1))
    clock.advance(1)
    expect(c.ask(1001)).toBeUndefined()
  })

  it('are at least one for a Batch, before it is known how many', () => {
    const { a } = started()
    expect(a.begin(0)).toBeUndefined()
    expect(a.ask(2000)).toBeUndefined()
    expect(a.begin(0)).toMatchObject({ metadata: { what: 'own_requests' } })
  })
})

describe('what all connections of one identity make the daemon keep', () => {
  it('is refused where there is no room', () => {
    const { a, b } = started()
    const cut: number[] = []
    const [first, second, other] = [a, a, b].map((tenant) => tenant.keep((bytes) => void cut.push(bytes)))
    first?.add(60)
    expect(second?.refuses(40)).toBeUndefined()
    expect(second?.refuses(41)).toMatchObject(tooMany('own_in_flight', 100, 100))
    expect(other?.refuses(100)).toBeUndefined()
    first?.give(1)
    expect(second?.refuses(41)).toBeUndefined()
    expect(cut).toEqual([])
  })

  it('cuts off the connection of it that has the most where answers are not read', () => {
    const { a } = started()
    const cut: [string, number][] = []
    const first = a.keep((bytes) => void cut.push(['first', bytes]))
    const second = a.keep((bytes) => void cut.push(['second', bytes]))
    first?.add(60)
    second?.add(41)
    expect(cut).toEqual([['first', 60]])
    expect(second?.refuses(59)).toBeUndefined()
  })
})

describe('without a policy', () => {
  it('nobody has limits of his own, and those in all hold', () => {
    const { tenants, a, b } = started('no policy')
    expect(tenants.isEachApart).toBe(false)
    expect(a.keep(() => undefined)).toBeUndefined()
    for (let connection = 0; connection < 100; connection++) expect(a.connect()).toBe(true)
    for (let call = 0; call < 6; call++) expect(a.begin(1)).toBeUndefined()
    expect(b.begin(1)).toMatchObject(tooMany('calls', 6, 100))
    expect(a.ask(4994)).toBeUndefined()
    expect(b.ask(1)).toMatchObject(tooMany('requests', 5000, 1))
    expect(tenants.size).toBe(0)
  })
})

describe('a refused call', () => {
  it('is counted with those of the same second', () => {
    const { clock, a, b } = started()
    expect([a.refused(), a.refused(), b.refused()]).toEqual([1, 2, 1])
    clock.advance(999)
    expect(a.refused()).toBe(3)
    clock.advance(1)
    expect(a.refused()).toBe(1)
  })
})

describe('the health checks of a connection that says nothing of itself', () => {
  it('are refused by nobody else, and have a limit of their own', () => {
    const { clock, tenants, a, b } = started()
    const nobody = tenants.of('')
    for (let call = 0; call < 4; call++) nobody.begin(1)
    for (let call = 0; call < 3; call++) [a, b].map((each) => each.begin(1))
    expect(nobody.begin(1)).toMatchObject({ metadata: { what: 'own_calls' } })
    const prober = tenants.prober()
    for (let check = 0; check < 100; check++) {
      expect(prober.begin(1)).toBeUndefined()
      prober.end()
    }
    expect(prober.begin(1)).toMatchObject(tooMany('own_requests', 100, 10))
    expect(tenants.prober().begin(1)).toBeUndefined()
    clock.advance(10)
    expect(prober.begin(1)).toBeUndefined()
  })
})

describe('an identity', () => {
  const gone = (own = OWN) => {
    const { clock, tenants } = started(own)
    clock.advance(1)
    const a = tenants.of('x')
    a.connect()
    return { clock, tenants, a, before: tenants.size - 1 }
  }

  it('is forgotten when its connections have ended and what it asked for can no longer be seen', () => {
    const { clock, tenants, a, before } = gone()
    a.ask(2000)
    a.disconnect()
    clock.advance(999)
    expect(tenants.of('x')).toBe(a)
    clock.advance(1)
    expect(tenants.size).toBe(before)
    expect(tenants.of('x')).not.toBe(a)
  })

  it('has no more by coming again', () => {
    const { clock, tenants, a } = gone()
    a.ask(2000)
    a.disconnect()
    clock.advance(500)
    const again = tenants.of('x')
    expect(again.connect()).toBe(true)
    expect(again.ask(1001)).toMatchObject({ metadata: { what: 'own_requests' } })
    clock.advance(60_000)
    expect(tenants.of('x')).toBe(again)
    again.disconnect()
    clock.advance(1)
    expect(tenants.of('x')).not.toBe(again)
  })

  it('is kept while calls of it are under way that its connection has left behind', () => {
    const { clock, tenants, a } = gone()
    a.begin(1)
    a.disconnect()
    clock.advance(60_000)
    expect(tenants.of('x')).toBe(a)
    a.end()
    clock.advance(60_000)
    expect(tenants.of('x')).not.toBe(a)
  })

  it('is remembered as long as its refused calls count', () => {
    const { clock, tenants, a } = gone()
    a.refused()
    a.disconnect()
    clock.advance(999)
    expect(tenants.of('x')).toBe(a)
    clock.advance(1)
    expect(tenants.of('x')).not.toBe(a)
  })
})
