import { stat, statfs } from 'node:fs/promises'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { type Family, gauge } from './families.ts'

/** What of the machine under the daemon an operator wants to know. */

export interface DiskPlace {
  readonly directory: string
  readonly file: string
}

/** Nothing where it cannot be looked at: that the disk is in trouble is told by the store. */
export async function diskFamilies({ directory, file }: DiskPlace): Promise<readonly Family[]> {
  try {
    const [{ size }, { bavail, blocks, bsize }] = await Promise.all([stat(file), statfs(directory)])
    return [
      gauge('ioasidd_data_file_bytes', 'The file of the store', size),
      gauge('ioasidd_data_filesystem_free_bytes', 'Left on the file system of the data directory', bavail * bsize),
      gauge('ioasidd_data_filesystem_size_bytes', 'Size of the file system of the data directory', blocks * bsize),
    ]
  } catch {
    return []
  }
}

const RESOLUTION_MS = 10
const NS_PER_S = 1e9

/** How late the event loop was since it was looked at last. */
export function createLoopDelay(
  histogram: Pick<IntervalHistogram, 'enable' | 'reset' | 'max' | 'percentile'> = monitorEventLoopDelay({
    resolution: RESOLUTION_MS,
  }),
): () => readonly Family[] {
  histogram.enable()
  // What is measured is the time from one tick to the next.
  const late = (ns: number) => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1000)
  return () => {
    const [p50, p99, max] = [histogram.percentile(50), histogram.percentile(99), histogram.max]
    histogram.reset()
    const help = 'How late the event loop was since the last scrape'
    return [
      gauge('ioasidd_event_loop_delay_p50_seconds', `${help}: the median`, late(p50)),
      gauge('ioasidd_event_loop_delay_p99_seconds', `${help}: of a hundred times at most once later`, late(p99)),
      gauge('ioasidd_event_loop_delay_max_seconds', `${help}: at most`, late(max)),
    ]
  }
}
