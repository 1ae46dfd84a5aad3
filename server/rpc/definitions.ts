import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js'
import { type ServiceName, serviceDefinition } from '../../proto/load.ts'
import { refuseField } from './refused.ts'
import { isWellFormed, wireFormOf } from './wire-form.ts'

/**
 * The loader's definitions, but for what the wire needs of ours: bytes that are no message are a request of their own,
 * which is refused like any other (grpc-js would call it INTERNAL); a Batch comes with its size; and Subscribe's
 * messages are bytes already.
 */
export function definitionOf(name: ServiceName): ServiceDefinition {
  const loaded = serviceDefinition(name) as unknown as Record<string, AnyMethod>
  const methods = Object.entries(loaded).map(([key, method]) => {
    const { requestDeserialize, responseSerialize } = method
    const form = wireFormOf(method.requestType.type)
    const read = (bytes: Buffer) => {
      if (!isWellFormed(bytes, form)) return UNREADABLE
      try {
        const request = requestDeserialize(bytes)
        return key === 'Batch' ? { request, bytes: bytes.length } : request
      } catch {
        return UNREADABLE
      }
    }
    const write = key === 'Subscribe' ? (bytes: unknown) => bytes : responseSerialize
    return [key, { ...method, requestDeserialize: read, responseSerialize: write }]
  })
  return Object.fromEntries(methods)
}

type AnyMethod = MethodDefinition<unknown, unknown> & { readonly requestType: { readonly type: object } }

const UNREADABLE = Symbol('bytes that are no message')

/** Throws Refused. */
export function mustBeReadable(request: unknown): void {
  if (request === UNREADABLE) refuseField('request', 'its bytes are no message of this method.')
}
