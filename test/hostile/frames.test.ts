import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { createRandom, type Random } from '../simulation/random.ts'
import { survives } from './attack.ts'
import { data, frame, grpcMessage, PREFACE, request, settings } from './frames.ts'
import { METHODS } from './methods.ts'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'

const CONNECTIONS = 300
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))

let target: Target
beforeAll(async () => {
  target = await startTarget({ args: ['--store', 'memory'] })
})
afterAll(() => target.stop())

const LAST_TYPE = 10

function randomFrame(random: Random): Buffer {
  const payload = Buffer.from(Array.from({ length: random.pick([0, 1, 4, 5, 8, 30, 200]) }, () => random.below(256)))
  const streamId = random.pick([0, 1, 2, 3, 5, 2 ** 31 - 1])
  const bytes = frame(random.below(LAST_TYPE + 1), random.pick([0, 1, 4, 5, 8, 0x20, 255]), streamId, payload)
  // A length that is not that of what follows.
  if (random.percent(10)) bytes.writeUIntBE(random.pick([0, 1, 2 ** 14, 2 ** 24 - 1]), 0, 3)
  return bytes
}

/** A conversation that begins well, and then goes on at random. */
function conversation(random: Random): Buffer {
  const { path } = random.pick(METHODS)
  const good = [PREFACE, settings([]), request(1, path), data(1, grpcMessage(Buffer.alloc(0)), random.percent(50))]
  const bad = Array.from({ length: random.between(1, 10) }, () => randomFrame(random))
  return Buffer.concat([...good.slice(0, random.between(0, good.length)), ...bad])
}

describe('frames at random', () => {
  it(`leave the daemon as it was, on ${CONNECTIONS} connections`, async () => {
    console.log(`frames: SEED=${seed}`)
    const random = createRandom(seed)
    const attack = async () => {
      for (let round = 0; round < CONNECTIONS; round++) {
        const peer = await rawPeer(target, { greeting: conversation(random) })
        await Promise.race([peer.closed, sleep(5)])
        peer.vanish()
      }
      return () => undefined
    }
    // Whether each connection is closed in the end is a rule of its own, in endings.test.ts.
    await survives(target, 'frames at random', attack, { isLetGo: false })
  })
})
