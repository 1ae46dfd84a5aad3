import type { Random } from './random.ts'

/**
 * Whose callback it is: the daemon's, which a crash takes away and which stand still while its process does; those of its
 * host, the disk and the supervisor; or a client's.
 */
export type Party = 'daemon' | 'host' | 'client'

/**
 * The simulated machine: its clocks, and everything that waits to be called back. Time passes only when nobody is ready;
 * of several that are, the seed says who is first. Between two callbacks all promises are settled, as in the event loop.
 */
export interface World {
  readonly random: Random
  /** Monotonic. */
  readonly nowMs: number
  readonly wallMs: number
  /**
   * How long the daemon has served: at most, and at least. A stopped process counts for at most a second, a process that
   * is starting for something or for nothing, and what a crash made it forget is served again.
   */
  readonly served: { readonly atMostMs: number; readonly atLeastMs: number }
  /** Calls back once; returns what cancels it. */
  after(party: Party, ms: number, run: () => void): () => void
  /** Lets time pass, and with it everything that falls due. */
  runFor(ms: number): Promise<void>
  /** What is called right now takes so long: nobody else gets a turn. */
  spend(ms: number): void
  jumpWall(ms: number): void
  /** So much of it was not on the disk when the process ended. */
  loseServed(ms: number): void
  setServing(serving: 'no' | 'starting' | 'yes'): void
  /** The daemon's process stands still, the rest of the world goes on. */
  suspend(ms: number): void
  readonly isSuspended: boolean
  /** Everything that a party waits for is gone. */
  forget(party: Party): void
  /** After so many callbacks of the daemon or its host, and so many promises settled after the last: in the middle of anything. */
  interrupt(callbacks: number, promises: number, run: () => void): void
  readonly callbacks: number
}

interface Task {
  readonly party: Party
  readonly dueMs: number
  readonly run: () => void
}

/** A stopped process has served at most so long meanwhile. */
const MAX_GAP_MS = 1000
const MAX_CIRCLING = 3000
const SHORT_MS = 40
const WALL_START_MS = 1_700_000_000_000

export interface WorldOptions {
  readonly random: Random
  /** Called after each callback, when everything that it settled has been. True ends the run. */
  readonly look: () => boolean
  /** So many callbacks happened and time does not go on: somebody runs in circles. */
  readonly onCircle: () => void
}

export function createWorld({ random, look, onCircle }: WorldOptions): World {
  const tasks: Task[] = []
  const served = { atMostMs: 0, atLeastMs: 0 }
  let nowMs = 1000
  let wallOffsetMs = WALL_START_MS
  let serving: 'no' | 'starting' | 'yes' = 'no'
  let suspendedUntilMs = 0
  let interruption: { callbacks: number; readonly promises: number; readonly run: () => void } | undefined
  let callbacks = 0

  const count = (ms: number) => {
    if (serving !== 'no') served.atMostMs += ms
    if (serving === 'yes') served.atLeastMs += ms
  }
  const advanceTo = (ms: number) => {
    if (ms <= nowMs) return
    // What was suspended is counted where it began.
    const from = Math.max(nowMs, suspendedUntilMs)
    if (ms > from) count(ms - from)
    nowMs = ms
  }
  const dueOf = ({ party, dueMs }: Task) => (party === 'daemon' ? Math.max(dueMs, suspendedUntilMs) : dueMs)

  const next = (untilMs: number): Task | undefined => {
    let ready: Task | undefined
    let readyCount = 0
    let first: Task | undefined
    for (const task of tasks) {
      const dueMs = dueOf(task)
      if (dueMs <= nowMs) {
        readyCount += 1
        // Each of those that are ready is as likely.
        if (readyCount === 1 || random.below(readyCount) === 0) ready = task
      } else if (dueMs <= untilMs && (first === undefined || dueMs < dueOf(first))) first = task
    }
    return ready ?? first
  }

  const call = async (task: Task) => {
    tasks.splice(tasks.indexOf(task), 1)
    advanceTo(dueOf(task))
    callbacks += 1
    task.run()
    if (task.party !== 'client' && interruption !== undefined && interruption.callbacks-- === 0) {
      const { promises, run } = interruption
      interruption = undefined
      await settled(promises)
      run()
    }
    await allSettled()
  }

  return {
    random,
    served,
    get nowMs() {
      return nowMs
    },
    get wallMs() {
      return nowMs + wallOffsetMs
    },
    get isSuspended() {
      return nowMs < suspendedUntilMs
    },
    get callbacks() {
      return callbacks
    },
    after: (party, ms, run) => {
      const task = { party, dueMs: nowMs + Math.max(0, ms), run }
      tasks.push(task)
      return () => {
        const index = tasks.indexOf(task)
        if (index >= 0) tasks.splice(index, 1)
      }
    },
    runFor: async (ms) => {
      const untilMs = nowMs + ms
      let movedMs = nowMs
      let circling = 0
      for (let task = next(untilMs); task !== undefined; task = next(untilMs)) {
        await call(task)
        circling = nowMs > movedMs ? 0 : circling + 1
        movedMs = nowMs
        if (circling > MAX_CIRCLING) onCircle()
        if (look()) return
      }
      advanceTo(untilMs)
    },
    spend: (ms) => {
      const { atLeastMs } = served
      advanceTo(nowMs + ms)
      // Between two looks at the clock at most a second counts.
      if (ms > SHORT_MS) served.atLeastMs = atLeastMs
    },
    jumpWall: (ms) => {
      wallOffsetMs += ms
    },
    loseServed: (ms) => {
      served.atLeastMs -= ms
    },
    setServing: (next) => {
      serving = next
    },
    suspend: (ms) => {
      if (serving !== 'no') served.atMostMs += Math.min(ms, MAX_GAP_MS)
      suspendedUntilMs = Math.max(suspendedUntilMs, nowMs + ms)
    },
    forget: (party) => {
      for (let index = tasks.length - 1; index >= 0; index--) if (tasks[index]?.party === party) tasks.splice(index, 1)
      if (party === 'daemon') suspendedUntilMs = 0
    },
    interrupt: (after, promises, run) => {
      interruption = { callbacks: after, promises, run }
    },
  }
}

/** The event loop's own turn: by then every promise that could be settled is, and nothing but ours waits for it. */
const realImmediate = globalThis.setImmediate

function allSettled(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve))
}

async function settled(promises: number): Promise<void> {
  for (let count = 0; count < promises; count++) await undefined
}
