import type { Socket } from 'node:net'
import type { Log } from './log.ts'
import type { Tenants } from './own-limits.ts'
import { peerOf } from './peer.ts'
import type { After } from './stream.ts'

/** The connections of all listeners together, of which there is a limit. */
export interface Connections {
  readonly count: number
  /** Those that were closed for being too many, since the start. */
  readonly refused: number
  /** Goes on with a new connection, or closes it: there is a limit. */
  admit(socket: Socket, goOn: () => void): void
  /**
   * Serves a connection whose peer is known: at once, or later where its origin is suspect. Beyond what its identity may
   * have it is closed instead.
   */
  enter(socket: Socket, serve: () => void): void
  /** Whom a connection counts for: its identity where a policy tells them apart, else its address. */
  originOf(socket: Socket): string
  /** A call of a connection from there was given up. Of too many at a time, whoever comes from there next waits a second. */
  gaveUp(origin: string): void
  /** Whoever comes from there next waits a second. */
  suspect(origin: string): void
}

/** The same for everybody on a Unix socket. */
export function addressOf({ remoteAddress = '' }: { readonly remoteAddress?: string | undefined }): string {
  return remoteAddress
}

/** How often an operator is told that connections are refused, at most. */
const TELL_AGAIN_MS = 1000
const SUSPECT_MS = 1000
/** Within this time calls that are given up count together. */
export const GIVEN_UP_WITHIN_MS = 1000
/** From one origin, over all its connections: a peer that comes back counts on. On a Unix socket everybody together. */
const MAX_FROM_ONE = 500
const MAX_FROM_ALL = 5000

export function createConnections(max: number, tenants: Tenants, after: After, log: Log): Connections {
  let count = 0
  let refused = 0
  const tooMany = createTeller(after, log, 'there are --max-connections already')
  const tooManyOwn = createTeller(after, log, 'its identity has --max-own-connections already')
  const suspects = new Map<string, Set<() => void>>()
  const givenUp = new Map<string, number>()

  const suspect = (origin: string) => {
    if (suspects.has(origin)) return
    const waiting = new Set<() => void>()
    suspects.set(origin, waiting)
    after(SUSPECT_MS, () => {
      suspects.delete(origin)
      for (const serve of waiting) serve()
    })
  }
  const originOf = (socket: Socket) => {
    const { identity } = peerOf(socket)
    return tenants.isEachApart && identity !== '' ? `identity ${identity}` : addressOf(socket)
  }

  return {
    get count() {
      return count
    },
    get refused() {
      return refused
    },
    admit: (socket, goOn) => {
      if (count >= max) {
        socket.destroy()
        refused += 1
        return tooMany({ max })
      }
      count += 1
      socket.once('close', () => {
        count -= 1
      })
      goOn()
    },
    enter: (socket, serve) => {
      // It left while its peer was found out, and does not say so again.
      if (socket.destroyed) return
      const { identity } = peerOf(socket)
      const tenant = tenants.of(identity)
      if (!tenant.connect()) {
        socket.destroy()
        refused += 1
        return tooManyOwn({ identity })
      }
      const waiting = suspects.get(originOf(socket))
      waiting?.add(serve)
      socket.once('close', () => {
        tenant.disconnect()
        waiting?.delete(serve)
      })
      if (waiting === undefined) serve()
    },
    originOf,
    gaveUp: (origin) => {
      const calls = (givenUp.get(origin) ?? 0) + 1
      givenUp.set(origin, calls)
      if (calls === 1) after(GIVEN_UP_WITHIN_MS, () => givenUp.delete(origin))
      if (calls === (origin === '' ? MAX_FROM_ALL : MAX_FROM_ONE)) suspect(origin)
    },
    suspect,
  }
}

/** Tells an operator that connections were refused. A line for each would fill the log as fast as anybody can connect. */
function createTeller(after: After, log: Log, why: string): (facts: object) => void {
  let refused = 0
  return (facts) => {
    refused += 1
    if (refused > 1) return
    log.warn(facts, `a connection was refused: ${why}`)
    after(TELL_AGAIN_MS, () => {
      if (refused > 1) log.warn({ connections: refused - 1 }, `more connections were refused: ${why}`)
      refused = 0
    })
  }
}
