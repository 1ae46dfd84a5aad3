import { type CallOptions, type ChannelOptions, Client, credentials, Metadata } from '@grpc/grpc-js'
import type { Endpoint } from './endpoint.ts'
import { cancelled, fromGrpc } from './errors.ts'

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

/**
 * How requests reach the daemon, without any retry: grpc-js, or a test's own. What it rejects with is given to fromGrpc.
 */
export interface Transport {
  readonly unary: <Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    limits: { readonly timeoutMs: number; readonly signal: AbortSignal | undefined },
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

/** A transport over grpc-js to the first of the endpoints, and to the next one whenever one is UNAVAILABLE. */
export function grpcTransport(endpoints: readonly Endpoint[]): Transport {
  const clients = endpoints.map(({ target }) => new Client(target, credentials.createInsecure(), CHANNEL_OPTIONS))
  const ongoing = new Set<{ cancel: () => void }>()
  let current = 0
  let closed = false

  const pick = (): { client: Client; failed: (error: unknown) => Error } => {
    const picked = current
    const client = clients[picked]
    if (closed || client === undefined) throw cancelled('The client is closed.')
    return {
      client,
      failed: (thrown) => {
        const error = fromGrpc(thrown)
        // Of many calls that fail together only the first one moves on.
        if (error.code === 'UNAVAILABLE' && current === picked) current = (picked + 1) % clients.length
        return error
      },
    }
  }

  const unary: Transport['unary'] = async (method, request, { timeoutMs, signal }) => {
    const { client, failed } = pick()
    return new Promise((resolve, reject) => {
      const { path, requestSerialize, responseDeserialize } = method
      const options: CallOptions = { deadline: Date.now() + timeoutMs }
      const call = client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options,
        (error, response) => {
          ongoing.delete(call)
          signal?.removeEventListener('abort', cancel)
          if (response === undefined || error !== null) reject(failed(error))
          else resolve(response)
        },
      )
      const cancel = (): void => call.cancel()
      ongoing.add(call)
      signal?.addEventListener('abort', cancel)
    })
  }

  const open: Transport['open'] = (method, request) => {
    const { client, failed } = pick()
    const { path, requestSerialize, responseDeserialize } = method
    const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request)
    // The error that follows a cancellation has no reader, and without a listener it would end the process.
    call.on('error', () => {})
    call.on('status', () => ongoing.delete(call))
    ongoing.add(call)
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
    for (const call of ongoing) call.cancel()
    for (const client of clients) client.close()
  }

  return { unary, open, close }
}
