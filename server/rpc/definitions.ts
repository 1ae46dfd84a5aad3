import type {
  handleServerStreamingCall,
  handleUnaryCall,
  MethodDefinition,
  ServiceDefinition,
  sendUnaryData,
  UntypedHandleCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { BatchRequest__Output } from '../../proto/gen/ioasid/v1/BatchRequest.ts'
import type { BatchResult } from '../../proto/gen/ioasid/v1/BatchResult.ts'
import { serviceDefinition } from '../../proto/load.ts'
import type { ServiceName } from '../../proto/names.ts'
import type { Call } from './caller.ts'
import type { Log } from './log.ts'
import {
  type CallObserver,
  createItemsObserver,
  type MethodObserver,
  NOBODY,
  type Outcome,
  outcomeOf,
  type Revisioned,
} from './observer.ts'
import { refuseField } from './refused.ts'
import { internalStatus } from './status.ts'
import { isWellFormed, wireFormOf } from './wire-form.ts'

/**
 * A service whose messages are bytes for grpc-js, and read and written here. Bytes that are no message are a request of
 * their own, which is refused like any other (grpc-js would call it INTERNAL); a Batch comes with its size; and what
 * Subscribe writes are bytes already. Node keeps a finished HTTP/2 stream, with all that it leads to, until the next full
 * collection of garbage, and the small ones before it copy all that: so it leads to bytes, and not to messages.
 */
export function overBytes(
  log: Log,
  name: ServiceName,
  implementation: UntypedServiceImplementation,
  observer: CallObserver = NOBODY,
): OverBytes {
  const methods = Object.entries(serviceDefinition(name) as unknown as Record<string, AnyMethod>)
  const handlers = methods.flatMap(([key, method]) => {
    const handler = implementation[key]
    return handler === undefined
      ? []
      : [
          [
            key,
            method.responseStream
              ? watched(handler, name, observer.of(key))
              : inBytes({ log, name, key, method, observer }, handler),
          ] as const,
        ]
  })
  const definitions = methods.map(([key, method]) => {
    const requestDeserialize = method.responseStream ? reader(key, method) : same
    return [key, { ...method, requestDeserialize, responseSerialize: same }] as const
  })
  return { definition: Object.fromEntries(definitions), implementation: Object.fromEntries(handlers) }
}

/** A Batch as it arrived: its size is part of its form, and not to be seen in the decoded message. */
export interface SizedBatch {
  readonly request: BatchRequest__Output
  readonly bytes: number
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

interface Served {
  readonly log: Log
  readonly name: ServiceName
  readonly key: string
  readonly method: AnyMethod
  readonly observer: CallObserver
}

function inBytes(
  { log, name, key, method, observer }: Served,
  handler: UntypedHandleCall,
): handleUnaryCall<Buffer, Buffer> {
  const read = reader(key, method)
  const calls = observer.of(key)
  const observeItems = createItemsObserver(observer)
  const answer = handler as (call: Call & { readonly request: unknown }, callback: sendUnaryData<unknown>) => void
  return (call, callback) => {
    const beganMs = calls.nowMs()
    const trace = calls.trace?.(call, name)
    const request = read(call.request)
    answer({ request, getAuthContext: () => call.getAuthContext() }, (error, response) => {
      if (error !== null) {
        calls.over(outcomeOf(error), call, beganMs, trace)
        return callback(error)
      }
      let bytes: Buffer
      try {
        bytes = method.responseSerialize(response)
      } catch (cause) {
        log.error({ method: key, cause }, 'an answer is no message of its method')
        calls.over('INTERNAL', call, beganMs, trace)
        return callback(internalStatus())
      }
      if (key === 'Batch') observeItems(call, (request as SizedBatch).request.items, (response as Answered).results)
      calls.over('OK', call, beganMs, trace, response as Revisioned)
      callback(null, bytes)
    })
  }
}

interface Answered {
  readonly results: readonly BatchResult[]
}

/** A stream that is counted when it is over, whichever way: `error` is how its handler ends it with a status. */
function watched(handler: UntypedHandleCall, name: ServiceName, calls: MethodObserver): UntypedHandleCall {
  const serve = handler as handleServerStreamingCall<unknown, unknown>
  const serveWatched: typeof serve = (call) => {
    const trace = calls.trace?.(call, name)
    let isOver = false
    const end = (outcome: Outcome) => {
      if (!isOver) calls.ended(outcome, call, trace)
      isOver = true
    }
    call.once('error', (status: object) => end(outcomeOf(status)))
    call.once('cancelled', () => end('CANCELLED'))
    call.once('finish', () => end('OK'))
    call.once('close', () => end('CANCELLED'))
    serve(call)
  }
  return serveWatched
}

type AnyMethod = MethodDefinition<unknown, unknown> & { readonly requestType: { readonly type: object } }

const UNREADABLE = Symbol('bytes that are no message')

/** Throws Refused. */
export function mustBeReadable(request: unknown): void {
  if (request === UNREADABLE) refuseField('request', 'its bytes are no message of this method.')
}
