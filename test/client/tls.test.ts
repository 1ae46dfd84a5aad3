import { createConnection, createServer } from 'node:net'
import { ServerCredentials } from '@grpc/grpc-js'
import { afterEach, describe, expect, it } from 'vitest'
import { parseEndpoint } from '../../client/endpoint.ts'
import { type ConnectOptions, connect, type Interruption, IoasidError, type TlsOptions } from '../../client/index.ts'
import { securityOf } from '../../client/tls.ts'
import { ca, client, otherCa, server, stranger } from '../support/certificates.ts'
import { startFake } from './grpc-daemon.ts'
import { events, header } from './messages.ts'

const cleanUps: (() => unknown)[] = []

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

const pair = { private_key: Buffer.from(server.key), cert_chain: Buffer.from(server.cert) }
const secrets = {
  none: ServerCredentials.createInsecure(),
  tls: ServerCredentials.createSsl(null, [pair]),
  /** It asks for a certificate of its CA. */
  mtls: ServerCredentials.createSsl(Buffer.from(ca), [pair], true),
}

async function daemon(secret: keyof typeof secrets, { host = '127.0.0.1', version = 'a' } = {}): Promise<number> {
  const handlers = {
    getStatus: (_call: unknown, answer: (error: null, value: object) => void) =>
      answer(null, { version, role: 'LEADER' as const }),
    subscribe: (call: { write: (message: object) => unknown }) => {
      call.write(header(3))
      call.write(events(4, 3, [7]))
    },
  }
  const { stop, port } = await startFake(`${host}:0`, handlers, secrets[secret])
  cleanUps.push(stop)
  return port
}

function open(endpoint: ConnectOptions['endpoint'], tls: TlsOptions | undefined, maxAttempts = Infinity) {
  const retry = { initialDelayMs: 5, maxDelayMs: 20, maxAttempts }
  const connected = connect({ endpoint, tls, deadlineMs: 20_000, retry })
  cleanUps.push(connected.close)
  return connected
}

/** Why a call is not answered, tried once. */
async function failure(endpoint: string, tls: TlsOptions | undefined): Promise<string> {
  const error: unknown = await open(endpoint, tls, 1)
    .getStatus()
    .catch((thrown) => thrown)
  expect(error).toBeInstanceOf(IoasidError)
  expect(error).toMatchObject({ code: 'UNAVAILABLE', reason: undefined })
  return error instanceof IoasidError ? error.message : ''
}

describe('over TLS', () => {
  it('calls are answered and subscriptions told, with a certificate on both sides', async () => {
    const mutual = open(`localhost:${await daemon('mtls')}`, { ca, ...client })
    expect(await mutual.getStatus()).toMatchObject({ version: 'a' })
    for await (const { revision } of mutual.subscribe({ all: true, start: 'now' })) {
      expect(revision).toBe(4n)
      break
    }
  })

  it('PEM may be bytes, and a CA one of several', async () => {
    const bytes = (text: string) => new TextEncoder().encode(text)
    const tls = { ca: bytes(`A note.\r\n${otherCa}${ca}`), cert: bytes(client.cert), key: bytes(client.key) }
    expect(await open(`tcp://localhost:${await daemon('mtls')}`, tls).getStatus()).toMatchObject({ version: 'a' })
  })

  it('a client without a certificate is served where none is asked for', async () => {
    const endpoint = `localhost:${await daemon('tls')}`
    expect(await open(endpoint, { ca }).getStatus()).toMatchObject({ version: 'a' })
    expect(await open(endpoint, { ca, ...client }).getStatus()).toMatchObject({ version: 'a' })
  })

  it('a certificate that is not for the host of the endpoint is for the name that is given', async () => {
    const endpoint = `127.0.0.2:${await daemon('tls', { host: '127.0.0.2' })}`
    const said = await failure(endpoint, { ca })
    expect(said).toBe(
      `No connection to ${endpoint}: the daemon's certificate is for another name (IP: 127.0.0.2 is not in the cert's list: ` +
        '127.0.0.1); if it is the right daemon, give its name as the server name.',
    )
    expect(await failure(endpoint, { ca, serverName: '::1' })).toMatch(/is for another name \((IP|Host): ::1/)
    for (const serverName of ['localhost', '127.0.0.1']) {
      expect(await open(endpoint, { ca, serverName }).getStatus()).toMatchObject({ version: 'a' })
    }
  })

  it('the next endpoint is asked when the certificate of one is not trusted', async () => {
    const untrusted = `127.0.0.2:${await daemon('tls', { host: '127.0.0.2', version: 'untrusted' })}`
    const both = open([untrusted, `localhost:${await daemon('tls', { version: 'b' })}`], { ca })
    expect(await both.getStatus()).toMatchObject({ version: 'b' })
    expect(await both.subscribe({ all: true, start: 'now' }).next()).toMatchObject({ value: { revision: 4n } })
  })

  it('a daemon is asked again until it has the right certificate', async () => {
    const [wrong, right] = [await daemon('none'), await daemon('tls')]
    let port = wrong
    const front = createServer((socket) => {
      const back = createConnection(port, '127.0.0.1')
      for (const end of [socket, back]) end.on('error', () => {})
      socket.pipe(back).pipe(socket)
    })
    await new Promise<void>((resolve) => front.listen(0, '127.0.0.1', resolve))
    cleanUps.push(() => front.close())
    const address = front.address()
    const waiting = open(`localhost:${typeof address === 'object' ? address?.port : ''}`, { ca })
    const status = waiting.getStatus()
    let first: Promise<unknown> = Promise.resolve()
    const interruption = await new Promise<Interruption>((onInterrupted) => {
      first = waiting.subscribe({ all: true, start: 'now', onInterrupted }).next()
    })
    expect(interruption.error).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('no TLS is spoken there'),
    })
    port = right
    expect(await first).toMatchObject({ value: { revision: 4n } })
    expect(await status).toMatchObject({ version: 'a' })
  })
})

