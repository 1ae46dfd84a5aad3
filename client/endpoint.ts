import { invalidField } from './errors.ts'

/** Where a daemon listens. */
export interface Endpoint {
  /** As it was given. */
  readonly name: string
  /** As grpc-js wants it. */
  readonly target: string
}

/** The longest path that the kernel takes in a socket's address, in bytes. */
const MAX_SOCKET_PATH_BYTES = 107
const HOST_AND_PORT = /^(\[[0-9A-Fa-f:.]+\]|[^\s[\]:/?#@]+):(\d{1,5})$/

/** `unix:///path`, `unix:/path`, `tcp://host:port` or `host:port`; an IPv6 host is in brackets. */
export function parseEndpoint(name: string): Endpoint {
  if (typeof name !== 'string') throw invalidField('endpoint', `a ${typeof name}; a text is wanted.`)
  if (name.startsWith('unix:')) {
    const path = name.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
    const bytes = Buffer.byteLength(path)
    if (!/^\/[^/\0]/.test(path)) throw invalidField('endpoint', `'${name}'; the path of a socket is absolute.`)
    if (path.includes('\0')) throw invalidField('endpoint', 'the path of a socket holds no NUL.')
    if (bytes > MAX_SOCKET_PATH_BYTES) {
      throw invalidField('endpoint', `a path of ${bytes} bytes; a socket's has at most ${MAX_SOCKET_PATH_BYTES}.`)
    }
    return { name, target: `unix:${path}` }
  }
  const address = name.startsWith('tcp://') ? name.slice('tcp://'.length) : name
  const [, host, port] = HOST_AND_PORT.exec(address) ?? []
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) {
    throw invalidField('endpoint', `'${name}'; unix:///path, tcp://host:port or host:port is wanted.`)
  }
  return { name, target: `dns:${host}:${port}` }
}

interface Surroundings {
  /** The user's number; undefined where there is none. */
  readonly uid: number | undefined
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Where the daemon listens when it is not told where: root's in /run, anyone else's in the runtime directory, or where
 * there is none beside its data (server/config.ts).
 */
export function defaultEndpoint({ uid, env }: Surroundings): string {
  if (uid === 0) return 'unix:///run/ioasidd/ioasidd.sock'
  const { XDG_RUNTIME_DIR: runtimeDir = '', XDG_STATE_HOME: stateHome = '', HOME: home = '' } = env
  const state = stateHome === '' ? `${home}/.local/state` : stateHome
  const dir = runtimeDir === '' ? `${state}/ioasidd` : runtimeDir
  const isKnown = runtimeDir !== '' || stateHome !== '' || home !== ''
  if (isKnown && dir.startsWith('/')) return `unix://${dir.replace(/\/+$/, '')}/ioasidd.sock`
  throw invalidField('endpoint', 'not given, and there is no default without XDG_RUNTIME_DIR or HOME.')
}
