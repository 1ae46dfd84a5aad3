import type { ServerHttp2Stream } from 'node:http2'
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
import type { Admission } from './admission.ts'
import { addressOf, type Connections } from './connections.ts'
import { type ListenProblem, listen } from './listen.ts'
import type { Log } from './log.ts'
import { setPeer, strangerAt } from './peer.ts'
import { loadPeerCredentials } from './peer-credentials.ts'
import type { Secure } from './secure.ts'
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
  /** Of listeners on TCP. undefined: they speak without TLS. */
  readonly secure: Secure | undefined
  readonly admission: Admission
  /** A connection without an open call is closed after so long: where Node has given it up nobody else closes it. */
  readonly connectionIdleMs: number
  readonly log: Log
}

/** The default of gRPC's own, on both sides. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024

const OPTIONS = {
  // Two thirds of what an idle stream costs, and nobody asks for it.
  'grpc.enable_channelz': 0,
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
} satisfies ServerOptions

/**
 * A peer that was unplugged is found out by TCP. Not by pings of HTTP/2: a subscriber that was stopped for a while cannot
 * answer them, and is not to be cut off.
 */
const KEEPALIVE_MS = 30_000

export async function startRpcServer(options: RpcServerOptions): Promise<RpcServer | ListenProblem> {
  const { connections, admission, connectionIdleMs, log } = options
  // It would write what a peer has sent as metadata to standard error, in a form of its own.
  setLogVerbosity(logVerbosity.NONE)
  const server = new Server({
    ...OPTIONS,
    'grpc.max_connection_idle_ms': connectionIdleMs,
    interceptors: [admission.interceptor],
  })
  tellOfStreams(server, admission.opened)
  for (const { definition, implementation } of options.services) server.addService(definition, implementation)
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure())
  const identify = await identifierOf(options)
  const sockets = new Set<Socket>()
  let isShuttingDown = false
  let onNoneLeft: () => void = () => undefined

  const onConnection = (socket: Socket) => {
    socket.setKeepAlive(true, KEEPALIVE_MS)
    // One that has to wait may end before anybody listens to it.
    socket.on('error', () => undefined)
    connections.admit(socket, () => {
      identify(socket, (identified) => {
        connections.enter(identified, () => {
          // It had to wait for its turn, or for its peer, and comes too late.
          if (isShuttingDown) return void socket.destroy()
          sockets.add(socket)
          socket.once('close', () => {
            sockets.delete(socket)
            if (sockets.size === 0) onNoneLeft()
          })
          injector.injectConnection(identified)
        })
      })
    })
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
      isShuttingDown = true
      const isDone = await new Promise<boolean>((resolve) => {
        const cancel = after(graceMs, () => resolve(false))
        onNoneLeft = () => {
          cancel()
          resolve(true)
        }
        // On Node 24 it calls back at once, with calls under way: whether they have ended is told by their connections.
        server.tryShutdown(() => undefined)
        if (sockets.size === 0) onNoneLeft()
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

/**
 * grpc-js answers a stream that is no call of a method by itself and tells nobody: who floods with such streams would not
 * be found out. If it began streams in another way, a test would find that nobody is told.
 */
function tellOfStreams(server: Server, opened: Admission['opened']): void {
  const own: unknown = Reflect.get(server, 'onStreamOpened')
  if (typeof own !== 'function') return
  Reflect.set(server, 'onStreamOpened', (stream: ServerHttp2Stream) => {
    own.call(server, stream)
    opened(stream)
  })
}

/** Finds out who has connected, and goes on with the connection that knows it, or not at all. */
type Identifier = (socket: Socket, serve: (identified: Socket) => void) => void

async function identifierOf({ address, secure, log }: RpcServerOptions): Promise<Identifier> {
  if (address.kind === 'tcp' && secure !== undefined) return secure.accept
  const peer = address.kind === 'unix' ? await loadPeerCredentials(log) : (at: Socket) => strangerAt(addressOf(at))
  return (socket, serve) => {
    setPeer(socket, peer(socket))
    serve(socket)
  }
}
