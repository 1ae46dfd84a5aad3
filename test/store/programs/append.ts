import { setImmediate } from 'node:timers/promises'
import { asRevision, asSetId } from '../../../server/core/ids.ts'
import { openLmdbStore } from '../../../server/store/lmdb.ts'
import { type Batch, type Store, StoreError } from '../../../server/store/store.ts'

/**
 * Appends until something fails, and says on standard output how every append ended:
 *
 *     append DIR now|off COUNT
 *
 * `now` writes on the main thread, `off` off it.
 */
const [dataDir = '', thread = '', count = ''] = process.argv.slice(2)
const say = (line: string) => process.stdout.write(`${line}\n`)

process.on('unhandledRejection', (reason) => say(`unhandled ${reason}`))

/** A clock by which every write takes no time, or ten milliseconds. */
const clock = (() => {
  let now = 0n
  return () => {
    now += thread === 'now' ? 0n : 10_000_000n
    return now
  }
})()

const store = await openLmdbStore({ dataDir, genesis: { spaceId: 'test', handleKey: new Uint8Array(32) }, clock })
const { entries } = await store.load()
let revision = 0
for await (const entry of entries) revision = entry.revision
say(`loaded ${revision}`)
if (await appendAll(store, revision, Number(count))) {
  // Once more: a store that failed must not take up again as if nothing had been.
  await appendAll(store, revision, 1)
}
await store.close()
say('closed')

/** Whether it failed. */
async function appendAll(store: Store, after: number, count: number): Promise<boolean> {
  for (let revision = after + 1; revision <= after + count; revision++) {
    // What is appended in one turn of the event loop is not all written on the main thread.
    await setImmediate()
    const outcome = await store.append(batchOf(revision)).then(
      () => 'durable',
      (error: unknown) => (error instanceof StoreError ? `${error.problem} ${error.message}` : `bug ${error}`),
    )
    say(`${revision} ${outcome}`)
    if (outcome !== 'durable') return true
  }
  return false
}

function batchOf(revision: number): Batch {
  const set = { setId: asSetId(1), token: 'vm' }
  const events = [{ kind: 'ALLOC' as const, set, runs: [revision, 1] }]
  const entry = { revision: asRevision(revision), servingMs: revision, wallMs: 0, events }
  return { entries: [entry], marks: [{ key: 'clock', value: Uint8Array.of(revision & 0xff) }] }
}
