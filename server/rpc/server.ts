import type { Socket } from 'node:net'
import {
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServiceDefinition,
  setLogVerbosity,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { Address } from './address.ts'
import { type ListenProblem, listen } from './listen.ts'
import type { Log } from './log.ts'
import type { After } from './stream.ts'

/** One listener and the gRPC server behind it. */
export interface RpcServer {
  /** With the port that was picked. */
  readonly address: Address
  /** Accepts no further connection. */
  stopAccepting(): void
  /** Lets calls that are under way come to their end, and after the grace cuts connections off: so many. */
  shutdown(after: After, graceMs: number): Promise<number>
}

export interface RpcServerOptions {
  readonly address: Address
  readonly services: readonly {
    readonly definition: ServiceDefinition
    readonly implementation: UntypedServiceImplementation
  }[]
  readonly connections: Connections
  /** A connection without an open call is closed after so long: where Node has given it up nobody else closes it. */
  readonly connectionIdleMs: number
  readonly log: Log
}

/** The connections of all listeners together, of which there is a limit. */
export interface Connections {
  readonly count: number
  /** false: there are too many, and this one was closed. */
  admit(socket: Socket): boolean
}

export function createConnections(max: number, log: Log): Connections {
  let count = 0
  return {
    get count() {
      return count
    },
    admit: (socket) => {
      if (count >= max) {
        log.warn({ max }, 'a connection was refused: there are --max-connections already')
        socket.destroy()
        return false
      }
      count += 1
      socket.once('close', () => {
        count -= 1
      })
      return true
    },
  }
}

const OPTIONS = {
  // Two thirds of what an idle stream costs, and nobody asks for it.
  'grpc.enable_channelz': 0,
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
} satisfies ServerOptions

/**
 * A peer that was unplugged is found out by TCP. Not by pings of HTTP/2: a subscriber that was stopped for a while cannot
 * answer them, and is not to be cut off.
 */
const KEEPALIVE_MS = 30_000

export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer | ListenProblem> {
  const { connections, log } = options
  // It would write what a peer has sent as metadata to standard error, in a form of its own.
  setLogVerbosity(logVerbosity.NONE)
  const server = new Server({ ...OPTIONS, 'grpc.max_connection_idle_ms': options.connectionIdleMs })
  for (const { definition, implementation } of options.services) server.addService(definition, implementation)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const sockets = new Set<Socket>()

  const onConnection = (socket: Socket) => {
    if (!connections.admit(socket)) return
    socket.setKeepAlive(true, KEEPALIVE_MS)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    injector.injectConnection(socket)
  }
  const listening = await listen(options.address, onConnection, log)
  if ('problem' in listening) {
    server.forceShutdown()
    return listening
  }
  return {
    address: listening.address,
    stopAccepting: listening.close,
    shutdown: async (after, graceMs) => {
      const isDone = await new Promise<boolean>((resolve) => {
        const cancel = after(graceMs, () => resolve(false))
        server.tryShutdown(() => {
          cancel()
          resolve(true)
        })
      })
      if (isDone) return 0
      server.forceShutdown()
      // Without channelz forceShutdown knows no session, and a peer that does not read keeps its own open.
      const cut = sockets.size
      for (const socket of sockets) socket.destroy()
      return cut
    },
  }
}
