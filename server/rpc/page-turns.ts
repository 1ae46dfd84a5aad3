import type { Turnstile } from '../engine/turnstile.ts'

/**
 * Pages of lists are the only answers that are large and cost a caller nothing. One connection has so many at a time, from
 * when they are made until they were read, and all connections together make one in a turn of the event loop. Whatever is
 * asked for besides waits in line.
 */
export interface PageTurns {
  /** For a new call. `begin` is called when it is its turn; not if it left before. */
  enter(begin: () => void): { leave(): void }
}

const PAGES_AT_ONCE = 4

export function createPageTurns(nextPage: Turnstile): PageTurns {
  const waiting = new Set<() => void>()
  let open = 0
  const admit = () => {
    for (const begin of waiting) {
      if (open === PAGES_AT_ONCE) return
      waiting.delete(begin)
      open += 1
      begin()
    }
  }
  return {
    enter: (begin) => {
      let isIn = false
      let hasLeft = false
      const turn = () => {
        isIn = true
        void nextPage().then(() => {
          if (!hasLeft) begin()
        })
      }
      waiting.add(turn)
      admit()
      return {
        leave: () => {
          if (hasLeft) return
          hasLeft = true
          waiting.delete(turn)
          if (!isIn) return
          open -= 1
          admit()
        },
      }
    },
  }
}
