import type { Sim } from '../sim.ts'

/** When something was: how long the daemon had served by then, at most and at least (world.ts). */
export interface Moment {
  readonly atMostMs: number
  readonly atLeastMs: number
}

/** When revisions were decided and when they were on the disk. A revision that a crash undid is decided again. */
export interface Moments {
  now(): Moment
  decided(revision: number): Moment
  durable(revision: number): Moment
  /** Called when something was decided. */
  noteDecided(revision: number): void
  noteDurable(revision: number): void
  /** Milliseconds that have been served since: no more than this. */
  atMostSince(moment: Moment): number
  /** No less than this. */
  atLeastSince(moment: Moment): number
}

export function createMoments({ world }: Sim): Moments {
  const decided: Moment[] = []
  const durable: Moment[] = []
  const now = (): Moment => ({ ...world.served })
  return {
    now,
    decided: (revision) => decided[revision] ?? now(),
    durable: (revision) => durable[revision] ?? now(),
    noteDecided: (revision) => {
      decided[revision] = now()
    },
    noteDurable: (revision) => {
      durable[revision] = now()
    },
    atMostSince: ({ atMostMs }) => world.served.atMostMs - atMostMs,
    atLeastSince: ({ atLeastMs }) => world.served.atLeastMs - atLeastMs,
  }
}
