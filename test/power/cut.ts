import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DATA_FILE } from '../../server/store/data-dir.ts'
import { type Below, chanceOf } from '../crash/chance.ts'
import { createDisk, MODES, type Mode } from './disk.ts'
import { configOf, examine, type Found, missing, shortened } from './examine.ts'
import { createHistory } from './history.ts'
import type { Life, Recording } from './recording.ts'

/** The power goes at one moment of a recording, and what is on the disk then. */
export interface Cut {
  readonly number: number
  readonly mode: Mode
  /** Of the steps of all lives. */
  readonly step: number
  /** What was answered by then must be there: ms since 1970. */
  readonly beforeMs: number
  readonly dataDir: string
}

export interface CutOptions {
  readonly seed: number
  readonly cuts: number
  /** Only among the first steps of the first life, so many. Default: everywhere. */
  readonly within?: number
  /** Default: all of them, by chance. */
  readonly modes?: readonly Mode[]
  /** See createDisk. */
  readonly liesFrom?: number
}

/**
 * Makes an image for each of many moments, spread over the recording, and visits it; the image is gone after that.
 * Returns where the model of the disk was wrong.
 */
export async function cutPower(
  recording: Recording,
  { seed, cuts, within, modes = MODES, liesFrom = Number.POSITIVE_INFINITY }: CutOptions,
  visit: (cut: Cut) => Promise<void>,
): Promise<readonly string[]> {
  const below = chanceOf(seed, 'cuts')
  const moments =
    within === undefined
      ? momentsOf(recording, cuts, below)
      : Array.from({ length: cuts }, (_, number) => Math.floor((number * within) / cuts))
  const disk = createDisk({ liesFrom })
  const problems: string[] = []
  let [number, step] = [0, 0]
  for (const life of recording.lives) {
    const cutNow = async (beforeMs: number) => {
      for (; moments[number] === step; number++) {
        const mode = modes[below(modes.length)] ?? 'certain'
        const dataDir = writeImage(disk.image(mode, below), life, below)
        try {
          await visit({ number, mode, step, beforeMs, dataDir })
        } finally {
          rmSync(dataDir, { recursive: true })
        }
      }
    }
    for (const next of life.steps) {
      await cutNow(next.atUs / 1000)
      disk.follow(next)
      step += 1
    }
    problems.push(...disk.settle(life.data))
    if (life === recording.lives.at(-1)) await cutNow(Number.POSITIVE_INFINITY)
  }
  return problems
}

/** So many steps of the first life make the directory: a new file, its tables, its names. */
export const FIRST_STEPS = 30
/** A start takes so many, and they are worth more cuts than others. */
const START_STEPS = 60

/**
 * Ascending: the last moment of all; of the others three quarters spread over everything that follows the making of the
 * directory, the rest over the starts on data that a killed daemon has left.
 */
function momentsOf(recording: Recording, cuts: number, below: Below): readonly number[] {
  const total = countSteps(recording)
  const atStarts = Math.floor(cuts / 4)
  const spread = cuts - atStarts - 1
  const starts = recording.lives.map((_, index) => countSteps({ lives: recording.lives.slice(0, index) })).slice(1)
  const span = (total - FIRST_STEPS) / spread
  const moments = [
    ...Array.from({ length: spread }, (_, number) => FIRST_STEPS + Math.floor((number + below(1000) / 1000) * span)),
    ...Array.from({ length: atStarts }, (_, number) => (starts[number % starts.length] ?? 0) + below(START_STEPS)),
  ]
  return [...moments.sort((a, b) => a - b), total]
}

export function countSteps({ lives }: Pick<Recording, 'lives'>): number {
  return lives.reduce((sum, { steps }) => sum + steps.length, 0)
}

/** In memory where there is such a place: what a start writes on an image needs no disk. */
const IMAGES = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

function writeImage(data: Buffer | undefined, { readers }: Life, below: Below): string {
  const dataDir = mkdtempSync(join(IMAGES, 'ioasidd-image-'))
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  if (data !== undefined) writeFileSync(join(dataDir, DATA_FILE), data, { mode: 0o600 })
  // Nobody syncs it, and it means nothing: it may be missing, empty, or as the daemon that is no more has left it.
  const old = [undefined, Buffer.alloc(0), Buffer.alloc(readers.length), readers][below(4)]
  if (old !== undefined) writeFileSync(join(dataDir, 'lock.mdb'), old, { mode: 0o600 })
  return dataDir
}

export interface Judged {
  /** Sentences for what is wrong, with the cut at which it was found. */
  readonly wrong: readonly string[]
  readonly byMode: Readonly<Record<Mode, number>>
  /** How many images had a log whose beginning was compacted. */
  readonly compacted: number
}

/** Cuts, starts on each image by the code of a start, and says what is wrong. `visit` looks at it before that. */
export async function judgeCuts(
  recording: Recording,
  options: CutOptions,
  visit: (cut: Cut) => Promise<readonly string[]> = async () => [],
): Promise<Judged> {
  const { ledger, lives, flags } = recording
  const config = configOf(flags)
  const history = createHistory()
  const wrong: string[] = []
  const byMode = { certain: 0, newest: 0, sectors: 0, pages: 0, first: 0 }
  let compacted = 0
  const leases: { readonly beforeMs: number; readonly deadlines: Found['deadlines']; readonly at: string }[] = []
  const problems = await cutPower(recording, options, async (cut) => {
    const at = `cut ${cut.number} (${cut.mode}, step ${cut.step}): `
    byMode[cut.mode] += 1
    try {
      wrong.push(...(await visit(cut)).map((sentence) => at + sentence))
      const found = await examine(cut.dataDir, config)
      const { beforeMs } = cut
      if (found.compactRevision > 0) compacted += 1
      leases.push({ beforeMs, deadlines: found.deadlines, at })
      const sentences = [...found.violations, ...missing(found, ledger, beforeMs), ...history.add(found)]
      wrong.push(...sentences.map((sentence) => at + sentence))
    } catch (error) {
      wrong.push(`${at}${error}`)
    }
  })
  const offsetMs = (atMs: number) => {
    const life = lives.find(({ fromMs, toMs }) => fromMs <= atMs && atMs <= toMs + 1)
    return life === undefined ? undefined : history.offsetMs(life.fromMs, life.toMs)
  }
  for (const { deadlines, beforeMs, at } of leases) {
    wrong.push(...shortened({ deadlines }, ledger, beforeMs, offsetMs).map((sentence) => at + sentence))
  }
  return { wrong: [...problems, ...wrong, ...history.judge(config.space, ledger)], byMode, compacted }
}