describe('a handshake that fails says why:', () => {
  it.each<[string, keyof typeof secrets, TlsOptions | undefined, string | RegExp]>([
    [
      "a CA that is not the daemon's",
      'mtls',
      { ca: otherCa, ...client },
      "the daemon's certificate is not trusted: self-signed certificate in certificate chain.",
    ],
    ['the CAs of Node', 'tls', {}, /^the daemon's certificate is not trusted: .*certificate.*\.$/],
    [
      'another name',
      'tls',
      { ca, serverName: 'b.example' },
      /is for another name \(Host: b\.example\. is not in the cert's/,
    ],
    // Where the daemon's side is gone before its word is read, there is no word.
    [
      'no certificate',
      'mtls',
      { ca },
      /a client's certificate (is wanted there \(.*certificate required\)|may be wanted there)\.$/,
    ],
    [
      'a certificate of another CA',
      'mtls',
      { ca, ...stranger },
      "it was closed at once; the client's certificate may not be trusted there.",
    ],
    ['TLS with who has none', 'none', { ca }, 'no TLS is spoken there.'],
    ['no TLS with who has it', 'tls', undefined, 'it was closed at once; TLS may be wanted there.'],
  ])('%s', async (_what, secret, tls, why) => {
    const endpoint = `localhost:${await daemon(secret)}`
    const said = await failure(endpoint, tls)
    const start = `No connection to ${endpoint}: `
    expect(said.slice(0, start.length)).toBe(start)
    if (typeof why === 'string') expect(said.slice(start.length)).toBe(why)
    else expect(said.slice(start.length)).toMatch(why)
  })

  const alert = (text: string) =>
    `805C:error:0A000418:SSL routines:ssl3_read_bytes:${text}:../rec.c:1:SSL alert number 1`
  it.each<[string, TlsOptions, string]>([
    [alert('tlsv1 alert unknown ca'), client, "the client's certificate is not trusted there: unknown ca."],
    [
      alert('sslv3 alert certificate expired'),
      client,
      "the client's certificate is not trusted there: certificate expired.",
    ],
    [alert('tlsv13 alert certificate required'), {}, "a client's certificate is wanted there (certificate required)."],
    [alert('tlsv1 alert protocol version'), {}, 'the handshake was refused: protocol version.'],
    [alert('unsupported protocol'), {}, 'the handshake failed: unsupported protocol.'],
    [alert('packet length too long'), {}, 'no TLS is spoken there.'],
    ['certificate has expired', {}, "the daemon's certificate is not trusted: certificate has expired."],
    ['read ECONNRESET', {}, "it was closed at once; a client's certificate may be wanted there."],
    ['connect ETIMEDOUT 192.0.2.1:1', {}, 'connect ETIMEDOUT 192.0.2.1:1'],
  ])('%s', (lastError, tls, why) => {
    const endpoint = parseEndpoint('host:1')
    expect(securityOf([endpoint], tls).explain(endpoint, lastError)).toBe(`No connection to host:1: ${why}`)
  })

  it('where nobody listens', async () => {
    const endpoint = '127.0.0.1:1'
    expect(await failure(endpoint, { ca, serverName: 'localhost' })).toBe(
      `No connection to ${endpoint}: connect ECONNREFUSED ${endpoint}`,
    )
    expect(await failure(endpoint, undefined)).toBe(`No connection: connect ECONNREFUSED ${endpoint}`)
  })
})

const cut = (pem: string): string => pem.replace(/\n[^-]{20}/, '\n')
/** Whole, but of something else. */
const noCertificate = '-----BEGIN CERTIFICATE-----\nMAIEAA==\n-----END CERTIFICATE-----\n'
const NO_CERTIFICATE = 'no certificate is in it; PEM is wanted, -----BEGIN CERTIFICATE-----.'
const NO_KEY = 'no key is in it; PEM is wanted, -----BEGIN PRIVATE KEY-----.'
const ENCRYPTED = 'it is encrypted; a key without a passphrase is wanted.'
const encrypted = client.key.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')
const formerlyEncrypted =
  '-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,49B0\n\nAAAA\n-----END EC PRIVATE KEY-----\n'
const name = (text: string) => `'${text}'; a name as host.example, or an IP address, is wanted, without a port.`

describe('options of TLS that make no sense are refused when the client is made:', () => {
  it.each<[string, string, unknown]>([
    ['tls', 'true; an object is wanted.', true],
    ['tls', 'null; an object is wanted.', null],
    ['tls.caFile', 'not known; ca, cert, key, serverName are.', { caFile: 'ca.pem' }],
    ['tls.ca', 'a number; PEM is wanted, as a text or a Uint8Array.', { ca: 5 }],
    ['tls.ca', 'a object; PEM is wanted, as a text or a Uint8Array.', { ca: [ca] }],
    ['tls.ca', NO_CERTIFICATE, { ca: '' }],
    ['tls.ca', NO_CERTIFICATE, { ca: '/etc/ioasidd/ca.pem' }],
    ['tls.ca', NO_CERTIFICATE, { ca: client.key }],
    ['tls.ca', 'certificate 2 of 2 is damaged, or not whole.', { ca: ca + cut(otherCa) }],
    ['tls.ca', 'certificate 1 of 1 is damaged, or not whole.', { ca: ca.slice(0, 300) }],
    ['tls.ca', 'certificate 1 of 1 is damaged, or not whole.', { ca: ca.replace('M', '*') }],
    ['tls.cert', NO_CERTIFICATE, { cert: new Uint8Array(), key: client.key }],
    ['tls.cert', 'certificate 1 of 1 is damaged, or not whole.', { cert: cut(client.cert), key: client.key }],
    ['tls.cert', 'it cannot be read: wrong tag.', { cert: noCertificate, key: client.key }],
    ['tls.cert', 'a certificate goes with its key, which is missing.', { ca, cert: client.cert }],
    ['tls.key', 'a key goes with its certificate, which is missing.', { ca, key: client.key }],
    ['tls.key', NO_KEY, { cert: client.cert, key: client.cert }],
    ['tls.key', ENCRYPTED, { cert: client.cert, key: encrypted }],
    ['tls.key', ENCRYPTED, { cert: client.cert, key: formerlyEncrypted }],
    ['tls.key', 'it cannot be read: unsupported.', { cert: client.cert, key: cut(client.key) }],
    ['tls.key', 'it is not the key of the certificate.', { cert: client.cert, key: stranger.key }],
    ['tls.server_name', 'a number; a text is wanted.', { serverName: 5 }],
    ['tls.server_name', name(''), { serverName: '' }],
    ['tls.server_name', name('host:7000'), { serverName: 'host:7000' }],
    ['tls.server_name', name('h\u00f6st'), { serverName: 'h\u00f6st' }],
    ['tls.server_name', name('a b'), { serverName: 'a b' }],
  ])('%s: %s', (field, description, tls) => {
    const refused = { code: 'INVALID_ARGUMENT', reason: 'INVALID_FIELD', violations: [{ field, description }] }
    let thrown: unknown
    try {
      connect({ endpoint: 'host:1', tls: tls as never })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject(refused)
  })

  it('a Unix socket', () => {
    const socket = 'unix:///run/ioasidd/ioasidd.sock'
    const says = `tls: '${socket}' is a Unix socket, which needs no TLS: leave it out, or name host:port.`
    expect(() => connect({ endpoint: socket, tls: {} })).toThrow(says)
    expect(() => connect({ endpoint: ['host:1', socket], tls: { ca } })).toThrow(says)
  })
})
