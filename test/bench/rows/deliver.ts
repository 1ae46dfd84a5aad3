import type { Watchers } from '../load/watchers.ts'
import { inRounds } from '../rounds.ts'

export interface Delivery {
  readonly watchers: Watchers
  /** A change that all who watch it are told of. */
  readonly change: () => Promise<unknown>
  /** How many events all watchers together are told of one change. */
  readonly eventsPerChange: number
  /** Changes that are on their way at once: made, and not told to all yet. */
  readonly underWay: number
}

/** Changes, each made when an earlier one was told to all: events a second. Throws where one is told twice or a call fails. */
async function deliver(delivery: Delivery, forMs: number): Promise<number> {
  const { watchers, change, eventsPerChange, underWay } = delivery
  const before = watchers.events
  const calls: Promise<unknown>[] = []
  let onFailure: (cause: unknown) => void = () => undefined
  // What a failed call does not change nobody is told: it must not be waited for.
  const failed = new Promise<never>((_resolve, reject) => {
    onFailure = reject
  })
  const told = (changes: number) => Promise.race([watchers.reached(before + changes * eventsPerChange), failed])
  const startMs = performance.now()
  while (performance.now() - startMs < forMs) {
    await told(calls.length - underWay + 1)
    const call = change()
    call.catch(onFailure)
    calls.push(call)
  }
  await told(calls.length)
  await Promise.all(calls)
  const tookMs = performance.now() - startMs
  const events = calls.length * eventsPerChange
  if (watchers.events > before + events) throw new Error(`${watchers.events - before - events} events were told twice`)
  return (events / tookMs) * 1_000
}

const WARM_MS = 2_000

/** Each warmed, then in rounds: events a second. */
export async function deliverInRounds<Name extends string>(
  deliveries: Readonly<Record<Name, Delivery>>,
  { rounds, roundMs }: { readonly rounds: number; readonly roundMs: number },
): Promise<readonly Readonly<Record<Name, number>>[]> {
  for (const delivery of Object.values<Delivery>(deliveries)) await deliver(delivery, WARM_MS)
  const variants = Object.entries<Delivery>(deliveries).map(
    ([name, delivery]) => [name, () => deliver(delivery, roundMs)] as const,
  )
  return await inRounds(rounds, Object.fromEntries(variants) as Record<Name, () => Promise<number>>)
}
