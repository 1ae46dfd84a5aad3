import type { Socket } from 'node:net'
import type { Log } from './log.ts'
import { type Peer, strangerAt } from './peer.ts'

/** Tells which process has connected by a Unix socket, as the kernel knows it. */
export type Identify = (socket: Socket) => Peer

const SOL_SOCKET = 1
const SO_PEERCRED = 17
/** Where the two numbers are these. */
const ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'arm', 'ia32', 'riscv64', 'loong64', 's390x']

/** struct ucred: pid, uid and gid, of 32 bits each. */
const WORDS = 3
/** Of a process in a namespace whose users this one has no numbers for, among others. */
const NO_ID = 0xffff_ffff

/** Where they cannot be had, on another system or without the package that calls the C library, everybody is nobody. */
export async function loadPeerCredentials(log: Log): Promise<Identify> {
  const getPeerCredentials = await load(log)
  return (socket) => {
    const fd = descriptorOf(socket)
    const credentials = fd === undefined ? undefined : getPeerCredentials(fd)
    const [pid = 0, uid = NO_ID, gid = NO_ID] = credentials ?? []
    if (uid === NO_ID || gid === NO_ID) return strangerAt('')
    return { identity: `uid:${uid}`, groups: [`gid:${gid}`], pid: pid === 0 ? undefined : pid, address: '' }
  }
}

/** Of a socket's descriptor its peer's ids at the moment of its connect; undefined: they cannot be had. */
type GetPeerCredentials = (fd: number) => Uint32Array | undefined

async function load(log: Log): Promise<GetPeerCredentials> {
  const isKnown = process.platform === 'linux' && ARCHITECTURES.includes(process.arch)
  const koffi = isKnown ? await import('koffi').catch(() => undefined) : undefined
  if (koffi === undefined) {
    log.warn({}, 'who connects by a Unix socket cannot be told here')
    return () => undefined
  }
  const getsockopt = koffi.default
    .load(null)
    .func('int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ void *length)')
  return (fd) => {
    const credentials = new Uint32Array(WORDS)
    const length = Uint32Array.of(credentials.byteLength)
    const isDone = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) === 0
    return isDone && length[0] === credentials.byteLength ? credentials : undefined
  }
}

/** Node tells it nobody but in the handle. undefined: the peer has gone. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = '_handle' in socket ? socket._handle : undefined
  if (typeof handle !== 'object' || handle === null || !('fd' in handle)) return undefined
  return typeof handle.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined
}
