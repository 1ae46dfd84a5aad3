import { readFileSync } from 'node:fs'

/** What a process has resident, in KiB, and how much of it is in no file. Linux only, as the daemon is. */
export function residentOf(pid: number): { readonly rssKiB: number; readonly anonymousKiB: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const read = (name: string) => {
    const [, kiB] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status) ?? []
    if (kiB === undefined) throw new Error(`/proc/${pid}/status has no ${name}: has process ${pid} ended?`)
    return Number(kiB)
  }
  return { rssKiB: read('VmRSS'), anonymousKiB: read('RssAnon') }
}
