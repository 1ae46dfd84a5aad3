/** Who is at the other end of a connection, as far as it can be known: fixed when it was accepted. */
export interface Peer {
  /**
   * `spiffe://domain/path`, `dns:host` or `cn:name` of a certificate, `uid:1000` of a process on this host; empty: nobody
   * knows. What is before the name keeps one kind from passing for another.
   */
  readonly identity: string
  /** Of a process on this host; undefined: not known, or another host. */
  readonly pid: number | undefined
  /** The IP address that it calls from; empty on a Unix socket. */
  readonly address: string
}

const PEER = Symbol('peer')

/** Who nobody is: a connection that says nothing of itself. */
export const UNKNOWN_PEER: Peer = { identity: '', pid: undefined, address: '' }

/** What is kept with a socket is found again through the socket of an HTTP/2 session, which stands for it. */
export function setPeer(socket: object, peer: Peer): void {
  Object.defineProperty(socket, PEER, { value: peer })
}

export function peerOf(socket: object): Peer {
  return PEER in socket ? (socket[PEER] as Peer) : UNKNOWN_PEER
}
