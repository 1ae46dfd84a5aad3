import { type ChannelCredentials, type ChannelOptions, credentials } from '@grpc/grpc-js'
import type { Endpoint } from './endpoint.ts'
import { invalidField } from './errors.ts'

/**
 * How a connection by TCP is made secret, and who is at its ends. All of it may be absent: the daemon must then have a
 * certificate of a public CA, one that Node trusts. PEM is text, or the bytes of a file; it is read once, by connect.
 *
 * A daemon whose certificate is not the right one is UNAVAILABLE as one that is away is, and asked again until the call's
 * deadline, for it may be given another certificate, or another endpoint be the right one; the error says what is wrong.
 *
 * @example
 * const pem = (name: string) => readFileSync(`/etc/ioasidd/${name}.pem`)
 * const tls: TlsOptions = { ca: pem('ca'), cert: pem('vm-host'), key: pem('vm-host-key') }
 * const client = connect({ endpoint: 'host.example:7000', tls })
 */
export interface TlsOptions {
  /**
   * The certificates of those CAs, one or more, of which the daemon's certificate may be; no other is then trusted. Default:
   * the public CAs that Node trusts, with those of the file `NODE_EXTRA_CA_CERTS`.
   */
  readonly ca?: string | Uint8Array | undefined
  /** The client's own certificate, and the ones between it and its CA, where the daemon asks for it. Goes with `key`. */
  readonly cert?: string | Uint8Array | undefined
  /** The key of `cert`, not encrypted. */
  readonly key?: string | Uint8Array | undefined
  /** The name, or the IP address, that the daemon's certificate must be for. Default: the host of the endpoint. */
  readonly serverName?: string | undefined
}

/** How connections are made, as grpc-js wants it. */
export interface Security {
  readonly credentials: ChannelCredentials
  readonly channelOptions: ChannelOptions
  /** What it says of the last error of an endpoint to which no connection comes about. */
  readonly explain: (endpoint: Endpoint, lastError: string) => string
}

const isUnix = ({ target }: Endpoint): boolean => target.startsWith('unix:')

/** The other end has gone without a word. */
const CLOSED = /^Failed to connect$|socket closed|socket disconnected|ECONNRESET|EPIPE|socket hang up/i

/** Without TLS. */
const plaintext: Security = {
  credentials: credentials.createInsecure(),
  channelOptions: {},
  explain: (endpoint, lastError) => {
    if (isUnix(endpoint) || !CLOSED.test(lastError)) return `No connection: ${lastError}`
    return `No connection to ${endpoint.name}: it was closed at once; TLS may be wanted there.`
  },
}

const KNOWN = ['ca', 'cert', 'key', 'serverName']

/** What connect is given, checked before anything is sent. */
export function securityOf(endpoints: readonly Endpoint[], tls: TlsOptions | undefined): Security {
  if (tls === undefined) return plaintext
  if (typeof tls !== 'object' || tls === null) throw invalidField('tls', `${String(tls)}; an object is wanted.`)
  const unknown = Object.keys(tls).find((name) => !KNOWN.includes(name))
  if (unknown !== undefined) throw invalidField(`tls.${unknown}`, `not known; ${KNOWN.join(', ')} are.`)
  const ca = tls.ca === undefined ? null : certificates('tls.ca', tls.ca)
  const cert = tls.cert === undefined ? null : certificates('tls.cert', tls.cert)
  const key = tls.key === undefined ? null : privateKey('tls.key', tls.key)
  if (cert === null && key !== null) throw invalidField('tls.key', 'a key goes with its certificate, which is missing.')
  if (cert !== null && key === null)
    throw invalidField('tls.cert', 'a certificate goes with its key, which is missing.')
  const channelOptions = tls.serverName === undefined ? {} : serverOptions('tls.server_name', tls.serverName)
  const socket = endpoints.find(isUnix)
  if (socket !== undefined) {
    throw invalidField('tls', `'${socket.name}' is a Unix socket, which needs no TLS: leave it out, or name host:port.`)
  }
  return {
    credentials: makeCredentials(ca, cert, key),
    channelOptions,
    explain: ({ name }, lastError) => `No connection to ${name}: ${explainHandshake(lastError, cert !== null)}`,
  }
}

function pem(field: string, value: string | Uint8Array): Buffer {
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value)
  throw invalidField(field, `a ${typeof value}; PEM is wanted, as a text or a Uint8Array.`)
}

