/** Says what is to be done at the end: the last first, and all of it though some fails. */
export type AtEnd = (stop: () => void | Promise<void>) => void

/** Whatever happens in it, what it started is stopped. */
export async function inScope<Value>(work: (atEnd: AtEnd) => Promise<Value>): Promise<Value> {
  const stops: (() => void | Promise<void>)[] = []
  try {
    return await work((stop) => {
      stops.unshift(stop)
    })
  } finally {
    for (const stop of stops) {
      try {
        await stop()
      } catch (cause) {
        console.error(cause)
      }
    }
  }
}
