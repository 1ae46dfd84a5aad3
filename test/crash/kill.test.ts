import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { seededChance } from '../support/chance.ts'
import { startDaemon } from '../support/daemon.ts'
import { startWitness } from '../support/witness.ts'

/** CI kills 20 times; ROUNDS makes it more, or fewer. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 20)
const ALLOCATIONS = 10_000
/** Of them so many one for one RPC; the others in batches, as the SDK of a busy client sends them. */
const SINGLE = 500
const WORKERS = 16
const BATCH = 50

test(`an answered id survives kill -9, ${ROUNDS} times under a load of ${ALLOCATIONS}: none is lost, none twice, and a subscriber hears of each once`, async () => {
  const chance = seededChance('kill -9 under load')
  let daemon = await startDaemon({ listen: ['127.0.0.1:0'] })
  const client = connect({ endpoint: daemon.address, deadlineMs: 60_000 })
  const { set } = await client.createSet({ token: 'vm', quota: ROUNDS * ALLOCATIONS })
  const witness = startWitness(client, 'vm')
  const answered = new Map<number, number>()
  let lastRevision = 0n

  for (let round = 0; round < ROUNDS; round++) {
    const load = allocateMany(client, set.setHandle, (ioasids, revision) => {
      for (const id of ioasids) answered.set(id, (answered.get(id) ?? 0) + 1)
      if (revision > lastRevision) lastRevision = revision
    })
    await sleep(20 + chance.below(700))
    daemon = await daemon.restart()
    await load
    // The calls under way at the kill were sent again with the same request_id, so every one was answered in the end.
    expect(answered.size).toBe((round + 1) * ALLOCATIONS)
  }

  const kept: number[] = []
  for await (const { ioasid } of client.listIoasids({ setHandle: set.setHandle })) kept.push(ioasid)
  expect([...answered].filter(([, times]) => times !== 1)).toEqual([])
  expect(kept.sort((a, b) => a - b)).toEqual([...answered.keys()].sort((a, b) => a - b))

  await witness.reaches(lastRevision)
  await witness.stop()
  expect(witness.problems).toEqual([])
  expect(witness.allocs).toEqual(answered)
  await client.close()
  await daemon.stop()
})

/** 16 callers at once, until all allocations are answered. */
async function allocateMany(
  client: Client,
  setHandle: string,
  onAnswer: (ioasids: readonly number[], revision: bigint) => void,
): Promise<void> {
  let single = SINGLE
  let batched = ALLOCATIONS - SINGLE
  const worker = async () => {
    while (single > 0) {
      single -= 1
      const { ioasids, revision } = await client.allocate({ setHandle })
      onAnswer(ioasids, revision)
    }
    while (batched > 0) {
      batched -= BATCH
      const items = Array.from({ length: BATCH }, () => ({ kind: 'allocate', setHandle }) as const)
      for (const result of await client.batch(items)) {
        if (result.kind !== 'allocate') throw new Error(`an allocation came to ${JSON.stringify(result)}`)
        onAnswer(result.ioasids, result.revision)
      }
    }
  }
  await Promise.all(Array.from({ length: WORKERS }, worker))
}
