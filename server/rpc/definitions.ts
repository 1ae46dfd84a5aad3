import type {
  handleUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { serviceDefinition } from '../../proto/load.ts'
import type { ServiceName } from '../../proto/names.ts'
import type { Call } from './caller.ts'
import type { Log } from './log.ts'
import { refuseField } from './refused.ts'
import { internalStatus } from './status.ts'
import { isWellFormed, wireFormOf } from './wire-form.ts'

/**
 * A service whose messages are bytes for grpc-js, and read and written here. Bytes that are no message are a request of
 * their own, which is refused like any other (grpc-js would call it INTERNAL); a Batch comes with its size; and what
 * Subscribe writes are bytes already. Node keeps a finished HTTP/2 stream, with all that it leads to, until the next full
 * collection of garbage, and the small ones before it copy all that: so it leads to bytes, and not to messages.
 */
export function overBytes(log: Log, name: ServiceName, implementation: UntypedServiceImplementation): OverBytes {
  const methods = Object.entries(serviceDefinition(name) as unknown as Record<string, AnyMethod>)
  const handlers = methods.flatMap(([key, method]) => {
    const handler = implementation[key]
    return handler === undefined
      ? []
      : [[key, method.responseStream ? handler : inBytes(log, handler, key, method)] as const]
  })
  const definitions = methods.map(([key, method]) => {
    const requestDeserialize = method.responseStream ? reader(key, method) : same
    return [key, { ...method, requestDeserialize, responseSerialize: same }] as const
  })
  return { definition: Object.fromEntries(definitions), implementation: Object.fromEntries(handlers) }
}

interface OverBytes {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
}

const same = (bytes: unknown) => bytes as Buffer

function reader(key: string, { requestDeserialize, requestType }: AnyMethod): (bytes: Buffer) => unknown {
  const form = wireFormOf(requestType.type)
  return (bytes) => {
    if (!isWellFormed(bytes, form)) return UNREADABLE
    try {
      const request = requestDeserialize(bytes)
      return key === 'Batch' ? { request, bytes: bytes.length } : request
    } catch {
      return UNREADABLE
    }
  }
}

function inBytes(
  log: Log,
  handler: UntypedHandleCall,
  key: string,
  method: AnyMethod,
): handleUnaryCall<Buffer, Buffer> {
  const read = reader(key, method)
  const answer = handler as (call: Call & { readonly request: unknown }, callback: sendUnaryData<unknown>) => void
  return (call, callback) =>
    answer({ request: read(call.request), getAuthContext: () => call.getAuthContext() }, (error, response) => {
      if (error !== null) return callback(error)
      let bytes: Buffer
      try {
        bytes = method.responseSerialize(response)
      } catch (cause) {
        log.error({ method: key, cause }, 'an answer is no message of its method')
        return callback(internalStatus())
      }
      callback(null, bytes)
    })
}

type AnyMethod = MethodDefinition<unknown, unknown> & { readonly requestType: { readonly type: object } }

const UNREADABLE = Symbol('bytes that are no message')

/** Throws Refused. */
export function mustBeReadable(request: unknown): void {
  if (request === UNREADABLE) refuseField('request', 'its bytes are no message of this method.')
}
