import type { EventEmitter } from 'node:events'
import type { Failure } from '../core/failure.ts'
import { toStatus } from './status.ts'

/** Streams that have no end of their own: a shutdown ends them, or it would wait behind them for ever. */
export interface OpenCalls<Call> extends Iterable<Call> {
  /** Keeps the call until it is over. After `endAll` it is ended at once. */
  add(call: Call): void
  endAll(failure: Failure): void
}

export function createOpenCalls<Call extends EventEmitter>(): OpenCalls<Call> {
  const open = new Set<Call>()
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
