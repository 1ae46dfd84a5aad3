import type { Metadata } from '@grpc/grpc-js'
import type { BatchItem__Output } from '../../proto/gen/ioasid/v1/BatchItem.ts'
import type { BatchResult } from '../../proto/gen/ioasid/v1/BatchResult.ts'
import { REASONS, type Reason } from '../core/failure.ts'
import type { Call } from './caller.ts'

/**
 * Who watches the calls: counts, logs and traces, of which this layer knows no more than is here. Nothing that names a set or a
 * lease goes through it, and who calls only on demand.
 */
export interface CallObserver {
  /** Asked once for each method, `Allocate`; nothing is asked or made for a call. */
  of(method: string): MethodObserver
}

export interface MethodObserver {
  /** Milliseconds since some moment: when a call began. */
  nowMs(): number
  /** Where calls are traced: begins the trace of one. */
  readonly trace: ((call: ObservedCall, service: string) => CallTrace | undefined) | undefined
  /** A call is over. revision: that of its answer, where it has one. */
  over(outcome: Outcome, call: ObservedCall, beganMs: number, trace?: CallTrace, revision?: Revisioned): void
  /** A stream is over: how long it was open says nothing. */
  ended(outcome: Outcome, call: ObservedCall, trace?: CallTrace): void
  /** A call was refused before it came to its method. */
  refused(outcome: Outcome, identity: string, peer: string): void
  /** An item of a Batch that is a request of this method has come to its end. */
  item(outcome: Outcome, call: ObservedCall): void
}

/** An answer that may have a revision. */
export interface Revisioned {
  readonly revision?: unknown
}

/** A call's place in the trace that its caller began. */
export interface CallTrace {
  readonly traceId: string
  readonly spanId: string
  end(outcome: Outcome): void
}

/** Of grpc-js' call what an observer may see. */
export interface ObservedCall extends Call {
  readonly metadata: Metadata
  getPeer(): string
}

/** How a request ended: OK, the reason of its refusal, a bug or a broken medium, or a stream that its peer has left. */
export type Outcome = 'OK' | Reason | 'INTERNAL' | 'CANCELLED'

export const OUTCOMES: readonly Outcome[] = ['OK', ...reasons(), 'INTERNAL', 'CANCELLED']

const ignore = () => undefined
const NOBODY_METHOD: MethodObserver = {
  nowMs: () => 0,
  trace: undefined,
  over: ignore,
  ended: ignore,
  refused: ignore,
  item: ignore,
}

/** Nobody watches. */
export const NOBODY: CallObserver = { of: () => NOBODY_METHOD }

/** Of what a handler was answered with: a failure's status carries its reason (status.ts). */
export function outcomeOf(error: object): Outcome {
  return 'reason' in error && isReason(error.reason) ? error.reason : 'INTERNAL'
}

function isReason(text: unknown): text is Reason {
  return typeof text === 'string' && Object.hasOwn(REASONS, text)
}

function reasons(): readonly Reason[] {
  return Object.keys(REASONS).filter(isReason)
}

/** The RPC that an item of a Batch stands for. */
const METHOD_OF_ITEM = {
  allocate: 'Allocate',
  free: 'Free',
  attach_spid: 'AttachSpid',
  detach_spid: 'DetachSpid',
  attach_data: 'AttachData',
  detach_data: 'DetachData',
  acquire: 'Acquire',
  release: 'Release',
} as const satisfies Record<NonNullable<BatchItem__Output['item']>, string>

/** Counts the items of a Batch that was carried out, each as a request of its own method. */
export function createItemsObserver(
  observer: CallObserver,
): (call: ObservedCall, items: readonly BatchItem__Output[], results: readonly BatchResult[]) => void {
  const known = new Map(Object.entries(METHOD_OF_ITEM).map(([item, method]) => [item, observer.of(method)] as const))
  return (call, items, results) => {
    results.forEach(({ failure }, index) => {
      known.get(items[index]?.item ?? '')?.item(failure ? outcomeOf(failure) : 'OK', call)
    })
  }
}
