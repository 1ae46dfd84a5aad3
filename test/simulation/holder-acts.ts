import type { Priority } from '../../server/core/event.ts'
import { drawOne, type Random } from './random.ts'
import { type DrawnSets, drawSets } from './watchers.ts'

/** What holders do, drawn before anything has happened. */
export type HolderAct =
  | {
      readonly do: 'hold'
      readonly holder: number
      readonly ttlMs: number
      readonly onExpiry: 'RELEASE' | 'HOLD'
      readonly priority: Priority
      readonly sets: DrawnSets
      readonly types: 'few' | 'all'
      readonly from: 'snapshot' | 'zero'
      /** At most so long after it heard of something; undefined: never. */
      readonly acknowledgesInMs: number | undefined
      /** Heartbeats, too. */
      readonly acknowledgesIdle: boolean
      readonly heartbeatMs: number
      readonly window: number
      readonly readsInMs: number
    }
  | { readonly do: 'hold twice'; readonly holder: number; readonly from: 'cursor' | 'snapshot' }
  | {
      readonly do: 'holder comes back'
      readonly holder: number
      readonly from: 'cursor' | 'snapshot'
      /** It may take another one where its registration has ended. */
      readonly priority: Priority | undefined
    }
  | { readonly do: 'clean up'; readonly holder: number; readonly inMs: number | undefined }
  | {
      readonly do: 'holder crashes' | 'holder stops reading' | 'holder reads on' | 'holder leaves' | 'hold differently'
      readonly holder: number
    }

const HOLDERS = 4
const PRIORITIES: readonly Priority[] = ['CPU', 'IOMMU', 'DEVICE']

export function drawHolderAct(random: Random): HolderAct {
  const holder = random.below(HOLDERS)
  const from = random.pick(['cursor', 'cursor', 'snapshot'] as const)
  return drawOne<HolderAct>(random, [
    [6, () => drawHold(random, holder)],
    [3, () => ({ do: 'holder crashes', holder })],
    [4, () => ({ do: 'holder comes back', holder, from, priority: random.pick([undefined, ...PRIORITIES]) })],
    [2, () => ({ do: 'hold twice', holder, from })],
    [1, () => ({ do: 'hold differently', holder })],
    [2, () => ({ do: 'holder stops reading', holder })],
    [2, () => ({ do: 'holder reads on', holder })],
    [3, () => ({ do: 'clean up', holder, inMs: random.pick([undefined, 0, 300]) })],
    [1, () => ({ do: 'holder leaves', holder })],
  ])
}

export function drawHold(random: Random, holder: number, priority: Priority = random.pick(PRIORITIES)): HolderAct {
  return {
    do: 'hold',
    holder,
    ttlMs: random.pick([600, 1500, 4000]),
    onExpiry: random.pick(['RELEASE', 'HOLD']),
    priority,
    sets: random.percent(60) ? { tokens: ['vm-a'], sets: [] } : drawSets(random),
    types: random.pick(['few', 'all']),
    from: random.pick(['snapshot', 'snapshot', 'zero']),
    acknowledgesInMs: random.pick([0, 50, 400, 400, undefined]),
    acknowledgesIdle: random.percent(30),
    heartbeatMs: random.pick([250, 1000, 5000]),
    window: random.pick([1, 4]),
    readsInMs: random.pick([0, 0, 5, 150]),
  }
}
