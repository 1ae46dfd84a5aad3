import type { Program } from './programs.ts'

/** One line of the table: what was measured, against what, and what is wanted of it. */
export interface Row {
  /** As in ../shared/performance.md: `allocate-unary`; a bench with several lines tells them apart: `id-space lowest`. */
  readonly name: string
  /** What the value is: `times a no-op grpc-js server`, `ns a pair`, `bytes an id`. */
  readonly unit: string
  /** Absent where the row is there to be read only. */
  readonly target?: { readonly kind: 'at least' | 'at most'; readonly value: number }
  /** One for each round; their median counts, and their spread is printed. Already ratios where the unit is one. */
  readonly rounds: readonly number[]
  /** The absolute figures beside the ratio, of the median round: `{ 'ioasidd, calls/s': 14021, 'no-op, calls/s': 17330 }`. */
  readonly figures: Readonly<Record<string, number>>
}

/** A line of a plot: what grows, and what it costs there. */
export interface Series {
  readonly name: string
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  /** Also the file's name: `latency-against-load`. */
  readonly name: string
  readonly x: string
  readonly y: string
  readonly series: readonly Series[]
}

export interface Result {
  readonly rows: readonly Row[]
  readonly plots?: readonly Plot[]
}

export interface Effort {
  /** How many rounds of each variant, in an order that is chance. */
  readonly rounds: number
  /** How long a round of load lasts. */
  readonly roundMs: number
  /** One line for who waits. */
  readonly say: (line: string) => void
}

/** What `npm run bench -- NAME` runs. */
export interface Bench {
  readonly name: string
  /** One sentence: what is measured against what. */
  readonly about: string
  /** Programs that it cannot do without. */
  readonly needs: readonly Program[]
  readonly run: (effort: Effort) => Promise<Result>
}
