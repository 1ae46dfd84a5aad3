import { peerOfCall } from '../rpc/caller.ts'
import type { CallObserver, CallTrace, ObservedCall } from '../rpc/observer.ts'
import { placeOf } from '../rpc/peer.ts'
import type { CallLog } from './call-log.ts'
import type { Recorder } from './recorder.ts'

export interface CallObserverOptions {
  readonly recorder: Recorder
  readonly callLog: CallLog
  readonly nowMs: () => number
  /** A call that takes so long has a line in the log. */
  readonly slowMs: number
  /** undefined: calls are not traced. */
  readonly trace: Trace | undefined
}

export type Trace = (method: string, service: string, call: ObservedCall) => CallTrace | undefined

/** Counts, log and traces of calls. Asked on the path of every call: what is neither refused nor slow makes nothing. */
export function createCallObserver({ recorder, callLog, nowMs, slowMs, trace }: CallObserverOptions): CallObserver {
  const nothing = { durationMs: undefined, revision: undefined, trace: undefined }
  return {
    of: (method) => {
      const counted = recorder.method(method)
      return {
        nowMs,
        trace: trace === undefined ? undefined : (call, service) => trace(method, service, call),
        over: (outcome, call, beganMs, traced, answer) => {
          const durationMs = nowMs() - beganMs
          counted.request(outcome)
          counted.took(durationMs)
          if (outcome !== 'OK' || durationMs >= slowMs) {
            const revision = answer?.revision === undefined ? undefined : Number(answer.revision)
            callLog.tell({ method, outcome, ...whoOf(call), durationMs, revision, trace: traced })
          }
          traced?.end(outcome)
        },
        ended: (outcome, call, traced) => {
          counted.request(outcome)
          if (outcome !== 'OK') callLog.tell({ ...nothing, method, outcome, ...whoOf(call), trace: traced })
          traced?.end(outcome)
        },
        refused: (outcome, identity, peer) => {
          counted.request(outcome)
          callLog.tell({ ...nothing, method, outcome, identity, peer })
        },
        item: (outcome, call) => {
          counted.request(outcome)
          if (outcome !== 'OK') callLog.tell({ ...nothing, method, outcome, ...whoOf(call) })
        },
      }
    },
  }
}

function whoOf(call: ObservedCall) {
  const peer = peerOfCall(call)
  return { identity: peer.identity, peer: placeOf(peer, call.getPeer()) }
}
