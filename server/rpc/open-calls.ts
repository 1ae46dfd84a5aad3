import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js'
import type { Failure } from '../core/failure.ts'
import { toStatus } from './status.ts'

type Call<Request, Response> = ServerWritableStream<Request, Response> | ServerDuplexStream<Request, Response>

/** Streams that have no end of their own: a shutdown ends them, or it would wait behind them for ever. */
export interface OpenCalls<Request, Response> extends Iterable<Call<Request, Response>> {
  /** Keeps the call until it is over. After `endAll` it is ended at once. */
  add(call: Call<Request, Response>): void
  endAll(failure: Failure): void
}

export function createOpenCalls<Request, Response>(): OpenCalls<Request, Response> {
  const open = new Set<Call<Request, Response>>()
  let ended: Failure | undefined
  return {
    [Symbol.iterator]: () => open.values(),
    add: (call) => {
      if (ended !== undefined) return void call.emit('error', toStatus(ended))
      open.add(call)
      call.once('close', () => open.delete(call))
      call.once('finish', () => open.delete(call))
    },
    endAll: (failure) => {
      ended = failure
      for (const call of open) call.emit('error', toStatus(failure))
      open.clear()
    },
  }
}
