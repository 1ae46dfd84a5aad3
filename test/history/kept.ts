import { cpSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asRevision } from '../../server/core/ids.ts'
import { openLmdbStore } from '../../server/store/lmdb.ts'
import { happenings } from '../core/model-happenings.ts'
import { gather, type History, must } from './history.ts'
import { readLines } from './record.ts'
import type { Witness } from './witness.ts'

/** What the daemon of a run is started with and its checker must know. */
export const LIMITS = { capacity: 48, reuseDelayMs: 150, teardownTimeoutMs: 700 } as const

/** The records of the stream of everything. */
export const LOG = 'log'

/** Of the client, or process of clients, with this name. */
export const recordsOf = (directory: string, name: string): string => join(directory, `${name}.jsonl`)

/** Where its daemon keeps its data. */
export const dataOf = (directory: string): string => join(directory, 'data')

/**
 * What the clients of a run wrote down in its directory, up to the last revision that the stream of everything tells, and
 * the daemon's log. Both must have ended; they stay as they are.
 */
export async function readHistory(directory: string): Promise<History> {
  const files = readdirSync(directory).filter((name) => name.endsWith('.jsonl'))
  const { operations, streams } = gather(files.flatMap((name) => readLines(join(directory, name))))
  const isLog = ({ id }: { readonly id: string }) => id.startsWith(`${LOG}.`)
  const { items } = must(streams.find(isLog), LOG)
  const revision = must(items.at(-1), 'revision').item.revision
  // What came later than the last revision is no part of the history.
  const cut = streams.map((stream) => ({
    ...stream,
    items: stream.items.filter(({ item }) => item.revision <= revision),
  }))
  return {
    operations,
    streams: cut,
    log: must(cut.find(isLog), LOG),
    revision,
    witness: await readWitness(directory),
    ...LIMITS,
  }
}

const TAIL_BYTES = 1 << 20

async function readWitness(directory: string): Promise<Witness> {
  // Opening a store mends what a crash has left.
  const dataDir = join(directory, 'read')
  cpSync(dataOf(directory), dataDir, { recursive: true })
  const store = await openLmdbStore({ dataDir, genesis: { spaceId: 'none', handleKey: new Uint8Array(32) } })
  try {
    await store.load()
    const witness: ReturnType<typeof happenings>[] = [[]]
    for (;;) {
      const entries = await store.tail(asRevision(witness.length - 1), TAIL_BYTES)
      if (entries.length === 0) return witness
      witness.push(...entries.map(({ events }) => happenings(events)))
    }
  } finally {
    await store.close()
    rmSync(dataDir, { recursive: true })
  }
}
