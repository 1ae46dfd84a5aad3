import type { Socket } from 'node:net'

/** Who is at the other end of a connection, as far as it can be known: fixed before it is served. */
export interface Peer {
  /**
   * `spiffe://domain/path`, `dns:host` or `cn:name` of a certificate, `uid:1000` of a process on this host; empty: nobody
   * knows. What is before the name keeps one kind from passing for another.
   */
  readonly identity: string
  /** What it belongs to: `gid:1000` of a process on this host. */
  readonly groups: readonly string[]
  /** Of a process on this host; undefined: not known, or another host. For people: by now the number may be another's. */
  readonly pid: number | undefined
  /** The IP address that it calls from; empty on a Unix socket. */
  readonly address: string
}

/** Who nobody is: a connection that says nothing of itself. */
export const UNKNOWN_PEER: Peer = { identity: '', groups: [], pid: undefined, address: '' }

const PEER = Symbol('peer')

/** A property, since what an HTTP/2 session gives for its socket is a proxy, which is no key of a map but passes them on. */
interface Marked {
  [PEER]?: Peer
}

/** Once, before the connection is served. */
export function setPeer(socket: Socket & Marked, peer: Peer): void {
  socket[PEER] = peer
}

/** Of the socket of an HTTP/2 session too, as long as the session has one. */
export function peerOf(socket: Socket & Marked): Peer {
  return socket[PEER] ?? UNKNOWN_PEER
}

/** For a line of the log: which process it is, or else where, as grpc-js says it. */
export function placeOf({ pid, groups }: Peer, address: string): string {
  return pid === undefined ? address : [`pid:${pid}`, ...groups].join(' ')
}

/** Of somebody about whom nothing is known but where they are. */
export function strangerAt(address: string): Peer {
  return { ...UNKNOWN_PEER, address }
}
