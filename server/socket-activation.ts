import { type Address, type HandedOver, tcpAddress, unixAddress } from './rpc/address.ts'

/**
 * Sockets that whoever starts the daemon has bound already, systemd for one: sd_listen_fds(3). They are there before the
 * daemon and outlive it, so a client that comes meanwhile waits instead of being refused.
 */
export interface HandedSocket {
  /** Its number here: 3 and those that follow. */
  readonly fd: number
  /** What the socket's unit calls it (FileDescriptorName=); '' where nobody said. */
  readonly name: string
  /** Where it is bound; or why it cannot be served, the end of a sentence. */
  readonly address: Address | { readonly problem: string }
}

type Variables = Record<string, string | undefined>

const FIRST_FD = 3
/** As many as a process may have open by default. */
const MAX_FDS = 1024

/**
 * Those that are handed over to this process, and takes the variables that say so out of `env`: they are not for children.
 * Node has made the descriptors themselves close-on-exec when it started.
 */
export async function takeHandedOver(
  env: Variables,
  pid: number,
  loadReader: () => Promise<(fd: number) => HandedSocket['address']> = loadAddressReader,
): Promise<readonly HandedSocket[]> {
  const { LISTEN_PID, LISTEN_FDS = '', LISTEN_FDNAMES = '' } = env
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES']) delete env[name]
  // Inherited from a parent that was activated, they speak of descriptors that this process does not have.
  if (LISTEN_PID !== String(pid) || !/^[1-9]\d{0,3}$/.test(LISTEN_FDS)) return []
  const names = LISTEN_FDNAMES.split(':')
  const addressOf = await loadReader()
  return Array.from({ length: Math.min(Number(LISTEN_FDS), MAX_FDS) }, (_, index) => {
    const fd = FIRST_FD + index
    return { fd, name: names[index] ?? '', address: addressOf(fd) }
  })
}

const SOL_SOCKET = 1
const SO_TYPE = 3
const SO_ACCEPTCONN = 30
const SOCK_STREAM = 1

/** A sockaddr_un, the longest: the family, 108 bytes of path, and room for an end. */
const SOCKADDR_BYTES = 112

/** The C library is loaded only where there is something to ask it: Node tells of a descriptor's address once it listens. */
async function loadAddressReader(): Promise<(fd: number) => HandedSocket['address']> {
  const { default: koffi } = await import('koffi')
  const library = koffi.load(null)
  const getsockname = library.func('int getsockname(int fd, void *address, void *length)')
  const getsockopt = library.func('int getsockopt(int fd, int level, int name, void *value, void *length)')
  return (fd) => {
    if (optionOf(getsockopt, fd, SO_TYPE) !== SOCK_STREAM || optionOf(getsockopt, fd, SO_ACCEPTCONN) !== 1) {
      return { problem: 'is not a stream socket that listens' }
    }
    const address = Buffer.alloc(SOCKADDR_BYTES)
    const length = lengthOf(address)
    if (getsockname(fd, address, length) !== 0) return { problem: `has no address: errno ${koffi.errno()}` }
    return parseSocketAddress(address.subarray(0, Math.min(length.readUInt32LE(), SOCKADDR_BYTES)))
  }
}

type GetSockOpt = (fd: number, level: number, name: number, value: Buffer, length: Buffer) => number

/** undefined: it has none, since it is no socket. */
function optionOf(getsockopt: GetSockOpt, fd: number, option: number): number | undefined {
  const value = Buffer.alloc(4)
  return getsockopt(fd, SOL_SOCKET, option, value, lengthOf(value)) === 0 ? value.readInt32LE() : undefined
}

/** A socklen_t that says how much room there is, and afterwards how much was used. */
function lengthOf(buffer: Buffer): Buffer {
  const length = Buffer.alloc(4)
  length.writeUInt32LE(buffer.length)
  return length
}

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const PATH_OFFSET = 2

/** Of the bytes of a `struct sockaddr`, as Linux has it on machines with PASIDs, which are little-endian. */
export function parseSocketAddress(bytes: Buffer): HandedSocket['address'] {
  const family = bytes.readUInt16LE()
  if (family === AF_UNIX) {
    const path = bytes.subarray(PATH_OFFSET)
    // No file, and so no mode: every user of the host could connect.
    if (path.length === 0 || path[0] === 0) return { problem: 'is an abstract Unix socket, which has no permissions' }
    const end = path.indexOf(0)
    return unixAddress(path.subarray(0, end < 0 ? path.length : end).toString())
  }
  if (family === AF_INET) return tcpAddress([...bytes.subarray(4, 8)].join('.'), bytes.readUInt16BE(2))
  if (family === AF_INET6) {
    const groups = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(8 + 2 * group).toString(16))
    // In its short form, as it would be written: `::1`.
    const short = new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
    return tcpAddress(short, bytes.readUInt16BE(2))
  }
  return { problem: `is neither a Unix socket nor one of TCP, but of address family ${family}` }
}

type ListenFlag = 'listen' | 'no-admin'
type ListenValues = { readonly [Name in ListenFlag]: readonly (Address | HandedOver)[] }

export type WithRealAddresses<Values extends ListenValues> = Omit<Values, ListenFlag> & {
  readonly [Name in ListenFlag]: readonly Address[]
}

/**
 * The values with the sockets that `fd://` stands for in its place, so that what holds for an address holds for theirs; or
 * what is wrong, a sentence. Where nobody asked for what is handed over, since nothing is started, `fd://` is nothing.
 */
export function withRealAddresses<Values extends ListenValues>(
  values: Values,
  handed: readonly HandedSocket[] | undefined,
): WithRealAddresses<Values> | string {
  const listen = resolve('listen', values.listen, handed)
  if (typeof listen === 'string') return listen
  const noAdmin = resolve('no-admin', values['no-admin'], handed)
  return typeof noAdmin === 'string' ? noAdmin : { ...values, listen, 'no-admin': noAdmin }
}

function resolve(
  flag: ListenFlag,
  addresses: readonly (Address | HandedOver)[],
  handed: readonly HandedSocket[] | undefined,
): readonly Address[] | string {
  const resolved: Address[] = []
  for (const address of addresses) {
    if (address.kind !== 'fd') {
      resolved.push(address)
      continue
    }
    if (handed === undefined) continue
    const meant = handed.filter(({ fd, name }) => [fd, name, 'all'].includes(address.which))
    if (meant.length === 0) return `--${flag} does not take '${address.text}': ${whatThereIs(handed)}.`
    for (const { fd, address: bound } of meant) {
      if ('problem' in bound) return `--${flag} does not take '${address.text}': descriptor ${fd} ${bound.problem}.`
      resolved.push({ ...bound, fd })
    }
  }
  return resolved
}

function whatThereIs(handed: readonly HandedSocket[]): string {
  if (handed.length === 0)
    return 'no socket was handed over, as a socket unit of systemd does by LISTEN_FDS and LISTEN_PID'
  return `the sockets handed over are ${handed.map(nameOf).join(', ')}`
}

function nameOf({ fd, name }: HandedSocket): string {
  return name === '' ? String(fd) : `${fd} (${name})`
}

/** A warning for each that nobody serves: it listens all the same, so clients connect to it and wait for ever. */
export function unserved(listen: readonly Address[], handed: readonly HandedSocket[] | undefined): readonly string[] {
  const served = new Set(listen.map(({ fd }) => fd))
  const left = (handed ?? []).filter(({ fd }) => !served.has(fd))
  return left.map((socket) => `the socket ${nameOf(socket)} was handed over, but no --listen names it`)
}
