import { closeSync, fdatasyncSync, openSync, readFileSync, realpathSync, writeSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { median } from './median.ts'
import { benchDirectory } from './servers/processes.ts'

/** What the figures of a run depend on. */
export interface Machine {
  readonly date: string
  readonly node: string
  readonly cpu: string
  readonly kernel: string
  readonly memoryGiB: number
  /** Of the directory where everything that is measured has its data. */
  readonly fileSystem: string
  /** The median time of an appended 4 KiB with fdatasync there. */
  readonly syncUs: number
}

const SYNCS = 200

export function thisMachine(): Machine {
  const cores = cpus()
  return {
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    node: process.version,
    cpu: `${cores.length} × ${cores[0]?.model.trim() || 'unknown'}`,
    kernel: `Linux ${release()}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    fileSystem: fileSystemOf(realpathSync(tmpdir()), readFileSync('/proc/self/mounts', 'utf8')),
    syncUs: syncUs(),
  }
}

/** `ext4 (/dev/vda1)`: the mount with the longest path that leads to the directory. */
export function fileSystemOf(directory: string, mounts: string): string {
  const found = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, at = '']) => at === '/' || directory === at || directory.startsWith(`${at}/`))
    // Of two on one place the later one is seen.
    .reduce((best, mount) => ((mount[1] ?? '').length >= (best[1] ?? '').length ? mount : best), ['', '', ''])
  const [device = '', , type = ''] = found
  return type === '' ? 'unknown' : `${type} (${device})`
}

function syncUs(): number {
  const directory = benchDirectory()
  const file = openSync(join(directory.path, 'sync'), 'w')
  try {
    const block = Buffer.alloc(4_096, 1)
    const took = Array.from({ length: SYNCS }, () => {
      const startMs = performance.now()
      writeSync(file, block)
      fdatasyncSync(file)
      return (performance.now() - startMs) * 1_000
    })
    return Math.round(median(took))
  } finally {
    closeSync(file)
    directory.remove()
  }
}

export function machineText({ date, node, cpu, kernel, memoryGiB, fileSystem, syncUs: sync }: Machine): string {
  return [
    `${date} UTC, node ${node}, ${cpu}, ${memoryGiB} GiB, ${kernel}`,
    `data on ${fileSystem}, where 4 KiB with fdatasync take ${sync} µs`,
  ].join('\n')
}
