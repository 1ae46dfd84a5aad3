import { openWire, type Wire } from './wire.ts'

/** A load of unary calls on the wires of one server, the same for whatever serves. */

export interface Load {
  readonly path: string
  /** The next request, serialised. */
  readonly request: () => Buffer
  /** Whether an answer is what was asked for: a refusal is fast, and must not count as an answer. */
  readonly isGood: (answer: Buffer) => boolean
}

export interface LoadFigures {
  readonly answers: number
  readonly perSecond: number
  readonly medianMs: number
  readonly p99Ms: number
}

export interface Loader {
  /** Keeps so many calls under way, spread over the connections, for as long; or until so many have been answered. */
  readonly run: (
    load: Load,
    inFlight: number,
    until: { readonly ms: number } | { readonly calls: number },
  ) => Promise<LoadFigures>
  readonly close: () => void
}

export async function openLoader(address: string, connections: number): Promise<Loader> {
  const wires = await Promise.all(Array.from({ length: connections }, () => openWire(address)))
  return {
    run: (load, inFlight, until) => run(wires, load, inFlight, until),
    close: () => {
      for (const wire of wires) wire.close()
    },
  }
}

async function run(
  wires: readonly Wire[],
  { path, request, isGood }: Load,
  inFlight: number,
  until: { readonly ms: number } | { readonly calls: number },
): Promise<LoadFigures> {
  const startMs = performance.now()
  const tookMs: number[] = []
  let begun = 0
  const isOver = (nowMs: number): boolean => ('ms' in until ? nowMs - startMs >= until.ms : begun >= until.calls)

  const caller = (wire: Wire): Promise<void> =>
    new Promise((resolve, reject) => {
      const call = (nowMs: number): void => {
        if (isOver(nowMs)) return resolve()
        begun += 1
        let good = false
        wire.open(path, request(), {
          onMessage: (answer) => {
            good = isGood(answer)
          },
          onEnd: (error) => {
            const endMs = performance.now()
            if (error !== undefined) return reject(error)
            if (!good) return reject(new Error(`${path} was refused, or answered what was not asked for`))
            tookMs.push(endMs - nowMs)
            call(endMs)
          },
        })
      }
      call(startMs)
    })
  await Promise.all(Array.from({ length: inFlight }, (_, index) => caller(pick(wires, index))))

  const sorted = Float64Array.from(tookMs).sort()
  return {
    answers: tookMs.length,
    perSecond: (tookMs.length / (performance.now() - startMs)) * 1_000,
    medianMs: sorted[Math.floor(sorted.length * 0.5)] ?? Number.NaN,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN,
  }
}

function pick(wires: readonly Wire[], index: number): Wire {
  const wire = wires[index % wires.length]
  if (wire === undefined) throw new Error('a load needs a connection')
  return wire
}
