import type { Command } from 'commander'
import type { Client, Cursor, Lease, NotificationType, Priority, SubscriptionItem } from '../index.ts'
import { isIoasidError } from './failure.ts'
import { type Io, type Session, usage } from './run.ts'

/** The part of `watch` that holds: a lease of its own, by which each id is kept until its teardown was printed. */

export interface HoldFlags {
  readonly hold?: true
  readonly priority?: Priority
  /** In ms. */
  readonly ttl?: number
  readonly types?: readonly NotificationType[]
}

const DEFAULT_TTL_MS = 10_000
const DEFAULT_PRIORITY: Priority = 'DEVICE'
const HOLD_TYPES: readonly NotificationType[] = ['BIND', 'UNBIND', 'FREE']

/** Ends the command where flags do not go together. */
export function checkHoldFlags(command: Command, { hold, priority, ttl, types }: HoldFlags): void {
  if (!hold && priority !== undefined) usage(command, '--priority goes with --hold.')
  if (!hold && ttl !== undefined) usage(command, '--ttl goes with --hold.')
  if (hold && types !== undefined && !HOLD_TYPES.every((type) => types.includes(type))) {
    usage(command, '--types lacks some of BIND, UNBIND, FREE, which --hold has to be told of.')
  }
}

export interface Holding {
  readonly hold: { readonly leaseHandle: string; readonly priority: Priority }
  /** Aborted when the lease is lost; its reason is the error. */
  readonly signal: AbortSignal
  /**
   * Everything of an item was printed, up to the cursor: what it tells is acknowledged, or with the next item where nobody
   * answers.
   */
  readonly printed: (item: SubscriptionItem, cursor: Cursor | undefined, signal: AbortSignal) => Promise<void>
  /** Revokes the lease. */
  readonly end: () => Promise<void>
}

export async function openHold(io: Io, { client, globals, call }: Session, flags: HoldFlags): Promise<Holding> {
  const { priority = DEFAULT_PRIORITY, ttl: ttlMs = DEFAULT_TTL_MS } = flags
  const lease = await client.openLease({ ttlMs, name: 'ioasidctl watch', ...call })
  if (!globals.quiet) io.err(`holding as ${priority} by lease ${lease.leaseId}\n`)
  return {
    hold: { leaseHandle: lease.handle, priority },
    signal: lease.signal,
    printed: acknowledging(client, lease),
    end: () => revoke(io, lease, Math.min(globals.deadline, ttlMs)),
  }
}

function acknowledging(client: Client, lease: Lease): Holding['printed'] {
  let due: Cursor | undefined
  return async (item, cursor, signal) => {
    if (isToAcknowledge(item)) due = cursor
    if (due === undefined) return
    try {
      await client.acknowledge({ leaseHandle: lease.handle, ...due }, { signal })
      due = undefined
    } catch (error) {
      if (!isIoasidError(error)) throw error
      const { code, reason } = error
      // Of a history that is over there is nothing left to say, and the stream is the one to tell of it.
      if (reason === 'HISTORY_CHANGED') due = undefined
      // A daemon that is away is the stream's to tell of, and to wait for.
      const mayPass = due === undefined || code === 'UNAVAILABLE' || code === 'DEADLINE_EXCEEDED'
      if (!signal.aborted && !mayPass) throw error
    }
  }
}

function isToAcknowledge(item: SubscriptionItem): boolean {
  if (item.kind !== 'revision') return item.kind === 'snapshotEnd'
  return item.notifications.some(({ type }) => type === 'UNBIND' || type === 'FREE')
}

/** Not with the signal of the user, who has had enough of watching; a second one ends the process. */
async function revoke(io: Io, lease: Lease, deadlineMs: number): Promise<void> {
  if (lease.signal.aborted) return
  try {
    await lease.revoke({ deadlineMs })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    io.err(`lease ${lease.leaseId} is not revoked, and ends by its time: ${why}\n`)
  }
}
