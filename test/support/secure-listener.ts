import { createServer, type Socket } from 'node:net'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { expect, onTestFinished } from 'vitest'
import { type Certificates, checkFiles } from '../../server/rpc/certificate-files.ts'
import { type Peer, peerOf } from '../../server/rpc/peer.ts'
import { createSecure, type Secure } from '../../server/rpc/secure.ts'
import { fleetCa, leafKey, leaves } from './fleet-certificates.ts'
import { createManualClock, type ManualClock } from './manual-clock.ts'

/** A listener with TLS in this process, before which time stands still, and clients of it. */

/** With the one key that all leaves have. */
export function certificates(cert: string, ca: string | undefined): Certificates {
  const files = [
    { flag: '--cert-file', path: 'cert', read: Buffer.from(cert) },
    { flag: '--key-file', path: 'key', read: Buffer.from(leafKey) },
  ] as const
  const trusted = ca === undefined ? [] : [{ flag: '--trusted-ca-file', path: 'ca', read: Buffer.from(ca) } as const]
  const checked = checkFiles([...files, ...trusted], Date.parse('2026-01-01'))
  if ('problem' in checked) throw new Error(checked.problem)
  return checked
}

type Line = readonly [level: string, facts: object, message: string]

export interface ListeningOptions {
  /** Whether clients are asked for a certificate. */
  readonly asks?: boolean
  /** Whether they need one. Default: as `asks`. */
  readonly needs?: boolean
  /** How long a connection waits before its handshake may begin. */
  readonly pauseMs?: number
}

export interface Listening {
  readonly clock: ManualClock
  readonly secure: Secure
  /** What was logged, but for what is logged as debug. */
  readonly lines: readonly Line[]
  readonly accepted: readonly Socket[]
  readonly served: readonly TLSSocket[]
  /** The other ends, of `attempt`. */
  readonly clients: TLSSocket[]
  readonly port: number
}

/** It greets whom it serves. */
export async function listening(options: ListeningOptions = {}): Promise<Listening> {
  const { asks = true, needs = asks, pauseMs = 0 } = options
  const clock = createManualClock()
  const lines: Line[] = []
  const write = (level: string) => (facts: object, message: string) => void lines.push([level, facts, message])
  const log = { debug: () => undefined, info: write('info'), warn: write('warn'), error: write('error') }
  const secure = createSecure({
    certificates: certificates(leaves.server, asks ? fleetCa : undefined),
    asksForCertificate: asks,
    needsCertificate: needs,
    after: clock.after,
    log,
  })
  const accepted: Socket[] = []
  const served: TLSSocket[] = []
  const server = createServer((socket) => {
    accepted.push(socket)
    socket.on('error', () => undefined)
    const begin = () => {
      secure.accept(socket, (secured) => {
        served.push(secured)
        secured.write('welcome')
      })
    }
    if (pauseMs === 0) begin()
    else setTimeout(begin, pauseMs)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0
  onTestFinished(() => {
    for (const socket of accepted) socket.destroy()
    server.close()
  })
  return { clock, secure, lines, accepted, served, clients: [], port }
}

export const H2: ConnectionOptions = { host: '127.0.0.1', ca: fleetCa, servername: 'localhost', ALPNProtocols: ['h2'] }
/** A client with this certificate. */
export const as = (cert: string): ConnectionOptions => ({ cert, key: leafKey })

/** Whether it was served, and as whom. */
export async function attempt(
  { served, clients, port }: Listening,
  options: ConnectionOptions = {},
): Promise<Peer | 'refused'> {
  const before = served.length
  const socket = connect({ ...H2, port, ...options })
  clients.push(socket)
  onTestFinished(() => void socket.destroy())
  const isServed = await new Promise<boolean>((resolve) => {
    socket.once('data', () => resolve(true))
    socket.once('close', () => resolve(false))
    socket.on('error', () => undefined)
  })
  expect(served.length - before).toBe(isServed ? 1 : 0)
  const [last] = served.slice(-1)
  return isServed && last !== undefined ? peerOf(last) : 'refused'
}

export const closed = (socket: Socket) =>
  new Promise<void>((resolve) => {
    if (socket.destroyed) return resolve()
    socket.on('error', () => undefined).once('close', () => resolve())
    socket.resume()
  })
