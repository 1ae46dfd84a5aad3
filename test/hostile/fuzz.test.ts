import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'
import { startTarget, type Target } from './target.ts'

/** `npm run hostile -- --requests 10000` sends more; here they are few enough for everybody's patience. */
const REQUESTS = Number(process.env['REQUESTS'] ?? 1000)
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

let target: Target
beforeAll(async () => {
  target = await startTarget({ args: ['--lease-ttl-min', '1h', '--lease-ttl-max', '48h'] })
})
afterAll(() => target.stop())

describe('a message that is wrong', () => {
  it(`gets a clean status and changes nothing, ${REQUESTS} times`, async () => {
    console.log(`fuzz: SEED=${seed}`)
    const fds = target.fds()
    const { problems, requests } = await fuzz(target, seed, REQUESTS)
    expect(problems).toEqual([])
    expect(requests).toBe(REQUESTS)
    expect(target.complaints()).toEqual([])
    await target.settled(fds)
    expect(await target.status()).toMatchObject({ subscriptions: 0 })
  })
})
