import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkHistory } from './check.ts'
import { figuresOf } from './figures.ts'
import type { History } from './history.ts'
import { readHistory } from './kept.ts'
import { type Faults, type RunOptions, runClients } from './run.ts'
import type { Violation } from './violation.ts'

export interface Checked {
  readonly history: History
  readonly violations: readonly Violation[]
}

/**
 * Lets clients run, and checks what they wrote down; says what there was. Of a run with which nothing is wrong nothing is
 * left; of another one the records and the daemon's data, to be looked at and checked once more.
 */
export async function runAndCheck(options: Omit<RunOptions, 'directory'>): Promise<Checked & { faults: Faults }> {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-history-'))
  let isRight = false
  try {
    console.log(`history: seed ${options.seed}, ${options.seconds} s`)
    const faults = await runClients({ ...options, directory })
    const { kills, stops, killedClients } = faults
    console.log(`${kills} kills of the daemon, ${stops} stopped clients, ${killedClients} killed ones`)
    const checked = await checkRecords(directory)
    isRight = checked.violations.length === 0
    return { ...checked, faults }
  } finally {
    if (isRight) rmSync(directory, { recursive: true })
    else console.error(`the records and the daemon's data are kept: npm run history -- --records ${directory}`)
  }
}

/** Checks the records of a run that has ended. */
export async function checkRecords(directory: string): Promise<Checked> {
  const history = await readHistory(directory)
  console.log(figuresOf(history))
  const startMs = performance.now()
  const violations = checkHistory(history)
  console.log(`checked in ${((performance.now() - startMs) / 1_000).toFixed(1)} s`)
  return { history, violations }
}
