import { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { addressOf, createConnections } from '../../server/rpc/connections.ts'
import { createTenants, type OwnLoadLimits } from '../../server/rpc/own-limits.ts'
import { setPeer, UNKNOWN_PEER } from '../../server/rpc/peer.ts'

interface Timer {
  readonly ms: number
  readonly callback: () => void
}

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

const OWN = { maxConnections: 2, maxCalls: 10, maxRequests: 10, maxInFlightBytes: 1000 }

/** `own`: there is a policy. */
function started(max: number, own?: OwnLoadLimits) {
  const timers: Timer[] = []
  const lines: [facts: object, message: string][] = []
  const write = (facts: object, message: string) => void lines.push([facts, message])
  const after = (ms: number, callback: () => void) => {
    timers.push({ ms, callback })
    return () => undefined
  }
  const tenants = createTenants({ own, all: { maxCalls: 10, maxRequests: 10 }, nowMs: () => 0, after })
  const log = { debug: write, info: write, warn: write, error: write }
  const connections = createConnections(max, tenants, after, log)
  const served: Socket[] = []
  const come = (identity = '') => {
    const socket = new Socket()
    sockets.push(socket)
    setPeer(socket, { ...UNKNOWN_PEER, identity })
    connections.admit(socket, () => connections.enter(socket, () => void served.push(socket)))
    return socket
  }
  const pass = () => {
    for (const { callback } of timers.splice(0)) callback()
  }
  const giveUp = (address: string, calls: number) => {
    for (let call = 0; call < calls; call++) connections.gaveUp(address)
  }
  return { connections, timers, lines, served, come, pass, giveUp }
}

const closed = (socket: Socket) => new Promise((resolve) => socket.once('close', resolve).destroy())

describe('connections', () => {
  it('beyond the limit are closed, and one that ends makes room', async () => {
    const { connections, served, come } = started(2)
    const [first, second, third] = [come(), come(), come()]
    expect(served).toEqual([first, second])
    expect(third.destroyed).toBe(true)
    await closed(first)
    expect(connections.count).toBe(1)
    const fourth = come()
    expect(served).toEqual([first, second, fourth])
  })

  it('that are refused take two lines a second in the log, however many they are', () => {
    const { lines, come, pass } = started(1)
    for (let round = 0; round < 100; round++) come()
    expect(lines).toHaveLength(1)
    pass()
    expect(lines[1]).toEqual([
      { connections: 98 },
      'more connections were refused: there are --max-connections already',
    ])
    come()
    expect(lines).toHaveLength(3)
    pass()
    expect(lines).toHaveLength(3)
  })

  it('from where too many calls were given up are served a second later, in the order of coming, and then at once again', async () => {
    const { timers, served, come, pass, giveUp } = started(10)
    giveUp('', 4999)
    expect(timers.map(({ ms }) => ms)).toEqual([1000])
    giveUp('', 100)
    expect(timers.map(({ ms }) => ms)).toEqual([1000, 1000])
    const [first, second, third] = [come(), come(), come()]
    expect(served).toEqual([])
    // One that leaves while it waits is not served any more.
    await closed(second)
    pass()
    expect(served).toEqual([first, third])
    const fourth = come()
    expect(served).toEqual([first, third, fourth])
  })

  it('from elsewhere do not wait', () => {
    const { served, come, giveUp } = started(10)
    giveUp('192.0.2.1', 500)
    const first = come()
    expect(served).toEqual([first])
  })

  it('from where calls are given up do not wait as long as it is few of them in a second', () => {
    const { served, come, pass, giveUp } = started(10)
    for (let second = 0; second < 5; second++) {
      giveUp('', 4999)
      pass()
    }
    const first = come()
    expect(served).toEqual([first])
  })

  it('of one identity beyond its limit are closed where there is a policy, and those of others are not', async () => {
    const { connections, served, lines, come } = started(10, OWN)
    const [first, second, third, other] = [come('uid:1'), come('uid:1'), come('uid:1'), come('uid:2')]
    expect(served).toEqual([first, second, other])
    expect(third.destroyed).toBe(true)
    expect(lines).toEqual([
      [{ identity: 'uid:1' }, 'a connection was refused: its identity has --max-own-connections already'],
    ])
    await Promise.all([closed(first), new Promise((resolve) => setImmediate(resolve))])
    expect(connections.count).toBe(2)
    const fourth = come('uid:1')
    expect(served).toEqual([first, second, other, fourth])
  })

  it('of one identity are as many as in all where there is no policy', () => {
    const { served, come } = started(10)
    for (let round = 0; round < 10; round++) come('uid:1')
    expect(served).toHaveLength(10)
  })

  it('of nobody known are one identity where there is a policy', () => {
    const { served, come } = started(10, OWN)
    for (let round = 0; round < 10; round++) come('')
    expect(served).toHaveLength(2)
  })

  it('of an identity that gave up too many calls wait, and nobody else who comes from there', () => {
    const { connections, served, come, pass, giveUp } = started(10, OWN)
    const [first] = [come('uid:1')]
    giveUp(connections.originOf(first), 500)
    const [second, other] = [come('uid:1'), come('uid:2')]
    expect(served).toEqual([first, other])
    pass()
    expect(served).toEqual([first, other, second])
  })

  it('that have ended before their peer was known do not count', async () => {
    const { connections, served } = started(10, OWN)
    for (let round = 0; round < 3; round++) {
      const socket = new Socket()
      await closed(socket)
      connections.enter(socket, () => void served.push(socket))
    }
    expect(served).toEqual([])
  })

  it('on a Unix socket all come from the same address', () => {
    expect(addressOf(new Socket())).toBe('')
    expect(addressOf({ remoteAddress: '192.0.2.1' })).toBe('192.0.2.1')
  })
})
