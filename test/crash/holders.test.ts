import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { seededChance } from '../support/chance.ts'
import { startDaemon } from '../support/daemon.ts'
import { chanceOf } from './chance.ts'
import { startHolder } from './holder.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { startTeardownWitness } from './teardown-witness.ts'
import { startTenant } from './tenant.ts'

/** `npm test` kills 10 times; `npm run kills -- --kills N --seed N` more often. */
const KILLS = Number(process.env['KILLS'] ?? 10)
const TENANTS = 3
/** A daemon lives until it has answered so much, and a little longer. */
const ANSWERS_PER_LIFE = 20
const MAX_MORE_MS = 300
/** Clients that are back at once: a kill that finds nobody is none. */
const RETRY = { initialDelayMs: 10, maxDelayMs: 50 }
const ASKED_AGAIN = 200

test(
  `owners, holders and subscribers live through kill -9, ${KILLS} times under load: nothing answered is lost, streams go on without gap or duplicate, no id is reused before its holders have acknowledged, no renewed lease ends`,
  async () => {
    const startMs = Date.now()
    const { seed } = seededChance('kill -9 with holders')
    const below = chanceOf(seed, 'kills')
    const flags = ['--capacity', '8192', '--snapshot-every', '400', '--lease-grace', '1s', '--teardown-timeout', '60s']
    let daemon = await startDaemon({ args: flags })
    const client = connect({ endpoint: daemon.address, deadlineMs: 60_000, retry: RETRY })
    const ledger = createLedger()
    const witness = startTeardownWitness(client, ledger)
    const holders = await Promise.all(
      (['CPU', 'IOMMU'] as const).map((priority) =>
        startHolder({
          client,
          ledger,
          priority,
          below: chanceOf(seed, priority),
          hear: (told, isOverrun) => witness.hears(priority, told, isOverrun),
        }),
      ),
    )
    witness.follows(holders)
    let isOver = false
    const working = Array.from({ length: TENANTS }, async (_, number) => {
      const token = `vm-${number}`
      const tenant = await startTenant({ client, ledger, token, run: `${seed}`, below: chanceOf(seed, token) })
      await tenant.run(() => isOver)
    })
    const refusals: unknown[] = []
    const over = Promise.all(working.map((work) => work.catch((error: unknown) => refusals.push(error))))
    for (let kill = 0; kill < KILLS; kill++) {
      const wanted = ledger.answers.length + ANSWERS_PER_LIFE
      while (ledger.answers.length < wanted && refusals.length === 0) await sleep(5)
      await sleep(below(MAX_MORE_MS))
      daemon = await daemon.restart()
    }
    isOver = true
    await over
    expect(refusals).toEqual([])

    const last = ledger.answers.reduce((most, { revision }) => Math.max(most, revision), 0)
    const streams = [witness, ...holders]
    await Promise.all(streams.map((stream) => stream.reaches(last)))
    await Promise.all(streams.map((stream) => stream.stop()))
    expect(streams.flatMap(({ problems }) => problems)).toEqual([])
    for (const { heard } of holders) expect(heard.map(textOf)).toEqual(witness.heard.map(textOf))
    expect(answersUntold(ledger, witness.lines)).toEqual([])
    expect(await answersChanged(client, ledger)).toEqual([])

    const { answers, renewals } = ledger
    const figures = `${answers.length} answers, ${renewals.length} renewals, ${witness.heard.length} revisions told of`
    console.log(`${KILLS} kills in ${Date.now() - startMs} ms: ${figures}, ${witness.reclaimed} held ids reclaimed`)
    expect(witness.reclaimed).toBeGreaterThan(0)
    await client.close()
    expect(await daemon.stop()).toMatchObject({ code: 0 })
  },
  60_000 + KILLS * 6_000,
)

const textOf = ({ revision, lines }: { readonly revision: number; readonly lines: readonly string[] }) =>
  `${revision} ${lines.join(', ')}`

/** Of what subscribers hear of. */
const HEARD = new Set(['SET_ALLOC', 'ALLOC', 'BIND', 'UNBIND', 'FREE'])

/** Every change that was answered was told of, at its revision. */
function answersUntold({ answers }: Ledger, lines: ReadonlyMap<number, ReadonlySet<string>>): readonly string[] {
  return answers.flatMap(({ requestId, revision, event }) => {
    if (event === undefined || !HEARD.has(event.kind)) return []
    const told = lines.get(revision)
    const isTold = told !== undefined && event.ids.every((id) => told.has(`${event.kind} ${id}`))
    return isTold
      ? []
      : [`${requestId}: ${event.kind} ${event.ids} at ${revision}, where was told ${[...(told ?? [])]}`]
  })
}

/** The same request gets the same answer, however many kills ago it was made. */
async function answersChanged(client: Client, { answers }: Ledger): Promise<readonly string[]> {
  const asked = answers.filter(({ item }) => item !== undefined)
  const some = asked.filter((_, index) => index % Math.ceil(asked.length / ASKED_AGAIN) === 0)
  const results = await client.batch(some.flatMap(({ item }) => item ?? []))
  return some.flatMap(({ requestId, revision }, index) => {
    const again = results[index]
    const now = again === undefined || again.kind === 'failure' ? again?.error : Number(again.revision)
    return now === revision ? [] : [`${requestId} was answered ${revision}, and now ${now}`]
  })
}
