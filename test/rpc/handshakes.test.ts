import { connect as connectPlain, type Socket } from 'node:net'
import { connect } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { HANDSHAKE_MS, MAX_HANDSHAKES } from '../../server/rpc/handshakes.ts'
import { leaves } from '../support/fleet-certificates.ts'
import { as, attempt, closed, H2, listening } from '../support/secure-listener.ts'

describe('a handshake', () => {
  it('has ten seconds, however busy it is', async () => {
    const there = await listening()
    const silent = connectPlain(there.port, '127.0.0.1')
    const slow = connectPlain(there.port, '127.0.0.1')
    await expect.poll(() => there.accepted.length).toBe(2)
    for (const byte of [0x16, 0x03, 0x01, 0x02]) {
      slow.write(Buffer.of(byte))
      there.clock.advance(HANDSHAKE_MS / 4 - 1)
    }
    expect(there.accepted.map(({ destroyed }) => destroyed)).toEqual([false, false])
    there.clock.advance(4)
    await Promise.all([closed(silent), closed(slow)])
    expect(there.lines[0]).toEqual([
      'warn',
      { address: '127.0.0.1', reason: 'it took more than 10 s' },
      'a TLS handshake failed',
    ])
  })

  it('that is through has no end', async () => {
    const there = await listening()
    await attempt(there, as(leaves.dns))
    expect(there.clock.timers).toBe(0)
    there.clock.advance(2 * HANDSHAKE_MS)
    expect(there.served[0]?.destroyed).toBe(false)
  })

  it('that is one too many ends the oldest, and who means it gets through', async () => {
    const there = await listening()
    const silent: Socket[] = []
    for (let index = 0; index < MAX_HANDSHAKES; index++) {
      const socket = connectPlain(there.port, '127.0.0.1')
      onTestFinished(() => void socket.destroy())
      silent.push(socket)
    }
    await expect.poll(() => there.accepted.length, { timeout: 20_000 }).toBe(MAX_HANDSHAKES)
    expect(await attempt(there, as(leaves.dns))).toMatchObject({ identity: 'dns:host.example' })
    expect(there.accepted.filter(({ destroyed }) => destroyed)).toEqual([there.accepted[0]])
  })

  it('by who speaks no TLS ends at once', async () => {
    const there = await listening()
    for (const noise of ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n', '\0'.repeat(64)]) {
      const socket = connectPlain(there.port, '127.0.0.1')
      socket.write(noise)
      await closed(socket)
    }
    expect(there.served).toEqual([])
  })

  it('that fails takes two lines a second in the log, however many they are', async () => {
    const there = await listening()
    for (let round = 0; round < 20; round++) expect(await attempt(there)).toBe('refused')
    expect(there.lines).toHaveLength(1)
    there.clock.advance(1000)
    expect(there.lines.slice(1)).toEqual([['warn', { connections: 19 }, 'more TLS handshakes failed']])
  })

  it('from which the peer goes away is no news, and leaves nothing behind', async () => {
    const there = await listening()
    for (const bytes of ['', '\x16\x03\x01\x02']) {
      const socket = connectPlain(there.port, '127.0.0.1')
      socket.end(bytes, 'latin1')
      await closed(socket)
    }
    await Promise.all(there.accepted.map(closed))
    expect(there.clock.timers).toBe(0)
    expect(there.lines).toEqual([])
  })

  it('is the whole one each time: a session of before is not taken up again', async () => {
    const there = await listening()
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const first = connect({ ...H2, port: there.port, ...as(leaves.dns), maxVersion })
      onTestFinished(() => void first.destroy())
      const sessions: Buffer[] = []
      first.on('session', (session) => sessions.push(session))
      await new Promise((resolve) => first.once('data', resolve))
      const session = sessions.at(-1) ?? first.getSession()
      expect(await attempt(there, { ...as(leaves.dns), maxVersion, session })).not.toBe('refused')
      expect(there.served.at(-1)?.isSessionReused()).toBe(false)
      // Without a certificate it would be the peer of before.
      expect(await attempt(there, { maxVersion, session })).toBe('refused')
    }
  })

  it('is the only one of its connection: in TLS 1.2 a second one is refused', async () => {
    const there = await listening()
    const socket = connect({ ...H2, port: there.port, ...as(leaves.dns), maxVersion: 'TLSv1.2' })
    onTestFinished(() => void socket.destroy())
    await new Promise((resolve) => socket.once('data', resolve))
    const error = await new Promise((resolve) => {
      socket.once('error', resolve)
      socket.renegotiate({}, resolve)
    })
    expect(error).toBeInstanceOf(Error)
  })
})

it('when it closes the handshakes that are under way end, and none begins', async () => {
  const there = await listening()
  const waiting = connectPlain(there.port, '127.0.0.1')
  await expect.poll(() => there.accepted.length).toBe(1)
  there.secure.close()
  await closed(waiting)
  expect(await attempt(there, as(leaves.dns))).toBe('refused')
  expect(there.clock.timers).toBe(0)
})
