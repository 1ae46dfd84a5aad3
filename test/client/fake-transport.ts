import { cancelled } from '../../client/errors.ts'
import type { Method, Transport } from '../../client/transport.ts'
import { packageDefinition } from '../../proto/load.ts'

/** One stream of a fake daemon, seen from the daemon. */
export interface FakeStream {
  readonly path: string
  /** As the daemon would decode it. */
  readonly request: Record<string, unknown>
  readonly isCancelled: () => boolean
  /** How many messages wait to be read. */
  readonly unread: () => number
  readonly send: (message: object) => void
  readonly end: (error?: Error) => void
}

type Answer = (path: string, request: Record<string, unknown>, timeoutMs: number) => unknown

/** Requests go through the wire's own bytes, so that what is asserted is what a daemon would see. */
export function fakeTransport(answer: Answer = () => ({})) {
  const streams: FakeStream[] = []
  const calls: { path: string; request: Record<string, unknown> }[] = []
  let isClosed = false

  const transport: Transport = {
    unary: async (method, request, { timeoutMs }) => {
      const seen = decodeRequest(method, request)
      calls.push({ path: method.path, request: seen })
      return method.responseDeserialize(encodeResponse(method, await answer(method.path, seen, timeoutMs)))
    },
    open: (method, request) => {
      const queue: (object | undefined | Error)[] = []
      let waiting: (() => void) | undefined
      let isCancelled = false
      const put = (entry: object | undefined | Error): void => {
        queue.push(entry)
        waiting?.()
      }
      streams.push({
        path: method.path,
        request: decodeRequest(method, request),
        isCancelled: () => isCancelled,
        unread: () => queue.length,
        send: put,
        end: put,
      })
      return {
        next: async () => {
          if (queue.length === 0 && !isCancelled) {
            await new Promise<void>((resolve) => {
              waiting = resolve
            })
          }
          if (queue.length === 0) throw cancelled('Cancelled on client')
          const entry = queue.shift()
          if (entry instanceof Error) throw entry
          return entry === undefined ? undefined : method.responseDeserialize(encodeResponse(method, entry))
        },
        cancel: () => {
          isCancelled = true
          waiting?.()
        },
      }
    },
    close: () => {
      isClosed = true
    },
  }
  return { transport, streams, calls, isClosed: () => isClosed }
}

/** A method with the halves that the daemon has of it. */
function whole({ path }: { readonly path: string }) {
  const [, service = '', name = ''] = path.split('/')
  const definition = packageDefinition[service]
  const method = definition === undefined || 'format' in definition ? undefined : definition[name]
  if (method === undefined) throw new Error(`${path} is no method`)
  return method
}

function decodeRequest<Request>(method: Method<Request, unknown>, request: Request): Record<string, unknown> {
  return whole(method).requestDeserialize(method.requestSerialize(request)) as Record<string, unknown>
}

const encodeResponse = (method: { readonly path: string }, response: unknown): Buffer =>
  whole(method).responseSerialize(response as object)
