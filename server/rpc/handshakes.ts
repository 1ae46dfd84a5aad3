import { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Log } from './log.ts'
import type { After } from './stream.ts'

type Serve = (secured: TLSSocket) => void

/** The handshakes that are under way: each has its time, and together they have a bound. */
export interface Handshakes {
  /** false: it is closed instead. */
  begin(socket: Socket, serve: Serve): boolean
  /** Of one that is through: whom it was begun for. undefined: the peer has left, or nobody waits for it any more. */
  take(secured: TLSSocket): Serve | undefined
  /** Tells the operator, once a second at most. Why: '' where the peer has left by itself. */
  failed(secured: TLSSocket, why: string): void
  close(): void
}

export const HANDSHAKE_MS = 10_000
/** Together they hold at most a hundred KiB each, which is as much as OpenSSL reads of a client's certificates. */
export const MAX_HANDSHAKES = 512
const TELL_AGAIN_MS = 1000

interface Handshake {
  readonly key: string
  readonly socket: Socket
  readonly serve: Serve
  readonly cancel: () => void
}

export function createHandshakes(after: After, log: Log): Handshakes {
  const underWay = new Map<string, Handshake>()
  let isClosed = false
  let untold = 0

  const tell = (address: string | undefined, reason: string) => {
    untold += 1
    // A line for each would fill the log as fast as anybody can connect.
    if (untold > 1) return
    log.warn({ address, reason }, 'a TLS handshake failed')
    after(TELL_AGAIN_MS, () => {
      if (untold > 1) log.warn({ connections: untold - 1 }, 'more TLS handshakes failed')
      untold = 0
    })
  }
  const forget = (handshake: Handshake) => {
    handshake.cancel()
    if (underWay.get(handshake.key) === handshake) underWay.delete(handshake.key)
  }
  const giveUp = (handshake: Handshake, why: string) => {
    forget(handshake)
    tell(handshake.socket.remoteAddress, why)
    handshake.socket.destroy()
  }

  return {
    begin: (socket, serve) => {
      const key = endsOf(socket)
      if (isClosed || key === undefined) {
        socket.destroy()
        return false
      }
      // The oldest and not the newest: who means it is through in milliseconds, who only fills the places never is.
      const [oldest] = underWay.size < MAX_HANDSHAKES ? [] : underWay.values()
      if (oldest !== undefined) giveUp(oldest, `there were ${MAX_HANDSHAKES} others under way`)
      const cancel = after(HANDSHAKE_MS, () => giveUp(handshake, `it took more than ${HANDSHAKE_MS / 1000} s`))
      const handshake: Handshake = { key, socket, serve, cancel }
      underWay.set(key, handshake)
      socket.once('close', () => forget(handshake))
      return true
    },
    take: (secured) => {
      const handshake = underWay.get(endsOf(secured) ?? '')
      if (handshake === undefined) return undefined
      forget(handshake)
      return handshake.serve
    },
    failed: (secured, why) => {
      if (why === '')
        return log.debug({ address: addressOf(secured) }, 'a peer left before its TLS handshake was through')
      tell(addressOf(secured), why)
    },
    close: () => {
      isClosed = true
      for (const { socket } of [...underWay.values()]) socket.destroy()
    },
  }
}

/**
 * The two ends of a connection, which no other one has as long as it lives: Node tells nobody which socket a TLS socket was
 * made of. undefined: the peer has gone.
 */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}

/** For the log. The socket that one which was refused was made of still knows, if Node lets it be seen. */
function addressOf(secured: TLSSocket): string | undefined {
  const made: unknown = '_parent' in secured ? secured._parent : undefined
  return secured.remoteAddress ?? (made instanceof Socket ? made.remoteAddress : undefined)
}
