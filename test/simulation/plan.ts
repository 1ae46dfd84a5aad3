import { drawWishFor } from './commands.ts'
import type { Pace } from './disk.ts'
import { drawFaultAct, type FaultAct } from './fault-acts.ts'
import { drawFlags, type Flags } from './flags.ts'
import { drawHold, drawHolderAct, type HolderAct } from './holder-acts.ts'
import { drawOwnerAct, type OwnerAct, request } from './owner-acts.ts'
import { createRandom, drawOne, type Random } from './random.ts'
import { drawWatcherAct, type WatcherAct } from './watchers.ts'

/**
 * A run, drawn from its seed before anything happens: so a failing one is made shorter by leaving steps out. What a step
 * leads to is decided when its turn comes; the order of everything that happens until the next one is drawn from the
 * step's own seed, so that a step that is left out changes little of what the others see.
 */
export interface Plan {
  readonly seed: number
  readonly flags: Flags
  readonly pace: Pace
  /** The share of the daemon's timers that are late, of 100. */
  readonly latePercent: number
  readonly steps: readonly Step[]
}

export interface Step {
  readonly seed: number
  readonly beforeMs: number
  readonly act: Act
}

export type Act =
  | { readonly party: 'owner'; readonly act: OwnerAct }
  | { readonly party: 'holder'; readonly act: HolderAct }
  | { readonly party: 'watcher'; readonly act: WatcherAct }
  | { readonly party: 'fault'; readonly act: FaultAct }

const SEEDS = 2 ** 32

export function drawPlan(seed: number): Plan {
  const random = createRandom(seed)
  const flags = drawFlags(random)
  // Each run is of another kind: of many holders, of many crashes, or quiet.
  const weights = {
    owner: random.between(15, 30),
    holder: random.pick([0, 3, 8, 14]),
    watcher: random.pick([0, 3, 8]),
    fault: random.pick([0, 1, 3, 6]),
  }
  const draw = (): Act =>
    drawOne<Act>(random, [
      [weights.owner, () => ({ party: 'owner', act: drawOwnerAct(random) })],
      [weights.holder, () => ({ party: 'holder', act: drawHolderAct(random) })],
      [weights.watcher, () => ({ party: 'watcher', act: drawWatcherAct(random) })],
      [weights.fault, () => ({ party: 'fault', act: drawFaultAct(random, flags) })],
    ])
  const count = random.between(25, 45)
  const acts = [...drawBeginning(random, weights.holder > 0), ...Array.from({ length: count }, draw)]
  const steps = acts.map((act): Step => ({ seed: random.below(SEEDS), beforeMs: drawPause(random), act }))
  return { seed, flags, pace: random.pick(['quick', 'slow']), latePercent: random.pick([0, 0, 20]), steps }
}

/** A set with ids, since little can happen without; and often one holder of each kind, since waves need several. */
function drawBeginning(random: Random, withHolders: boolean): readonly Act[] {
  const owner = (act: OwnerAct): Act => ({ party: 'owner', act })
  const create = { ...drawWishFor(random, 'create_set'), text: 'vm-a', number: 0, flag: true }
  const holders = withHolders && random.percent(60) ? (['CPU', 'IOMMU', 'DEVICE'] as const) : []
  return [
    owner(request(random, create)),
    ...holders.map((priority, holder): Act => ({ party: 'holder', act: drawHold(random, holder, priority) })),
    owner(request(random, drawWishFor(random, 'allocate'))),
  ]
}

function drawPause(random: Random): number {
  return drawOne(random, [
    [5, () => random.below(20) / 4],
    [8, () => random.between(0, 150)],
    [2, () => random.between(200, 800)],
    [1, () => random.between(1000, 2500)],
  ])
}
