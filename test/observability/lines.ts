import type { DaemonLog } from '../../server/log.ts'

/** A log that is kept: what was said, at which level, with which facts. */
export interface Line {
  readonly level: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly message: string
}

export function keepLines(): { readonly log: DaemonLog; readonly lines: Line[] } {
  const lines: Line[] = []
  const write =
    (level: string) =>
    (facts: object, message = '') =>
      void lines.push({ level, facts: { ...facts }, message })
  const log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    fatal: write('fatal'),
  }
  return { log: log as unknown as DaemonLog, lines }
}
