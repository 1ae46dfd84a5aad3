import type { Socket } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import type { Certificates } from './certificate-files.ts'
import { identityOf } from './certificate-identity.ts'
import { createHandshakes } from './handshakes.ts'
import type { Log } from './log.ts'
import { setPeer, strangerAt } from './peer.ts'
import type { After } from './stream.ts'

/** TLS for connections that others have accepted. */
export interface Secure {
  /** Begins the handshake, and hands over what comes of it, with its peer; or closes the connection. */
  accept(socket: Socket, serve: (secured: TLSSocket) => void): void
  /** For handshakes that begin from now on. Connections that there are keep what they began with. */
  use(certificates: Certificates): void
  /** Ends the handshakes that are under way, and all that are to come. */
  close(): void
}

export interface SecureOptions {
  readonly certificates: Certificates
  /** Whether clients are asked for a certificate: then one that is not valid is refused. */
  readonly asksForCertificate: boolean
  /** Whether one without is refused too. */
  readonly needsCertificate: boolean
  readonly after: After
  readonly log: Log
}

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

export function createSecure(options: SecureOptions): Secure {
  const { asksForCertificate, needsCertificate, after, log } = options
  const handshakes = createHandshakes(after, log)
  const settings: TlsOptions = {
    ...options.certificates.options,
    ALPNProtocols: ['h2'],
    requestCert: asksForCertificate,
    rejectUnauthorized: needsCertificate,
  }
  const server = createServer(settings, (secured) => {
    secured.on('error', () => undefined)
    const serve = handshakes.take(secured)
    const refusal = serve === undefined ? 'the peer has gone' : whyNot(secured, needsCertificate)
    if (serve === undefined || refusal !== undefined) {
      handshakes.failed(secured, refusal ?? '')
      return void secured.destroy()
    }
    const certificate = secured.authorized ? secured.getPeerX509Certificate() : undefined
    const stranger = strangerAt(secured.remoteAddress ?? '')
    setPeer(secured, certificate === undefined ? stranger : { ...stranger, identity: identityOf(certificate) })
    serve(secured)
  })
  server.on('tlsClientError', (cause, secured) => handshakes.failed(secured, reasonOf(cause, secured)))
  return {
    accept: (socket, serve) => {
      if (handshakes.begin(socket, serve)) server.emit('connection', socket)
    },
    use: ({ options: changed }) => server.setSecureContext(changed),
    close: handshakes.close,
  }
}

/** Why a connection is not served whose handshake is through. undefined: it is. */
function whyNot(secured: TLSSocket, needsCertificate: boolean): string | undefined {
  // gRPC demands it, and Node would speak HTTP/1.1.
  if (secured.alpnProtocol !== 'h2') return 'the client does not speak h2'
  const certificate = secured.getPeerX509Certificate()
  if (certificate === undefined) return needsCertificate ? 'the client has no certificate' : undefined
  if (!secured.authorized) return `the client's certificate is not trusted: ${String(secured.authorizationError)}`
  // OpenSSL lets those pass that do not say what they are for: a server's, of the same CA, would do.
  const isForClients = certificate.keyUsage?.includes(CLIENT_AUTH) === true
  return isForClients ? undefined : "the client's certificate is not for clients (extended key usage clientAuth)"
}

/** In a few words, and without what OpenSSL says of its own source. '' where the peer has left, and no more is known. */
function reasonOf(cause: Error & { readonly code?: string; readonly reason?: string }, secured: TLSSocket): string {
  // Where it is refused by Node itself, all that the error says is that the connection is closed.
  const why: unknown = secured.authorizationError
  if (typeof why === 'string') return `the client's certificate is not trusted: ${why}`
  if (cause.code === 'ECONNRESET') return ''
  return cause.reason ?? cause.code ?? 'it failed'
}
