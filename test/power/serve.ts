import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { type Client, connect } from '../../client/index.ts'
import { chanceOf, oneOf } from '../crash/chance.ts'
import { startDaemon, tempDir } from '../support/daemon.ts'
import type { Cut } from './cut.ts'
import type { Recording } from './recording.ts'

const ASKED_AGAIN = 8

/** Starts the real daemon on a copy of an image, and asks it what its clients would. Returns what is wrong. */
export async function serve({ ledger, flags }: Recording, cut: Cut, seed: number): Promise<readonly string[]> {
  const dataDir = join(tempDir(), 'data')
  cpSync(cut.dataDir, dataDir, { recursive: true })
  const daemon = await startDaemon({ dataDir, args: flags })
  const client = connect({ endpoint: daemon.address, deadlineMs: 20_000 })
  const wrong: string[] = []
  try {
    const told = ledger.told.filter(({ atMs }) => atMs <= cut.beforeMs)
    const last = told.reduce((most, { revision }) => Math.max(most, revision), 0)
    wrong.push(...(await resume(client, last)))

    const below = chanceOf(seed, `served ${cut.number}`)
    const answered = ledger.answers.filter(({ atMs, item }) => item !== undefined && atMs <= cut.beforeMs)
    for (let count = 0; count < ASKED_AGAIN; count++) {
      const first = oneOf(below, answered)
      if (first?.item === undefined) break
      const [again] = await client.batch([first.item])
      const revision = again === undefined || again.kind === 'failure' ? again?.error : Number(again.revision)
      if (revision !== first.revision) wrong.push(`${first.requestId} was answered ${first.revision}, now ${revision}`)
      const ids = again?.kind === 'allocate' ? again.ioasids : (first.event?.ids ?? [])
      if (`${ids}` !== `${first.event?.ids}`) wrong.push(`${first.requestId} got ${first.event?.ids}, now ${ids}`)
    }

    const { set } = await client.createSet({ token: 'after the cut', quota: 1 })
    await client.allocate({ setHandle: set.setHandle })
  } finally {
    await client.close()
  }
  const { code } = await daemon.stop()
  return code === 0 ? wrong : [...wrong, `the daemon ended with ${code}`]
}

/** A subscriber goes on from the last that it was told. */
async function resume(client: Client, afterRevision: number): Promise<string[]> {
  const start = { afterRevision: BigInt(afterRevision) }
  for await (const item of client.subscribe({ all: true, start, heartbeatMs: 100, progress: true })) {
    if (item.kind === 'progress') return Number(item.revision) < afterRevision ? [`it is back at ${item.revision}`] : []
  }
  return [`a subscriber cannot go on after ${afterRevision}`]
}
