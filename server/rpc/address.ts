import { BlockList, isIPv4 } from 'node:net'

/** Where the daemon listens. `text` is the one spelling that is printed, logged and compared. */
export type Address = UnixAddress | TcpAddress

interface UnixAddress extends Bound {
  readonly kind: 'unix'
  readonly text: string
  readonly path: string
}

export interface TcpAddress extends Bound {
  readonly kind: 'tcp'
  readonly text: string
  readonly host: string
  readonly port: number
}

interface Bound {
  /** The descriptor of a socket that somebody else has bound there: it is not ours to bind or to remove. */
  readonly fd?: number
}

/** `fd://`: sockets that somebody else has bound and hands over. Which addresses they have is known at the start alone. */
export interface HandedOver {
  readonly kind: 'fd'
  readonly text: string
  /** The number of one, the name of some, or all of them. */
  readonly which: number | string | 'all'
}

export function handedOver(which: HandedOver['which']): HandedOver {
  return { kind: 'fd', text: `fd://${which === 'all' ? '' : which}`, which }
}

export function unixAddress(path: string): Address {
  return { kind: 'unix', text: `unix://${path}`, path }
}

/** Of an IP address. Port 0: whichever is free. */
export function tcpAddress(host: string, port: number): Address {
  return { kind: 'tcp', text: `${isIPv4(host) ? host : `[${host}]`}:${port}`, host, port }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether only this host reaches it. */
export function isLocal(address: Address): boolean {
  return address.kind === 'unix' || loopback.check(address.host, isIPv4(address.host) ? 'ipv4' : 'ipv6')
}
