import type { Daemon } from './daemon.ts'
import type { Pace } from './disk.ts'
import { drawOtherFlags, type Flags } from './flags.ts'
import { drawOne, type Random } from './random.ts'
import type { Sim } from './sim.ts'

/** What befalls the daemon's host. */
export type FaultAct =
  | {
      readonly do: 'kill'
      /** After so many callbacks of the daemon more, in the middle of what the last one has begun. */
      readonly callbacks: number
      readonly promises: number
      readonly downMs: number
      readonly flags: Flags | undefined
      /** And once more, so many callbacks later: while it starts, if they are few. */
      readonly again: number | undefined
    }
  | { readonly do: 'drain'; readonly downMs: number; readonly flags: Flags | undefined }
  | { readonly do: 'pace the disk'; readonly pace: Pace }
  | { readonly do: 'fail a write'; readonly how: 'undone' | 'done' }
  | { readonly do: 'fill the disk'; readonly ms: number }
  | { readonly do: 'stop the process'; readonly ms: number }
  | { readonly do: 'jump the wall clock'; readonly ms: number }

export function drawFaultAct(random: Random, first: Flags): FaultAct {
  const flags = random.percent(50) ? drawOtherFlags(random, first) : undefined
  const again = random.percent(25) ? random.below(4) : undefined
  const downMs = random.pick([20, 300, 3000])
  return drawOne<FaultAct>(random, [
    [6, () => ({ do: 'kill', callbacks: random.below(40), promises: random.below(40), downMs, flags, again })],
    [1, () => ({ do: 'drain', downMs, flags })],
    [4, () => ({ do: 'pace the disk', pace: random.pick(['quick', 'slow', 'slow', 'stuck']) })],
    [1, () => ({ do: 'fail a write', how: random.pick(['undone', 'done']) })],
    [1, () => ({ do: 'fill the disk', ms: random.pick([50, 1000]) })],
    [1, () => ({ do: 'stop the process', ms: random.pick([700, 30_000, 30_000]) })],
    [1, () => ({ do: 'jump the wall clock', ms: random.pick([-3_600_000, -1000, 86_400_000]) })],
  ])
}

export function performFault({ world, disk, coverage, trace }: Sim, daemon: Daemon, act: FaultAct): void {
  trace(() => `fault: ${act.do} ${JSON.stringify({ ...act, flags: undefined })}`)
  switch (act.do) {
    case 'kill':
      world.interrupt(act.callbacks, act.promises, () => {
        coverage.count('crash within a callback')
        daemon.crash(act.downMs, act.flags)
        if (act.again !== undefined) world.interrupt(act.again, act.promises, () => daemon.crash(act.downMs, act.flags))
      })
      return
    case 'drain':
      return daemon.drain(act.downMs, act.flags)
    case 'pace the disk':
      if (act.pace === 'stuck') coverage.count('disk stuck')
      return disk.setPace(act.pace)
    case 'fail a write':
      return disk.failNext(act.how)
    case 'fill the disk':
      return disk.fill(act.ms)
    case 'stop the process':
      if (daemon.process === undefined) return
      if (act.ms >= 30_000) coverage.count('process stopped for 30 s')
      return world.suspend(act.ms)
    case 'jump the wall clock':
      coverage.count('wall clock jumped')
      return world.jumpWall(act.ms)
  }
}
