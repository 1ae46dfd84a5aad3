import { afterEach, expect, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { startObservability } from '../../server/observability/observability.ts'
import { controlStore } from '../support/controlled-store.ts'
import { command, memoryStore, run } from '../support/engine.ts'
import { keepLines } from './lines.ts'

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

async function start() {
  const store = controlStore(memoryStore())
  const running = await run({ store })
  const { log, lines } = keepLines()
  const loaded = loadConfig(['--metrics-listen', '127.0.0.1:0'], {
    env: { HOME: '/' },
    isRoot: false,
    isTerminal: false,
  })
  if (loaded.kind !== 'config') throw new Error('the flags are wrong')
  const observability = await startObservability(loaded.config, running.clock, log)
  stops.push(observability.stop)
  const address = String(lines[0]?.facts['address'])
  const readyz = async () => {
    const response = await fetch(`http://${address}/readyz`)
    return `${response.status} ${await response.text()}`
  }
  const told: boolean[] = []
  const serving = () => {
    const { engine } = running
    const sources = { engine, connections: { count: 0, refused: 0 }, inFlightBytes: () => 0, disk: undefined }
    observability.serving(sources, { setServing: (isServing) => told.push(isServing) })
  }
  return { ...running, ...observability, store, lines, readyz, serving, told }
}

it('it is ready from the moment it serves until it drains', async () => {
  const { readyz, serving, draining } = await start()
  expect(await readyz()).toContain('503 [-]startup the store is being opened\n')
  serving()
  expect(await readyz()).toBe('200 ok\n')
  draining()
  expect(await readyz()).toContain('[-]drain the daemon is shutting down\n')
})

it('it is not ready once its store has failed', async () => {
  const { engine, store, readyz, serving } = await start()
  serving()
  store.fail(new Error('the disk is gone'))
  await engine.submit(command.createSet('vm'), undefined)
  expect(await readyz()).toBe(
    '503 [+]startup ok\n[-]store failed: the log says how\n[+]drain ok\n[+]event-loop ok\nreadyz check failed\n',
  )
})

it('while time passes as it should nobody is told of the event loop', async () => {
  const { clock, serving, told, stop } = await start()
  serving()
  clock.advance(60_000)
  expect(told).toEqual([])
  const before = clock.timers
  stop()
  expect(clock.timers).toBe(before - 1)
})
