/** Where progress is shown, and the clock that it goes by. */
export interface ProgressIo {
  /** undefined: there is no terminal. */
  readonly progress: ((text: string) => void) | undefined
  readonly monotonicMs: () => number
}

const FROM_MS = 2000
const BEAT_MS = 1000

/**
 * On a terminal, what takes longer than two seconds says that it goes on. Gives back how to end that, which takes the line
 * away; a second time it does nothing.
 */
export function startProgress({ progress, monotonicMs }: ProgressIo, what: string): () => void {
  if (progress === undefined) return () => {}
  const startMs = monotonicMs()
  let isShown = false
  const timer = setInterval(() => {
    const elapsedMs = monotonicMs() - startMs
    if (elapsedMs < FROM_MS) return
    isShown = true
    progress(`\r${what}: ${Math.floor(elapsedMs / 1000)} s …\x1b[K`)
  }, BEAT_MS)
  // A command that has ended is not kept running by it.
  timer.unref()
  return () => {
    clearInterval(timer)
    if (isShown) progress('\r\x1b[K')
    isShown = false
  }
}
