import { Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { addressOf, createConnections } from '../../server/rpc/connections.ts'

interface Timer {
  readonly ms: number
  readonly callback: () => void
}

const sockets: Socket[] = []
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy()
})

function started(max: number) {
  const timers: Timer[] = []
  const lines: [facts: object, message: string][] = []
  const write = (facts: object, message: string) => void lines.push([facts, message])
  const after = (ms: number, callback: () => void) => {
    timers.push({ ms, callback })
    return () => undefined
  }
  const connections = createConnections(max, after, { debug: write, info: write, warn: write, error: write })
  const served: Socket[] = []
  const come = () => {
    const socket = new Socket()
    sockets.push(socket)
    connections.admit(socket, () => void served.push(socket))
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
    expect(lines[1]).toEqual([{ max: 1, connections: 98 }, 'more connections were refused'])
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

  it('on a Unix socket all come from the same address', () => {
    expect(addressOf(new Socket())).toBe('')
    expect(addressOf({ remoteAddress: '192.0.2.1' })).toBe('192.0.2.1')
  })
})