/** Of CAs that it cannot read Node makes none, without a word: no daemon would be trusted, and nobody told why. */
function certificates(field: string, value: string | Uint8Array): Buffer {
  const bytes = pem(field, value)
  const [, ...blocks] = bytes.toString('latin1').split('-----BEGIN CERTIFICATE-----')
  if (blocks.length === 0) {
    throw invalidField(field, 'no certificate is in it; PEM is wanted, -----BEGIN CERTIFICATE-----.')
  }
  for (const [index, block] of blocks.entries()) {
    const [text = '', end] = block.split('-----END CERTIFICATE-----')
    if (end === undefined || !isSequence(text)) {
      throw invalidField(field, `certificate ${index + 1} of ${blocks.length} is damaged, or not whole.`)
    }
  }
  return bytes
}

/** Whether it is, in base64, one DER sequence from its first byte to its last, as a certificate is. */
function isSequence(text: string): boolean {
  const base64 = text.replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return false
  const bytes = Buffer.from(base64, 'base64')
  const [tag, short = 0] = bytes
  // How many bytes tell the length, where it is too long for one of seven bits.
  const width = short < 0x80 ? 0 : short & 0x7f
  if (tag !== 0x30 || width > 4 || bytes.length < 2 + width) return false
  const length = width === 0 ? short : bytes.readUIntBE(2, width)
  return bytes.length === 2 + width + length
}

function privateKey(field: string, value: string | Uint8Array): Buffer {
  const bytes = pem(field, value)
  const [, label = ''] = /-----BEGIN ((?:[A-Z]+ )?PRIVATE KEY)-----/.exec(bytes.toString('latin1')) ?? []
  if (label === '') throw invalidField(field, 'no key is in it; PEM is wanted, -----BEGIN PRIVATE KEY-----.')
  if (label === 'ENCRYPTED PRIVATE KEY' || bytes.includes('Proc-Type: 4,ENCRYPTED')) {
    throw invalidField(field, 'it is encrypted; a key without a passphrase is wanted.')
  }
  return bytes
}

const HOST_NAME = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/

function serverOptions(field: string, name: string): ChannelOptions {
  if (typeof name !== 'string') throw invalidField(field, `a ${typeof name}; a text is wanted.`)
  const isIpv6 = /^[0-9A-Fa-f:.]+$/.test(name) && URL.canParse(`http://[${name}]`)
  if (!isIpv6 && !HOST_NAME.test(name)) {
    throw invalidField(
      field,
      `'${name.slice(0, 40)}'; a name as host.example, or an IP address, is wanted, without a port.`,
    )
  }
  return { 'grpc.ssl_target_name_override': name, 'grpc.default_authority': isIpv6 ? `[${name}]` : name }
}

/** What OpenSSL does not take is found here, and not with the first call. */
function makeCredentials(ca: Buffer | null, cert: Buffer | null, key: Buffer | null): ChannelCredentials {
  try {
    return credentials.createSsl(ca, key, cert)
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error)
    if (said.includes('key values mismatch')) throw invalidField('tls.key', 'it is not the key of the certificate.')
    // The certificate is looked at first, by another part of OpenSSL.
    if (said.includes('DECODER')) throw invalidField('tls.key', `it cannot be read: ${openSslReason(said)}.`)
    throw invalidField(cert === null ? 'tls.ca' : 'tls.cert', `it cannot be read: ${openSslReason(said)}.`)
  }
}

/** Of `error:CODE:library:function:reason`, with more behind it or not. */
function openSslReason(said: string): string {
  const [, reason = said] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(said) ?? []
  return reason
}

/** Why a handshake failed, in words that say what to do. What is not known is left as it is. */
function explainHandshake(lastError: string, hasCert: boolean): string {
  const [, names] = /does not match certificate's altnames: (.*)$/s.exec(lastError) ?? []
  if (names !== undefined) {
    return `the daemon's certificate is for another name (${names}); if it is the right daemon, give its name as the server name.`
  }
  if (lastError.includes('SSL routines')) return explainAlert(openSslReason(lastError), hasCert)
  if (CLOSED.test(lastError)) {
    return hasCert
      ? "it was closed at once; the client's certificate may not be trusted there."
      : "it was closed at once; a client's certificate may be wanted there."
  }
  // Nearly all that may be wrong with a chain of certificates is said with one of these words.
  if (/certificate|issuer/i.test(lastError)) return `the daemon's certificate is not trusted: ${lastError}.`
  return lastError
}

function explainAlert(reason: string, hasCert: boolean): string {
  if (reason === 'wrong version number' || reason === 'packet length too long') return 'no TLS is spoken there.'
  const [, alert] = /alert (.*)$/.exec(reason) ?? []
  if (alert === undefined) return `the handshake failed: ${reason}.`
  if (!hasCert && alert === 'certificate required') return `a client's certificate is wanted there (${alert}).`
  return hasCert && /certificate|unknown ca/.test(alert)
    ? `the client's certificate is not trusted there: ${alert}.`
    : `the handshake was refused: ${alert}.`
}
