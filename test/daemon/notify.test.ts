import { describe, expect, it } from 'vitest'
import { createNotify, type NotifyOptions, socketAddress } from '../../server/notify.ts'
import { createManualClock, settle } from '../support/manual-clock.ts'

/** systemd, as the daemon sees it: what it was told, and with which errno it takes the next word. */
async function told(env: Record<string, string> = {}, changes: Partial<NotifyOptions> = {}) {
  const clock = createManualClock()
  const said: string[] = []
  const warnings: object[] = []
  const systemd = { errno: 0 }
  const notify = await createNotify(
    {
      env: { NOTIFY_SOCKET: '/run/systemd/notify', ...env },
      pid: 42,
      clock,
      monotonicUsec: () => 1_234_567n,
      isWell: () => true,
      log: { warn: (facts) => void warnings.push(facts) },
      ...changes,
    },
    () =>
      Promise.resolve((message) => {
        if (systemd.errno === 0) said.push(message)
        return systemd.errno
      }),
  )
  return { notify, clock, said, warnings, systemd }
}

describe('systemd', () => {
  it('hears of readiness, reloads and the end, each in one message', async () => {
    const { notify, said } = await told()
    notify.ready('serving on unix:///a\nREADY=0')
    notify.reloading()
    notify.ready('serving')
    notify.stopping()
    expect(said).toEqual([
      'READY=1\nSTATUS=serving on unix:///a READY=0',
      'RELOADING=1\nMONOTONIC_USEC=1234567',
      'READY=1\nSTATUS=serving',
      'STOPPING=1\nSTATUS=draining',
    ])
  })

  it('hears nothing where it does not ask', async () => {
    const { notify, clock, said } = await told({ NOTIFY_SOCKET: '', WATCHDOG_USEC: '30000000' })
    notify.ready('serving')
    clock.advance(60_000)
    await settle()
    expect([said, clock.timers]).toEqual([[], 0])
  })

  it('is asked again where its queue is full, and then hears the last word alone', async () => {
    const { notify, clock, said, systemd } = await told()
    systemd.errno = 11
    notify.ready('serving')
    notify.stopping()
    clock.advance(1000)
    systemd.errno = 0
    clock.advance(100)
    expect(said).toEqual(['STOPPING=1\nSTATUS=draining'])
    expect(clock.timers).toBe(0)
  })

  it('that does not read for a minute is not asked for ever, and that is said once', async () => {
    const { notify, clock, warnings, systemd } = await told()
    systemd.errno = 11
    notify.ready('serving')
    clock.advance(3_600_000)
    systemd.errno = 111
    notify.stopping()
    expect(clock.timers).toBe(0)
    expect(warnings).toEqual([{ errno: 11, socket: '/run/systemd/notify' }])
  })

  it('that cannot be reached is no reason to end', async () => {
    const warnings: object[] = []
    const log = { warn: (facts: object) => void warnings.push(facts) }
    const { clock } = await told()
    const env = { NOTIFY_SOCKET: 'vsock:2:1' }
    const notify = await createNotify({ env, pid: 42, clock, monotonicUsec: () => 0n, isWell: () => true, log })
    notify.ready('serving')
    notify.stopping()
    expect(warnings).toHaveLength(1)
  })
})

describe('the watchdog', () => {
  it('is told at half its time, from when the daemon serves', async () => {
    const { notify, clock, said } = await told({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '42' })
    clock.advance(60_000)
    notify.ready('serving')
    notify.ready('again')
    said.length = 0
    for (let half = 0; half < 3; half++) {
      clock.advance(15_000)
      await settle()
    }
    expect(said).toEqual(['WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1'])
  })

  it('is not told while the daemon is not well', async () => {
    let isWell = true
    const { notify, clock, said } = await told({ WATCHDOG_USEC: '2000000' }, { isWell: () => isWell })
    notify.ready('serving')
    clock.advance(1000)
    await settle()
    isWell = false
    clock.advance(10_000)
    await settle()
    expect(said.filter((message) => message === 'WATCHDOG=1')).toHaveLength(1)
  })

  it('of another process is not ours to tell', async () => {
    const { notify, clock } = await told({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '41' })
    notify.ready('serving')
    expect(clock.timers).toBe(0)
  })
})

describe('the socket', () => {
  it('has a path, or a name that begins with a zero', () => {
    expect(socketAddress('/run/n').toString('latin1')).toBe('\x01\0/run/n\0')
    expect(socketAddress('@n@m').toString('latin1')).toBe('\x01\0\0n@m')
  })

  it('is refused where it is neither, or longer than an address', () => {
    expect(() => socketAddress('vsock:2:1')).toThrow('NOTIFY_SOCKET is neither a path nor an abstract name: vsock:2:1')
    expect(() => socketAddress('/')).toThrow('neither')
    expect(() => socketAddress(`/${'x'.repeat(107)}`)).toThrow('longer than 108 bytes')
  })
})
