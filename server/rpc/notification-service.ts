import type {
  handleServerStreamingCall,
  ServerWritableStream,
  StatusObject,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { AcknowledgeRequest__Output } from '../../proto/gen/ioasid/v1/AcknowledgeRequest.ts'
import type { SubscribeRequest__Output } from '../../proto/gen/ioasid/v1/SubscribeRequest.ts'
import type { NotificationType } from '../core/event.ts'
import { type Failure, isFailure } from '../core/failure.ts'
import type { Revision } from '../core/ids.ts'
import type { Engine } from '../engine/engine.ts'
import type { Opened } from '../engine/subscribe.ts'
import type { Told } from '../engine/subscription.ts'
import { createTurnstile, type Turnstile } from '../engine/turnstile.ts'
import { answered } from './change.ts'
import { decodeAcknowledge, decodeSubscribe } from './decode-subscribe.ts'
import { bodiesOf, createMessageEncoder, type Kind, type MessageBody } from './message-bytes.ts'
import {
  createEventEncoder,
  type EncodeEvent,
  isLargeEvent,
  overrunPartsOf,
  partsOf,
  snapshotPartsOf,
} from './notification-encoding.ts'
import { internalStatus, toStatus } from './status.ts'
import { type After, createStreamWriter } from './stream.ts'
import { attempt, type Calls, unary } from './unary.ts'

/** NotificationService.Subscribe: contract section 4. */

type Call = ServerWritableStream<SubscribeRequest__Output, Buffer>

export interface SubscribeOptions extends Calls {
  readonly engine: Engine
  readonly after: After
  readonly soon: (callback: () => void) => void
  /** The longest time between two writes of a snapshot that the peer accepts. */
  readonly snapshotTimeoutMs: number
}

/** What all subscriptions of a listener have together. */
interface Shared extends SubscribeOptions {
  readonly encode: EncodeEvent
  readonly nextPiece: Turnstile
}

/** Messages of large events and snapshots, of all subscriptions: a few milliseconds' worth. */
const PIECES_PER_TURN = 16

/** Notifications are written as bytes, which no generated type of a handler knows. */
export function createNotificationService(options: SubscribeOptions): UntypedServiceImplementation {
  const { engine } = options
  const Acknowledge = unary(options, 'Acknowledge', async (request: AcknowledgeRequest__Output, caller) => {
    const changed = answered(await engine.acknowledge(decodeAcknowledge(engine, request), caller), 'done')
    return isFailure(changed) ? changed : { revision: changed.revision }
  })
  return { Subscribe: createSubscribeHandler(options), Acknowledge }
}

function createSubscribeHandler(
  options: SubscribeOptions,
): handleServerStreamingCall<SubscribeRequest__Output, Buffer> {
  const { engine, log, callerOf } = options
  const shared = { ...options, encode: createEventEncoder(), nextPiece: createTurnstile(options.soon, PIECES_PER_TURN) }
  return async (call) => {
    const result = await attempt(log, 'Subscribe', call.request, callerOf(call), async (message, caller) => {
      const request = decodeSubscribe(engine, message)
      const opened = await engine.subscribe(request, caller)
      if (isFailure(opened)) return opened
      try {
        return { failure: await tell(shared, call, opened, request.types) }
      } finally {
        opened.close()
      }
    })
    if (result === undefined) return endStream(call, internalStatus())
    if (isFailure(result)) return endStream(call, toStatus(result))
    if (result.failure !== undefined) endStream(call, toStatus(result.failure))
    else call.end()
  }
}

/** Never `destroy`: the HTTP/2 stream would stay open and the client wait for ever. */
function endStream(call: Call, status: StatusObject): void {
  call.emit('error', status)
}

/** Tells until the peer leaves (undefined) or the subscription ends (why). */
async function tell(
  { engine, after, snapshotTimeoutMs, encode, nextPiece }: Shared,
  call: Call,
  { subscription, revision, snapshot }: Opened,
  types: ReadonlySet<NotificationType>,
): Promise<Failure | undefined> {
  call.once('cancelled', subscription.close)
  call.once('close', subscription.close)
  // It may have left while the subscription was waiting for the disk, and tells so only once.
  if (call.cancelled) subscription.close()
  const writer = createStreamWriter(call, subscription.signal, after)
  const encodeMessage = createMessageEncoder(subscription.subscriptionId, engine.spaceId)
  let prevRevision = 0

  const send = (kind: Kind, revision: Revision, parts: readonly Buffer[] = [], more = false, timeoutMs?: number) => {
    const message = encodeMessage({ kind, revision, prevRevision, more, parts })
    prevRevision = revision
    return writer.write(message, timeoutMs)
  }

  await send('HEADER', revision)
  if (snapshot !== undefined) {
    for (const { parts, more } of bodiesOf(snapshotPartsOf(snapshot.items(), revision, types))) {
      const result = await send('NOTIFICATIONS', revision, parts, more, snapshotTimeoutMs)
      if (result === 'slow') return engine.compacted()
      if (result === 'ended') break
      if (more) await nextPiece()
    }
    snapshot.release()
    await send('SNAPSHOT_END', revision)
  }
  for (;;) {
    const item = await subscription.next()
    if (item.kind === 'ended') return item.failure
    if (item.kind === 'heartbeat') {
      await send('HEARTBEAT', item.revision)
      continue
    }
    const isLarge = item.events.some(isLargeEvent)
    if (isLarge) await nextPiece()
    for (const { parts, more } of bodiesOfTold(encode, item)) {
      if ((await send('NOTIFICATIONS', item.revision, parts, more)) === 'ended') break
      if (isLarge && more) await nextPiece()
    }
  }
}

function bodiesOfTold(encode: EncodeEvent, { events, revision, overrun }: Told): Iterable<MessageBody> {
  if (overrun !== undefined && overrun.size > 0) return bodiesOf(overrunPartsOf(events, revision, overrun))
  return bodiesOf(partsOf(encode, events, revision))
}
