import type { SpaceConfig } from '../../server/core/state.ts'
import type { EngineOptions } from '../../server/engine/engine.ts'
import type { Random } from './random.ts'

/** What an operator starts the daemon with: small spaces that run out, small bounds that are met. */
export interface Flags {
  readonly space: SpaceConfig
  readonly limits: EngineOptions['limits']
}

const MUCH = 1 << 26

export function drawFlags(random: Random): Flags {
  return {
    space: {
      capacity: random.between(5, 20),
      reserved: random.pick([[], [], [[2, 3]]] as const),
      ...drawSpaceBounds(random),
    },
    limits: drawLimits(random),
  }
}

/** Those of the next start. The space stays as large as it was but now and then, when the data may contradict it. */
export function drawOtherFlags(random: Random, { space }: Flags): Flags {
  const capacity = random.percent(10) ? random.between(5, 20) : space.capacity
  const reserved = random.percent(10) ? random.pick([[], [[2, 3]], [[1, 4]]] as const) : space.reserved
  return { space: { capacity, reserved, ...drawSpaceBounds(random) }, limits: drawLimits(random) }
}

function drawSpaceBounds(random: Random): Omit<SpaceConfig, 'capacity' | 'reserved'> {
  return {
    policy: random.pick(['rested', 'rested', 'lowest'] as const),
    reuseDelayMs: random.pick([0, 0, 300, 2000]),
    maxSets: random.pick([5, 100]),
    maxPrivateData: random.pick([24, MUCH]),
    maxDevicesPerId: random.pick([2, 64]),
    maxLeases: random.pick([6, 100, 100]),
    maxReferences: random.pick([16, 1000, 1000, 1000]),
  }
}

function drawLimits(random: Random): Flags['limits'] {
  const often = <Usual, Rare>(usual: Usual, rare: Rare) => (random.percent(75) ? usual : rare)
  return {
    leaseGraceMs: random.pick([300, 1000, 2000]),
    teardownTimeoutMs: random.pick([300, 700, 1500]),
    requestWindowMs: often(600_000, 1500),
    requestLimit: often(1_000_000, 6),
    maxSubscriptions: often(1000, 5),
    maxOpenSnapshots: 4,
    historyRevisions: random.pick([10, 25, 1_000_000, 1_000_000]),
    historyBytes: often(1 << 30, 4000),
    snapshotEvery: random.pick([4, 15, 1000, 1000]),
    maxUndurableBytes: often(MUCH, 1000),
    ringBytes: often(MUCH, random.pick([300, 1200])),
    maxQueuedBytes: often(MUCH, random.pick([200, 600])),
  }
}
