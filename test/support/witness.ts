import type { Client, IoasidNotification } from '../../client/index.ts'

/** A subscriber that writes down all it is told, over restarts of the daemon, and what was wrong with it. */
export interface Witness {
  /** By id: how often its ALLOC was told. */
  readonly allocs: ReadonlyMap<number, number>
  readonly problems: readonly string[]
  /** Resolves when it has been told everything up to the revision. */
  reaches(revision: bigint): Promise<void>
  stop(): Promise<void>
}

/** Listens to a token, from the beginning of the history on. */
export function startWitness(client: Client, token: string): Witness {
  const allocs = new Map<number, number>()
  const problems: string[] = []
  let told = 0n
  let notice: () => void = () => undefined
  const subscription = client.subscribe({
    tokens: [token],
    start: { afterRevision: 0n },
    heartbeatMs: 100,
    progress: true,
  })

  const hear = (event: IoasidNotification) => {
    if (event.token !== token) problems.push(`told of ${event.token}`)
    if (event.revision <= told) problems.push(`revision ${event.revision} told after ${told}`)
    if (event.type === 'ALLOC') allocs.set(event.ioasid, (allocs.get(event.ioasid) ?? 0) + 1)
  }

  const listening = (async () => {
    for await (const item of subscription) {
      if (item.kind === 'revision') item.notifications.forEach(hear)
      told = item.revision
      notice()
    }
  })()

  return {
    allocs,
    problems,
    reaches: async (revision) => {
      while (told < revision) {
        await new Promise<void>((resolve) => {
          notice = resolve
        })
      }
    },
    stop: async () => {
      await subscription.return()
      await listening
    },
  }
}
