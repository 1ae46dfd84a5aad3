import { constants, type Http2Session } from 'node:http2'
import type { Turnstile } from '../engine/turnstile.ts'
import { type Connections, GIVEN_UP_WITHIN_MS } from './connections.ts'
import type { Account, InFlight } from './in-flight.ts'
import type { Log } from './log.ts'
import type { Kept, Tenant, Tenants } from './own-limits.ts'
import { createPageTurns, type PageTurns } from './page-turns.ts'
import { type Peer, peerOf } from './peer.ts'
import type { After } from './stream.ts'

/** A connection as its calls see it: what counts for it and for whose it is. */
export interface PeerConnection {
  readonly peer: Peer
  readonly account: Account
  readonly pages: PageTurns
  /** What its identity makes the daemon keep. */
  readonly own: Kept | undefined
  /** Whose a call of it is, for the counting. */
  tenantOf(path: string): Tenant
  /** It began a stream. Whether it is a call is known when the next one begins: what is none, others refuse. */
  opened(): void
  /** The stream that it began is a call. */
  called(): void
  /** A call of it ended before it was answered, and not by us. */
  gaveUp(): void
  /** A call of it was refused before it was looked at. */
  refused(tenant: Tenant): void
}

/** What all connections have together. */
interface Shared {
  readonly inFlight: InFlight
  readonly connections: Connections
  readonly tenants: Tenants
  readonly nextPage: Turnstile
  readonly after: After
  readonly log: Log
}

/**
 * Calls that one connection gives up within a second before they are answered. Node's own HTTP/2 needs 15 ms for a
 * thousand of them, in one turn; it ends the connection at that number, and then there comes the next one.
 */
const MAX_GIVEN_UP = 500
/**
 * Calls of one identity that are refused within a second: it does not wait as it was told, and each costs as much as an
 * answer. Then its connections are cut off that have another one refused within that second.
 */
const MAX_REFUSED = 2000
const HEALTH = '/grpc.health.v1.'

export function openConnection(session: Http2Session, shared: Shared): PeerConnection {
  const { inFlight, connections, tenants, nextPage, after, log } = shared
  let isCutOff = false
  const cutOff = (facts: object, why?: string) => {
    if (isCutOff) return
    isCutOff = true
    if (why !== undefined) log.warn(facts, `a connection was cut off: ${why}`)
    // Not now: grpc-js is still to be told of streams that have arrived with this one, answers by itself those that are
    // no call, and throws where they have gone meanwhile.
    setImmediate(() => {
      if (session.destroyed) return
      // By itself `destroy` would say that nothing was wrong.
      session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM)
      session.destroy()
    })
  }
  const peer = peerOf(session.socket)
  const origin = connections.originOf(session.socket)
  // Its connection counts, and so it is the same to the end.
  const tenant = tenants.of(peer.identity)
  const prober = peer.identity === '' ? tenants.prober() : tenant
  let givenUp = 0
  let isStray = false
  const refused = (whose: Tenant) => {
    const calls = whose.refused()
    if (calls < MAX_REFUSED || isCutOff) return
    connections.suspect(origin)
    const facts = { calls, identity: peer.identity }
    cutOff(facts, calls === MAX_REFUSED ? 'its identity does not wait where it is told to' : undefined)
  }
  return {
    peer,
    account: inFlight.open((bytes) => cutOff({ bytes }, 'of all that peers do not finish or read it had the most')),
    own: tenant.keep((bytes) => cutOff({ bytes, identity: peer.identity }, 'its identity reads too little')),
    pages: createPageTurns(nextPage),
    tenantOf: (path) => (prober !== tenant && path.startsWith(HEALTH) ? prober : tenant),
    gaveUp: () => {
      // It was we who ended it.
      if (isCutOff) return
      connections.gaveUp(origin)
      givenUp += 1
      if (givenUp === 1) {
        after(GIVEN_UP_WITHIN_MS, () => {
          givenUp = 0
        })
      }
      // Of a connection that was lost every call is over, and there is nothing to cut off.
      if (givenUp !== MAX_GIVEN_UP || session.destroyed) return
      cutOff({ calls: givenUp }, 'it gave up too many calls before they were answered')
    },
    opened: () => {
      if (isStray) refused(tenant)
      isStray = true
    },
    called: () => {
      isStray = false
    },
    refused,
  }
}
