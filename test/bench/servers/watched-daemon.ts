import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type BenchDaemon, startBenchDaemon } from './daemon.ts'
import { benchDirectory } from './processes.ts'

/** How late the daemon's event loop was while something went on, in ms. */
export interface LoopDelay {
  readonly longestMs: number
  readonly p99Ms: number
}

export interface WatchedDaemon extends BenchDaemon {
  readonly delayDuring: (work: () => Promise<void>) => Promise<LoopDelay>
}

/** A daemon whose event loop is looked at from within (loop-delay-probe.ts). */
export async function startWatchedDaemon(args: readonly string[]): Promise<WatchedDaemon> {
  const directory = benchDirectory()
  const path = join(directory.path, 'probe')
  const probe = new URL('loop-delay-probe.js', import.meta.url)
  probe.search = encodeURIComponent(path)
  try {
    const daemon = await startBenchDaemon(args, ['--import', probe.href])
    const stop = async () => {
      await daemon.stop()
      directory.remove()
    }
    return { ...daemon, stop, delayDuring: (work) => delayDuring(path, work) }
  } catch (cause) {
    directory.remove()
    throw cause
  }
}

async function delayDuring(path: string, work: () => Promise<void>): Promise<LoopDelay> {
  const socket = connect({ path, allowHalfOpen: true })
  try {
    await once(socket, 'data')
    await work()
    socket.end()
    const [answer] = await once(socket, 'data')
    const [longestMs = Number.NaN, p99Ms = Number.NaN] = String(answer).split(' ').map(Number)
    return { longestMs, p99Ms }
  } finally {
    socket.destroy()
  }
}
