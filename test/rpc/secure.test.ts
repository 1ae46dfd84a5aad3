import { createServer as createHttp2Server, type ServerHttp2Session } from 'node:http2'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { type Peer, peerOf } from '../../server/rpc/peer.ts'
import { ca, client, server as ofServer, otherCa, stranger } from '../support/certificates.ts'
import { fleetCa, leaves } from '../support/fleet-certificates.ts'
import { as, attempt, certificates, closed, listening } from '../support/secure-listener.ts'

describe('who has a certificate of a trusted CA, for clients', () => {
  it.each([
    ['spiffe', 'spiffe://example.org/vm-a'],
    ['dns', 'dns:host.example'],
    ['cn', 'cn:uid:0'],
    ['commas', ''],
    ['uris', ''],
  ] as const)('is served as who it is: %s', async (name, identity) => {
    const peer = { identity, groups: [], pid: undefined, address: '127.0.0.1' }
    for (const needs of [true, false]) expect(await attempt(await listening({ needs }), as(leaves[name]))).toEqual(peer)
  })

  it('is who it is to an HTTP/2 session too', async () => {
    const there = await listening()
    const http2 = createHttp2Server()
    const peers: Peer[] = []
    http2.on('session', (session) => peers.push(peerOf(session.socket)))
    expect(await attempt(there, as(leaves.spiffe))).not.toBe('refused')
    http2.emit('connection', there.served[0])
    expect(peers.map(({ identity }) => identity)).toEqual(['spiffe://example.org/vm-a'])
  })

  it('leaves nothing behind when it goes, or its session is ended', async () => {
    const there = await listening()
    const http2 = createHttp2Server()
    const sessions: ServerHttp2Session[] = []
    http2.on('session', (session) => void sessions.push(session))
    for (const _client of ['goes', 'is ended']) {
      await attempt(there, as(leaves.dns))
      http2.emit('connection', there.served.at(-1))
    }
    there.clients[0]?.destroy()
    await Promise.all(there.accepted.slice(0, 1).map(closed))
    expect(there.accepted.map(({ destroyed }) => destroyed)).toEqual([true, false])
    sessions[1]?.destroy()
    await Promise.all(there.accepted.map(closed))
  })

  it('is served by TLS 1.2 as by 1.3, and whatever has come before its handshake could begin', async () => {
    const there = await listening({ pauseMs: 100 })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      expect(await attempt(there, { ...as(leaves.dns), maxVersion })).toMatchObject({ identity: 'dns:host.example' })
    }
    expect(there.served.map((secured) => secured.getProtocol())).toEqual(['TLSv1.2', 'TLSv1.3'])
  })
})

describe('who has no certificate', () => {
  it('is refused where one is needed', async () => {
    const there = await listening()
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
      expect(await attempt(there, { maxVersion })).toBe('refused')
    expect(there.lines[0]).toMatchObject([
      'warn',
      { reason: 'peer did not return a certificate' },
      'a TLS handshake failed',
    ])
  })

  it('is nobody where it is only asked for, or not even that', async () => {
    const nobody = { identity: '', groups: [], pid: undefined, address: '127.0.0.1' }
    expect(await attempt(await listening({ needs: false }))).toEqual(nobody)
    const unasked = await listening({ asks: false })
    expect(await attempt(unasked)).toEqual(nobody)
    expect(await attempt(unasked, as(leaves.spiffe))).toEqual(nobody)
  })
})

describe('refused, whether a certificate is needed or only asked for, is who', () => {
  it.each<[string, ConnectionOptions, RegExp]>([
    ['has one that has expired', as(leaves.lapsed), /not trusted: CERT_HAS_EXPIRED/],
    ['has one of another CA', stranger, /not trusted: UNABLE_TO_|not trusted: .*SIGNED_CERT/],
    ['has one of another CA that calls itself the same', client, /not trusted: /],
    ['has one for servers', as(leaves.forServers), /not trusted: INVALID_PURPOSE/],
    [
      'speaks TLS 1.1',
      { ...as(leaves.dns), minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' },
      /unsupported protocol/,
    ],
    ['wants HTTP/1.1', { ...as(leaves.dns), ALPNProtocols: ['http/1.1'] }, /no application protocol/],
    ['does not say that it speaks HTTP/2', { ...as(leaves.dns), ALPNProtocols: [] }, /does not speak h2/],
  ])('%s', async (_who, options, reason) => {
    for (const needs of [true, false]) {
      const there = await listening({ needs })
      expect(await attempt(there, options)).toBe('refused')
      await Promise.all(there.accepted.map(closed))
      expect(there.lines).toEqual([
        ['warn', { address: '127.0.0.1', reason: expect.stringMatching(reason) }, 'a TLS handshake failed'],
      ])
    }
  })
})

it('a certificate that does not say what it is for is not for clients', async () => {
  const there = await listening()
  there.secure.use(certificates(leaves.server, ca))
  expect(await attempt(there, client)).toMatchObject({ identity: 'cn:client' })
  expect(await attempt(there, ofServer)).toBe('refused')
  expect(there.lines[0]).toMatchObject([
    'warn',
    { reason: expect.stringContaining('is not for clients') },
    expect.anything(),
  ])
})

describe('certificates that are changed', () => {
  const commonName = (socket: TLSSocket | undefined) => socket?.getX509Certificate()?.subject

  it('are those of later handshakes, and what was there lives on', async () => {
    const there = await listening()
    await attempt(there, as(leaves.spiffe))
    there.secure.use(certificates(leaves.renewed, fleetCa))
    await attempt(there, as(leaves.spiffe))
    expect(there.served.map(commonName)).toEqual(['CN=first', 'CN=renewed'])
    expect(there.served.map(({ destroyed }) => destroyed)).toEqual([false, false])
    expect(there.served.map((secured) => peerOf(secured).identity)).toEqual(Array(2).fill('spiffe://example.org/vm-a'))
  })

  it('refuse from then on who has one of a CA that is not trusted any more', async () => {
    const there = await listening()
    expect(await attempt(there, as(leaves.spiffe))).not.toBe('refused')
    there.secure.use(certificates(leaves.server, otherCa))
    expect(await attempt(there, as(leaves.spiffe))).toBe('refused')
    expect(there.served[0]?.destroyed).toBe(false)
  })
})
