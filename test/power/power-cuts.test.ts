import { beforeAll, describe, expect, test } from 'vitest'
import { chanceOf } from '../crash/chance.ts'
import { seededChance } from '../support/chance.ts'
import { countSteps, cutPower, FIRST_STEPS, judgeCuts } from './cut.ts'
import { configOf, examine, missing } from './examine.ts'
import { type Recording, record } from './recording.ts'
import { serve } from './serve.ts'

/** `npm test` cuts 60 times; `npm run power-cuts -- --cuts N --seed N` more often. */
const CUTS = Number(process.env['CUTS'] ?? 60)
const LIFE_MS = CUTS > 100 ? 4_000 : 1_500
/** One image in so many is served by the real daemon, too. */
const SERVED = CUTS > 100 ? 25 : 20
const LIES = 8

describe('a power cut at any moment', () => {
  const { seed } = seededChance('power cuts')
  let recording: Recording

  beforeAll(async () => {
    recording = await record(seed, LIFE_MS)
  }, 120_000)

  test('every write to the data is seen by the recorder, and none is made by a mapping', () => {
    expect(recording.problems).toEqual([])
    const written = recording.lives.flatMap(({ steps }) => steps).filter(({ act }) => act.kind === 'write')
    expect(written.some(({ act }) => act.kind === 'write' && act.isDurable)).toBe(true)
  })

  test(
    `takes nothing back that was answered or told, ${CUTS} times, whatever part of the unsynced writes made it`,
    async () => {
      const startMs = Date.now()
      const { wrong, byMode, compacted } = await judgeCuts(recording, { seed, cuts: CUTS }, async (cut) => {
        return cut.number % SERVED === SERVED - 1 ? await serve(recording, cut, seed) : []
      })
      const { answers, renewals, told } = recording.ledger
      const load = `${answers.length} answers, ${renewals.length} renewals and ${told.length} messages`
      const steps = `${countSteps(recording)} steps in ${recording.lives.length} lives, ${compacted} compacted`
      console.log(`${CUTS} cuts ${JSON.stringify(byMode)} of ${steps}, with ${load}: ${Date.now() - startMs} ms`)
      expect(wrong).toEqual([])
    },
    60_000 + CUTS * 1_000,
  )

  test('while a new directory is made leaves one that a start can use', async () => {
    const config = configOf(recording.flags)
    const wrong: string[] = []
    await cutPower(recording, { seed, cuts: FIRST_STEPS * 10, within: FIRST_STEPS }, async (cut) => {
      await examine(cut.dataDir, config).catch((error: unknown) =>
        wrong.push(`step ${cut.step}, ${cut.mode}: ${error}`),
      )
    })
    expect(wrong).toEqual([])
  }, 60_000)

  test('is survived by no answer that came before its sync: a disk that lies about syncs is found out', async () => {
    const below = chanceOf(seed, 'lies')
    const config = configOf(recording.flags)
    const total = countSteps(recording)
    for (let number = 0; number < LIES; number++) {
      const liesFrom = Math.floor(total / 4) + below(Math.floor(total / 2))
      const wrong: string[] = []
      await cutPower(recording, { seed: seed + number, cuts: 4, modes: ['certain'], liesFrom }, async (cut) => {
        wrong.push(...missing(await examine(cut.dataDir, config), recording.ledger, cut.beforeMs))
      })
      expect(wrong).toContainEqual(expect.stringContaining('was told of, and'))
    }
  }, 60_000)
})
