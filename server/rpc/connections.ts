import type { Socket } from 'node:net'
import type { Log } from './log.ts'
import type { After } from './stream.ts'

/** The connections of all listeners together, of which there is a limit. */
export interface Connections {
  readonly count: number
  /** Serves a new connection: at once, or later where its address is suspect. Beyond the limit it is closed instead. */
  admit(socket: Socket, serve: () => void): void
  /** A call of a connection from there was given up. Of too many at a time, whoever comes from there next waits a second. */
  gaveUp(address: string): void
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
/** From one address, over all its connections: a peer that comes back counts on. On a Unix socket everybody together. */
const MAX_FROM_ADDRESS = 500
const MAX_FROM_ALL = 5000

export function createConnections(max: number, after: After, log: Log): Connections {
  let count = 0
  let refused = 0
  const suspects = new Map<string, Set<() => void>>()
  const givenUp = new Map<string, number>()

  const refuse = (socket: Socket) => {
    socket.destroy()
    refused += 1
    // A line for each would fill the log as fast as anybody can connect.
    if (refused > 1) return
    log.warn({ max }, 'a connection was refused: there are --max-connections already')
    after(TELL_AGAIN_MS, () => {
      if (refused > 1) log.warn({ max, connections: refused - 1 }, 'more connections were refused')
      refused = 0
    })
  }

  const suspect = (address: string) => {
    if (suspects.has(address)) return
    const waiting = new Set<() => void>()
    suspects.set(address, waiting)
    after(SUSPECT_MS, () => {
      suspects.delete(address)
      for (const serve of waiting) serve()
    })
  }

  return {
    get count() {
      return count
    },
    admit: (socket, serve) => {
      if (count >= max) return refuse(socket)
      count += 1
      const waiting = suspects.get(addressOf(socket))
      waiting?.add(serve)
      socket.once('close', () => {
        count -= 1
        waiting?.delete(serve)
      })
      if (waiting === undefined) serve()
    },
    gaveUp: (address) => {
      const calls = (givenUp.get(address) ?? 0) + 1
      givenUp.set(address, calls)
      if (calls === 1) after(GIVEN_UP_WITHIN_MS, () => givenUp.delete(address))
      if (calls === (address === '' ? MAX_FROM_ALL : MAX_FROM_ADDRESS)) suspect(address)
    },
  }
}
