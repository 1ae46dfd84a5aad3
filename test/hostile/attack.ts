import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { print, watchOthers } from './others.ts'
import { vanishAll } from './raw-peer.ts'
import type { Target } from './target.ts'

export const MIB = 1024 * 1024

/**
 * How much larger the daemon may grow under one attack. Generous: V8 takes and keeps some 100 MiB for any work, and what
 * is without a bound is found all the same, since each attack offers it several times as much.
 */
const MAX_GROWTH_BYTES = 256 * MIB
/** A question of others waits at most so long, however loaded the machine is: they are served, not queued behind it. */
const MAX_WAIT_MS = 10_000

export interface SurviveOptions {
  /** Waits until no descriptor of the attackers is left. Default: yes. endings.test.ts has those for which that is a rule of its own. */
  readonly isLetGo?: boolean
}

/** Everything that holds during and after an attack, whatever it is: `attack` gives back how to let go of its peers. */
export async function survives(
  target: Target,
  name: string,
  attack: () => Promise<() => void>,
  { isLetGo = true }: SurviveOptions = {},
): Promise<void> {
  const fds = target.fds()
  const before = await target.status()
  const rssBytes = target.rssBytes()
  const others = await watchOthers(target)
  let largest = 0
  const measure = setInterval(() => {
    if (target.isAlive()) largest = Math.max(largest, target.rssBytes())
  }, 20)
  let letGo: () => void = () => undefined
  try {
    letGo = await attack()
    await sleep(200)
    const latencies = await others.stop()
    const growth = largest - rssBytes
    console.log(`${name}: grew ${(growth / MIB).toFixed(0)} MiB; others waited ${print(latencies)}`)
    expect(target.isAlive()).toBe(true)
    expect(growth, 'growth of the daemon in bytes').toBeLessThan(MAX_GROWTH_BYTES)
    expect(latencies.count).toBeGreaterThan(0)
    expect(latencies.maxMs).toBeLessThan(MAX_WAIT_MS)
  } finally {
    clearInterval(measure)
    letGo()
    vanishAll()
  }
  if (isLetGo) await target.settled(fds)
  const after = await untilEqual(target, before['subscriptions'])
  expect(after).toMatchObject({ subscriptions: before['subscriptions'], leases: before['leases'] })
  expect(target.complaints()).toEqual([])
}

/** Streams end a moment after their connection. */
async function untilEqual(target: Target, subscriptions: unknown) {
  for (let round = 0; ; round++) {
    const status = await target.status()
    if (status['subscriptions'] === subscriptions || round === 100) return status
    await sleep(20)
  }
}
