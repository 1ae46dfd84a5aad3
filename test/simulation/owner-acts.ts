import { drawWish, type Wish } from './commands.ts'
import { drawOne, type Random } from './random.ts'

/** What owners and operators do. */
export type OwnerAct =
  | {
      readonly do: 'request'
      readonly wish: Wish
      readonly isIdentified: boolean
      /** So many of its answers get lost. */
      readonly losses: number
    }
  | { readonly do: 'send again'; readonly place: number }
  | { readonly do: 'reuse a request_id'; readonly place: number; readonly wish: Wish }
  /** Detaches what is bound, and attaches it again at once. */
  | { readonly do: 'rebind'; readonly place: number }
  | { readonly do: 'look' | 'status'; readonly place: number }

export function drawOwnerAct(random: Random): OwnerAct {
  const place = random.below(1000)
  return drawOne<OwnerAct>(random, [
    [30, () => request(random, drawWish(random))],
    [2, () => ({ do: 'send again', place })],
    [1, () => ({ do: 'reuse a request_id', place, wish: drawWish(random) })],
    [3, () => ({ do: 'rebind', place })],
    [2, () => ({ do: 'look', place })],
    [1, () => ({ do: 'status', place })],
  ])
}

export function request(random: Random, wish: Wish): OwnerAct {
  const isIdentified = random.percent(70)
  return { do: 'request', wish, isIdentified, losses: random.percent(15) ? random.between(1, 2) : 0 }
}
