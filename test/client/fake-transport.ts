import { cancelled } from '../../client/errors.ts'
import type { Transport } from '../../client/transport.ts'

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

/** The other halves of a method, which proto/load.ts gives too. */
interface WholeMethod {
  requestSerialize: (request: unknown) => Buffer
  requestDeserialize: (bytes: Buffer) => Record<string, unknown>
  responseSerialize: (response: unknown) => Buffer
}

function whole(method: object): WholeMethod {
  if (!('requestDeserialize' in method)) throw new Error('not a method of proto/load.ts')
  return method as WholeMethod
}

function decodeRequest(method: object, request: unknown): Record<string, unknown> {
  const { requestSerialize, requestDeserialize } = whole(method)
  return requestDeserialize(requestSerialize(request))
}

const encodeResponse = (method: object, response: unknown): Buffer => whole(method).responseSerialize(response)
