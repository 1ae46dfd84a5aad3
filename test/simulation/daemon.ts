import { isDeepStrictEqual } from 'node:util'
import { fail } from '../../server/core/failure.ts'
import type { State } from '../../server/core/state.ts'
import type { Clock } from '../../server/engine/clock.ts'
import { type Engine, startEngine } from '../../server/engine/engine.ts'
import { openKvStore } from '../../server/store/kv-store.ts'
import { type Store, StoreError } from '../../server/store/store.ts'
import type { Flags } from './flags.ts'
import type { Sim } from './sim.ts'

/** One process of the daemon, from its start to its end, in whatever way it comes. */
export interface Process {
  readonly number: number
  readonly flags: Flags
  /** Whether anybody hears of what it does. */
  isAlive: boolean
  /** From when on it serves. */
  serving: { readonly engine: Engine; readonly state: State } | undefined
}

/** The daemon with its supervisor, which starts it again whenever it has ended. */
export interface Daemon {
  readonly process: Process | undefined
  start(flags: Flags): void
  /** kill -9, or a power cut. The supervisor waits so long, and may start it with other flags. */
  crash(downMs: number, next?: Flags): void
  /** SIGTERM. */
  drain(downMs: number, next?: Flags): void
  readonly restarts: number
}

export interface DaemonHooks {
  /** It serves now: what is on the disk is what there is. */
  onServing(process: Process): void
  /** Nothing more comes from it. */
  onEnd(process: Process): void
  /** Whether the data contradict the flags, by the oracle. */
  contradicts(flags: Flags): boolean
}

export const SPACE_ID = 'space-a'
const GENESIS = { spaceId: SPACE_ID, handleKey: new Uint8Array(32).fill(7) }
const DRAINING = fail('DRAINING', 'The daemon is shutting down. Try again when it is back.')

export function createDaemon(sim: Sim, hooks: DaemonHooks): Daemon {
  const { world, disk, coverage } = sim
  let process: Process | undefined
  let number = 0
  let before: Flags | undefined

  const end = (downMs: number, next: Flags) => {
    const ended = process
    if (ended === undefined) return
    process = undefined
    ended.isAlive = false
    world.setServing('no')
    world.forget('daemon')
    disk.crash()
    hooks.onEnd(ended)
    world.after('host', downMs, () => start(next))
  }

  const start = (flags: Flags) => {
    if (process !== undefined) return
    number += 1
    const mine: Process = { number, flags, isAlive: true, serving: undefined }
    process = mine
    world.setServing('starting')
    serve(sim, mine, (cause) => failed(mine, cause)).then(
      (result) => {
        if (!mine.isAlive) return
        if (hooks.contradicts(flags) !== 'contradiction' in result) {
          const found = 'contradiction' in result ? result.contradiction : 'nothing'
          sim.report('restart', `the data contradict the flags: ${found}, says the daemon; the oracle does not agree`)
        }
        if ('contradiction' in result) {
          coverage.count('start refused by the data')
          return end(0, before ?? flags)
        }
        if (before !== undefined && !isDeepStrictEqual(before, flags)) coverage.count('started with other flags')
        before = flags
        mine.serving = result
        world.setServing('yes')
        sim.trace(() => `the daemon serves, at revision ${result.state.revision}`)
        hooks.onServing(mine)
      },
      (cause: unknown) => {
        if (mine.isAlive) failed(mine, cause)
      },
    )
  }

  const failed = (mine: Process, cause: unknown) => {
    if (!mine.isAlive) return
    if (!disk.isOwn(cause)) sim.report('sound', `the daemon broke: ${cause instanceof Error ? cause.stack : cause}`)
    // Nothing is served any more, and nobody knows what counts.
    if (mine.serving !== undefined) world.setServing('starting')
    sim.trace(() => 'the store of the daemon failed')
    world.after('host', world.random.between(0, 100), () => {
      if (mine.isAlive) end(world.random.between(50, 400), mine.flags)
    })
  }

  return {
    get process() {
      return process
    },
    get restarts() {
      return number - 1
    },
    start,
    crash: (downMs, next) => {
      if (process === undefined) return
      coverage.count(process.serving === undefined ? 'crash while starting' : 'crash')
      sim.trace(() => 'the daemon is killed')
      end(downMs, next ?? process.flags)
    },
    drain: (downMs, next) => {
      const mine = process
      if (mine?.serving === undefined) return
      coverage.count('drain')
      sim.trace(() => 'the daemon drains')
      world.setServing('starting')
      mine.serving.engine.drain(DRAINING).then(
        () => {
          if (mine.isAlive) end(downMs, next ?? mine.flags)
        },
        (cause: unknown) => failed(mine, cause),
      )
    },
  }
}

async function serve(sim: Sim, mine: Process, onFailure: (cause: unknown) => void) {
  const { world, disk } = sim
  const callBack = (run: () => void) => () => {
    if (mine.isAlive) run()
  }
  const clock: Clock = {
    monotonicMs: () => world.nowMs,
    wallMs: () => world.wallMs,
    // Node's timers take a millisecond at least.
    after: (ms, callback) => world.after('daemon', Math.max(1, ms) + sim.latenessMs(), callBack(callback)),
    soon: (callback) => void world.after('daemon', 0, callBack(callback)),
  }
  const kv = disk.open(() => mine.isAlive)
  const store = watch(sim, await openKvStore('memory', kv, GENESIS, () => BigInt(Math.round(world.nowMs * 1e6))))
  const engine = await startEngine({ store, clock, ...mine.flags, onFailure })
  if ('contradiction' in engine) return engine
  let state: State | undefined
  // A query sees the state at once; what it takes along is the state itself, which the oracle looks at ahead of the disk.
  engine
    .read((present) => {
      state = present
      return present
    })
    .catch(onFailure)
  if (state === undefined) throw new StoreError('IO', 'the engine does not serve')
  return { engine, state }
}

function watch({ coverage }: Sim, store: Store): Store {
  return {
    ...store,
    tail: (after, maxBytes) => {
      coverage.count('read from the disk')
      return store.tail(after, maxBytes)
    },
    writeSnapshot: async (state) => {
      await store.writeSnapshot(state)
      coverage.count('snapshot written')
    },
    compact: async (revision) => {
      await store.compact(revision)
      coverage.count('log compacted')
    },
  }
}
