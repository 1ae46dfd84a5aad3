import { setTimeout as sleep } from 'node:timers/promises'
import type { Client, Priority } from '../../client/index.ts'
import type { Below } from './chance.ts'
import { afterNowMs, type Ledger, lineOf, type Told } from './ledger.ts'
import { LEASE_TTL_MS } from './tenant.ts'

/** Streams over restarts of the daemon: holders that acknowledge what they are told, and a plain subscriber. */
export interface Stream {
  /** All it was told that was more than a cursor, in order. */
  readonly heard: readonly Told[]
  readonly problems: readonly string[]
  /** Resolves when it has been told everything up to the revision. */
  reaches(revision: number): Promise<void>
  stop(): Promise<void>
}

export interface Holder extends Stream {
  readonly priority: Priority
  readonly leaseHandle: string
  readonly leaseId: number
  /** The highest revision that it has ever said to have cleaned up for. */
  readonly saidMax: number
}

interface ListenOptions {
  readonly client: Client
  readonly ledger: Ledger
  readonly hold?: { readonly leaseHandle: string; readonly priority: Priority }
  /** Tells of each revision that has come, at once. */
  readonly hear?: (told: Told, isOverrun: boolean) => void
}

/** Hears everything that ever was, from the beginning of the history on. */
export function listen({ client, ledger, hold, hear = () => undefined }: ListenOptions): Stream {
  const heard: Told[] = []
  const problems: string[] = []
  let revision = 0
  let notice: () => void = () => undefined
  const subscription = client.subscribe({
    all: true,
    start: { afterRevision: 0n },
    heartbeatMs: 100,
    progress: true,
    ...(hold === undefined ? {} : { hold }),
  })
  const listening = (async () => {
    for await (const item of subscription) {
      const next = Number(item.revision)
      const notifications = item.kind === 'revision' ? item.notifications : []
      const told = { atMs: afterNowMs(), revision: next, lines: notifications.map(lineOf) }
      if (next < revision || (next === revision && told.lines.length > 0)) problems.push(`${next} after ${revision}`)
      revision = next
      ledger.told.push({ ...told, lines: hold === undefined ? told.lines : [] })
      if (told.lines.length > 0) {
        heard.push(told)
        hear(
          told,
          notifications.some((event) => event.overrun),
        )
      }
      notice()
    }
  })().catch((error: unknown) => {
    problems.push(`the stream ended: ${error}`)
    notice()
  })
  return {
    heard,
    problems,
    reaches: async (wanted) => {
      while (revision < wanted && problems.length === 0) {
        await new Promise<void>((resolve) => {
          notice = resolve
        })
      }
    },
    stop: async () => {
      if (subscription.gaps > 0) problems.push(`${subscription.gaps} gaps`)
      await subscription.return()
      await listening
    },
  }
}

export interface HolderOptions {
  readonly client: Client
  readonly ledger: Ledger
  readonly priority: Priority
  readonly below: Below
  readonly hear?: (told: Told, isOverrun: boolean) => void
}

/** Holds every bound id and takes a while to clean up after a teardown. */
export async function startHolder({ client, ledger, priority, below, hear }: HolderOptions): Promise<Holder> {
  const { lease } = await client.grantLease({ ttlMs: LEASE_TTL_MS, name: priority })
  const { leaseHandle } = lease
  const leaseId = Number(lease.leaseId)
  // The same after every restart.
  const { spaceId } = await client.getStatus()
  let toldRevision = 0
  let saidMax = 0
  let isOver = false
  const stream = listen({
    client,
    ledger,
    hold: { leaseHandle, priority },
    hear: (told, isOverrun) => {
      if (told.lines.some((line) => /^(UNBIND|FREE) /.test(line))) toldRevision = told.revision
      hear?.(told, isOverrun)
    },
  })
  const problems: string[] = []
  const acknowledge = async (revision: number) => {
    // Said is said, answered or not.
    saidMax = revision
    const answer = await client.acknowledge({ leaseHandle, revision: BigInt(revision), spaceId })
    const acknowledged = { leaseId, revision }
    const rest = { requestId: undefined, item: undefined, revision: Number(answer.revision), event: undefined }
    ledger.answers.push({ atMs: afterNowMs(), ...rest, acknowledged })
  }
  const renew = async () => {
    const sentMs = Date.now()
    await client.keepLeaseAlive({ leaseHandle })
    ledger.renewals.push({ sentMs, atMs: afterNowMs(), leaseId, ttlMs: LEASE_TTL_MS })
  }
  const working = (async () => {
    for (let turn = 0; !isOver; turn++) {
      if (toldRevision > saidMax) await acknowledge(toldRevision)
      else if (turn % 8 === 0) await renew()
      await sleep(below(60))
    }
  })().catch((error: unknown) => problems.push(`${priority}: ${error}`))
  return {
    ...stream,
    priority,
    leaseHandle,
    leaseId,
    get saidMax() {
      return saidMax
    },
    get problems() {
      return [...stream.problems, ...problems]
    },
    stop: async () => {
      isOver = true
      await working
      await stream.stop()
    },
  }
}
