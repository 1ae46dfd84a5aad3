import { readFileSync } from 'node:fs'

/** What Node is told before the daemon's own flags, as the first line of the built program says. */
export function launchFlags(program: string): readonly string[] {
  const [line = ''] = readFileSync(program, 'utf8').split('\n', 1)
  const [, flags] = /^#!\/usr\/bin\/env -S node (.+)$/.exec(line) ?? []
  if (flags === undefined) throw new Error(`the daemon does not say how it is started: ${line}`)
  return flags.split(' ')
}
