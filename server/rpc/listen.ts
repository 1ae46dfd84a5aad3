import { lstatSync, mkdirSync, statSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { type Address, tcpAddress } from './address.ts'
import type { Log } from './log.ts'

/** A bound listener. */
export interface Listening {
  /** With the port that was picked, where any would do. */
  readonly address: Address
  /** Accepts no further connection, and removes the socket's file if it made it. Connections that there are live on. */
  close(): void
}

/** Why an address cannot be served: a sentence for an operator. */
export interface ListenProblem {
  readonly problem: string
}

/** Binds an address and hands over each connection. The connections are ours, so that a peer that is stuck can be let go. */
export async function listen(
  address: Address,
  onConnection: (socket: Socket) => void,
  log: Log,
): Promise<Listening | ListenProblem> {
  const server = createServer(onConnection)
  try {
    if (address.kind === 'unix' && address.fd === undefined) await clearTheWay(address.path)
    await bind(server, address)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    return { problem: `cannot listen on ${address.text}: ${why}` }
  }
  // A connection that fails while it is accepted, for want of a descriptor for example, is that connection's loss.
  server.on('error', (cause) => log.warn({ address: address.text, cause }, 'a connection was not accepted'))
  return { address: boundAddress(server, address), close: () => server.close() }
}

/** Read, write, no execute for owner and group, and nothing for others: 0660. */
const SOCKET_UMASK = 0o117

function bind(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    const onListening = () => {
      server.off('error', reject)
      resolve()
    }
    if (address.fd !== undefined) return void server.listen({ fd: address.fd }, onListening)
    if (address.kind === 'tcp') return void server.listen(address.port, address.host, onListening)
    // `listen` binds before it returns. A chmod afterwards would leave a moment in which others could connect.
    const umask = process.umask(SOCKET_UMASK)
    try {
      server.listen(address.path, onListening)
    } finally {
      process.umask(umask)
    }
  })
}

function boundAddress(server: Server, address: Address): Address {
  const bound = server.address()
  if (address.kind === 'unix' || address.fd !== undefined || bound === null || typeof bound === 'string') return address
  return tcpAddress(address.host, bound.port)
}

const WRITABLE_BY_ALL = 0o002
const STICKY = 0o1000

/** Makes the socket's directory if it is missing, and removes what a daemon that was killed left behind. */
async function clearTheWay(path: string): Promise<void> {
  const directory = dirname(path)
  const { mode } = statOf(directory) ?? makeDirectory(directory)
  if ((mode & WRITABLE_BY_ALL) !== 0 && (mode & STICKY) === 0) {
    throw new Error(`everybody may write to ${directory}, and so put another socket in its place`)
  }
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) return
  if (!there.isSocket()) throw new Error('the path is taken by something that is no socket')
  if (await isServed(path)) throw new Error('another process serves it')
  unlinkSync(path)
}

function statOf(directory: string) {
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (stat !== undefined && !stat.isDirectory()) throw new Error(`${directory} is no directory`)
  return stat
}

function makeDirectory(directory: string) {
  // Not its parents: a path that is mostly missing is more likely misspelt.
  mkdirSync(directory, 0o755)
  return statSync(directory)
}

/** Whatever is not a plain refusal (no permission, a full queue) means that somebody may be there. */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}
