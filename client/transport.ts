import { type CallOptions, type ChannelOptions, Client, connectivityState, Metadata } from '@grpc/grpc-js'
import type { Endpoint } from './endpoint.ts'
import { cancelled, fromGrpc, IoasidError, malformed } from './errors.ts'
import type { Security } from './tls.ts'

/** A method of the protocol, as proto/load.ts describes it. */
export interface Method<Request, Response> {
  readonly path: string
  readonly requestSerialize: (request: Request) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => Response
}

/** The messages of one server stream, read one by one: what is not read stays with the daemon, but for a few. */
export interface MessageStream<Message> {
  /** The next message; undefined: the daemon ended the stream with OK. Rejects with what else it ended with. */
  readonly next: () => Promise<Message | undefined>
  /** Ends the stream here and at the daemon; a `next` that waits ends at once. May be called again. */
  readonly cancel: () => void
}

export interface UnaryLimits<Response> {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Whether an answer says in its body what else the status would say: UNAVAILABLE. Default: none does. */
  readonly isUnavailable?: (response: Response) => boolean
}

/**
 * How requests reach the daemon, without any retry: grpc-js, or a test's own. What it rejects with is given to fromGrpc.
 */
export interface Transport {
  readonly unary: <Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: UnaryLimits<Response>,
  ) => Promise<Response>
  readonly open: <Request, Response>(method: Method<Request, Response>, request: Request) => MessageStream<Response>
  /** Ends what is open, with CANCELLED, and refuses what comes later. */
  readonly close: () => void
}

const CHANNEL_OPTIONS = {
  // Of its own, so that closing a client closes its connections.
  'grpc.use_local_subchannel_pool': 1,
  // A daemon on this host, or one that was named, is never behind the proxy of the environment.
  'grpc.enable_http_proxy': 0,
  // call.ts tries again; grpc-js would keep copies of requests for it.
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  // Between attempts to connect grpc-js refuses calls without trying: no longer than call.ts waits anyway.
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // Without it a connection whose peer is gone without a word looks healthy for ever.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // An answer is at most 4 MiB and its head.
  'grpc.max_receive_message_length': 8 << 20,
} as const satisfies ChannelOptions

/** A call or a stream that is under way. */
interface Ongoing {
  readonly client: Client
  readonly cancel: () => void
  /** As cancel, but the next endpoint may be asked in its place. */
  readonly leave: () => void
}

/** How long one of several endpoints may take to be connected before the next one is asked. */
const CONNECT_TIMEOUT_MS = 2_000

/** Says that a call is under way; what it returns says that it is over. */
type Begin = (call: { readonly cancel: () => void }) => () => void

/**
 * A unary call, in bytes. Node keeps an HTTP/2 stream, with all that it leads to, until the next full collection of
 * garbage, and the small ones before it copy all that: so it leads to bytes, and not to the messages and who waits for them.
 */
function exchange(
  client: Client,
  begin: Begin,
  path: string,
  request: Buffer,
  { timeoutMs, signal }: Pick<UnaryLimits<never>, 'timeoutMs' | 'signal'>,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options: CallOptions = { deadline: Date.now() + timeoutMs }
    const call = client.makeUnaryRequest(path, same, same, request, new Metadata(), options, (error, answer) => {
      end()
      signal?.removeEventListener('abort', cancel)
      if (answer === undefined || error !== null) return reject(error)
      resolve(answer)
    })
    const cancel = (): void => call.cancel()
    const end = begin(call)
    signal?.addEventListener('abort', cancel)
  })
}

const same = (bytes: Buffer): Buffer => bytes

function decode<Response>({ responseDeserialize }: Method<never, Response>, bytes: Buffer): Response {
  try {
    return responseDeserialize(bytes)
  } catch (error) {
    throw malformed(String(error))
  }
}

/**
 * A transport over grpc-js to the first of the endpoints, and to the next one whenever one is UNAVAILABLE, or does not
 * come to be connected: a host that swallows everything would not be found out before the deadline of each call.
 */
export function grpcTransport(endpoints: readonly Endpoint[], security: Security): Transport {
  const channelOptions = { ...CHANNEL_OPTIONS, ...security.channelOptions }
  const clients = endpoints.map(({ target }) => new Client(target, security.credentials, channelOptions))
  const ongoing = new Set<Ongoing>()
  /** Those whose connection is waited for. */
  const connecting = new Set<Client>()
  let current = 0
  let closed = false

  const moveOnFrom = (client: Client): void => {
    // Of many calls that fail together only the first one moves on.
    if (clients[current] === client) current = (current + 1) % clients.length
  }

  const watchConnecting = (client: Client): void => {
    if (clients.length === 1 || connecting.has(client)) return
    if (client.getChannel().getConnectivityState(false) === connectivityState.READY) return
    connecting.add(client)
    client.waitForReady(Date.now() + CONNECT_TIMEOUT_MS, (error) => {
      connecting.delete(client)
      if (error === undefined || closed) return
      moveOnFrom(client)
      for (const each of ongoing) if (each.client === client) each.leave()
    })
  }

  const pick = () => {
    const client = clients[current]
    const endpoint = endpoints[current]
    if (closed || client === undefined || endpoint === undefined) throw cancelled('The client is closed.')
    watchConnecting(client)
    let hasLeft = false
    const begin: Begin = (call) => {
      const leave = (): void => {
        hasLeft = true
        call.cancel()
      }
      const entry: Ongoing = { client, cancel: () => call.cancel(), leave }
      ongoing.add(entry)
      return () => ongoing.delete(entry)
    }
    return {
      client,
      begin,
      moveOn: () => moveOnFrom(client),
      failed: (thrown: unknown): Error => {
        if (hasLeft)
          return new IoasidError({ code: 'UNAVAILABLE', message: `No connection to ${endpoint.name} in time.` })
        const error = fromGrpc(thrown, (lastError) => security.explain(endpoint, lastError))
        if (error.code === 'UNAVAILABLE') moveOnFrom(client)
        return error
      },
    }
  }

  const unary: Transport['unary'] = async (method, request, { timeoutMs, signal, isUnavailable }) => {
    const { client, begin, moveOn, failed } = pick()
    const bytes = method.requestSerialize(request)
    try {
      const response = decode(method, await exchange(client, begin, method.path, bytes, { timeoutMs, signal }))
      if (isUnavailable?.(response)) moveOn()
      return response
    } catch (thrown) {
      throw failed(thrown)
    }
  }

  const open: Transport['open'] = (method, request) => {
    const { client, begin, failed } = pick()
    const { path, requestSerialize, responseDeserialize } = method
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request)
    // The error that follows a cancellation has no reader, and without a listener it would end the process.
    call.on('error', () => {})
    call.on('status', begin(call))
    const messages = call[Symbol.asyncIterator]()
    return {
      next: async () => {
        try {
          const { done, value } = await messages.next()
          return done === true ? undefined : value
        } catch (error) {
          throw failed(error)
        }
      },
      // Leaving the iteration would not cancel the call, and the daemon would go on sending.
      cancel: () => call.cancel(),
    }
  }

  const close = (): void => {
    closed = true
    for (const { cancel } of ongoing) cancel()
    for (const client of clients) client.close()
  }

  return { unary, open, close }
}
