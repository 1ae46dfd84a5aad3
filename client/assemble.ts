import type { SubscribeResponse__Output } from '../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { toNotification } from './convert.ts'
import type { SubscriptionItem } from './subscription-types.ts'
import type { IoasidNotification } from './types.ts'

/** What one stream has told so far, between two messages. */
export interface Assembly {
  readonly isSnapshot: boolean
  /** The revision of the message before; undefined: none came. */
  last: bigint | undefined
  /** SNAPSHOT_END is still to come. */
  inSnapshot: boolean
  /** The beginning of a revision whose end is still to come: undefined between revisions. */
  parts: { readonly revision: bigint; readonly notifications: IoasidNotification[] } | undefined
}

export interface Gap {
  readonly kind: 'gap'
  readonly what: string
}

export function newAssembly(isSnapshot: boolean): Assembly {
  return { isSnapshot, last: undefined, inSnapshot: isSnapshot, parts: undefined }
}

/**
 * Takes the next message of a stream, and gives the item that it completes, if any. A revision is given when its last
 * message is there, so that a break in the middle of it loses and repeats nothing. A message that does not follow the one
 * before it is a gap, and the stream is good for nothing any more.
 */
export function assemble(assembly: Assembly, message: SubscribeResponse__Output): SubscriptionItem | Gap | undefined {
  const revision = BigInt(message.revision)
  const previous = BigInt(message.prev_revision)
  const { last } = assembly
  assembly.last = revision
  if (last === undefined) {
    if (message.kind !== 'HEADER' || previous !== 0n) return gap(`the first message is ${message.kind}, not HEADER`)
    if (assembly.isSnapshot) return { kind: 'snapshotBegin', revision, spaceId: message.space_id }
    return { kind: 'progress', revision }
  }
  if (previous !== last) return gap(`a message after revision ${previous} follows one of revision ${last}`)
  if (revision < last) return gap(`revision ${revision} follows ${last}`)
  return assembly.inSnapshot ? takeSnapshot(assembly, message, revision) : takeChange(assembly, message, revision, last)
}

function takeSnapshot(
  assembly: Assembly,
  message: SubscribeResponse__Output,
  revision: bigint,
): SubscriptionItem | Gap {
  if (message.kind === 'NOTIFICATIONS') return { kind: 'snapshot', revision, notifications: events(message) }
  if (message.kind !== 'SNAPSHOT_END') return gap(`a snapshot holds a ${message.kind}`)
  assembly.inSnapshot = false
  return { kind: 'snapshotEnd', revision }
}

function takeChange(
  assembly: Assembly,
  message: SubscribeResponse__Output,
  revision: bigint,
  last: bigint,
): SubscriptionItem | Gap | undefined {
  const { parts } = assembly
  if (parts !== undefined && (message.kind !== 'NOTIFICATIONS' || revision !== parts.revision)) {
    return gap(`revision ${parts.revision} has no end`)
  }
  if (message.kind === 'HEARTBEAT') return { kind: 'progress', revision }
  if (message.kind !== 'NOTIFICATIONS') return gap(`a ${message.kind} is out of place`)
  if (parts === undefined && revision === last) return gap(`revision ${revision} is there twice`)
  const notifications = parts?.notifications ?? []
  for (const event of events(message)) notifications.push(event)
  assembly.parts = message.more ? { revision, notifications } : undefined
  if (message.more) return undefined
  // Nothing but types that only a newer release knows.
  return notifications.length === 0 ? { kind: 'progress', revision } : { kind: 'revision', revision, notifications }
}

function events(message: SubscribeResponse__Output): IoasidNotification[] {
  return message.notifications.flatMap((wire) => toNotification(wire) ?? [])
}

const gap = (what: string): Gap => ({ kind: 'gap', what })
