/**
 * Lets so many through in one turn of the event loop, in the order of asking. Work that is cut into pieces passes it
 * before each piece, so that a thousand streams with much to tell do not keep everybody else waiting.
 */
export type Turnstile = () => Promise<void>

export function createTurnstile(soon: (callback: () => void) => void, perTurn: number): Turnstile {
  let waiting: (() => void)[] = []
  let isOpening = false
  const open = () => {
    const passing = waiting.slice(0, perTurn)
    waiting = waiting.slice(perTurn)
    isOpening = waiting.length > 0
    if (isOpening) soon(open)
    for (const pass of passing) pass()
  }
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (isOpening) return
      isOpening = true
      soon(open)
    })
}
