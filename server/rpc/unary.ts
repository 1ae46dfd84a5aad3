import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Caller } from '../core/caller.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { CallerOf } from './caller.ts'
import { mustBeReadable } from './definitions.ts'
import type { Log } from './log.ts'
import { Refused } from './refused.ts'
import { internalStatus, toStatus } from './status.ts'

/** What a method does with a request: a message, or why not. */
export type Method<Request, Response extends object> = (request: Request, caller: Caller) => Promise<Response | Failure>

/** What all methods of a listener are called with. */
export interface Calls {
  readonly log: Log
  readonly callerOf: CallerOf
}

/** What a method came to, whatever happened in it. `undefined`: a bug or a broken medium, which is in the log. */
export async function attempt<Request, Response extends object>(
  log: Log,
  name: string,
  request: Request,
  caller: Caller,
  method: Method<Request, Response>,
): Promise<Response | Failure | undefined> {
  try {
    mustBeReadable(request)
    return await method(request, caller)
  } catch (cause) {
    return failureOf(log, name, cause)
  }
}

/** Of what a method threw. `undefined`: a bug or a broken medium, which is in the log now. */
export function failureOf(log: Log, name: string, cause: unknown): Failure | undefined {
  if (cause instanceof Refused) return cause.failure
  log.error({ method: name, cause }, 'a call failed in a way that nobody thought of')
  return undefined
}

/** The one place where a unary call is answered. A handler that rejects would kill the process. */
export function unary<Request, Response extends object>(
  { log, callerOf }: Calls,
  name: string,
  method: Method<Request, Response>,
): handleUnaryCall<Request, Response> {
  return async (call, callback) => {
    const result = await attempt(log, name, call.request, callerOf(call), method)
    if (result === undefined) callback(internalStatus())
    else if (isFailure(result)) callback(toStatus(result))
    else callback(null, result)
  }
}
