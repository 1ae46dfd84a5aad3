import type { Config, Loaded } from './config.ts'
import type { Settings } from './config-sources.ts'
import type { Log } from './rpc/log.ts'
import type { Tls } from './rpc/tls.ts'

/** What SIGHUP does: all sources are read again, and what can change while the daemon serves does. */

export interface ReloadablePart {
  /** As a line of the log calls it. */
  readonly name: string
  /** The flags whose changes it takes. */
  readonly flags: readonly string[]
  /**
   * Called at every reload, also where no flag has changed: a file that one of them names may have. To throw is to
   * say that all stays as it was, and why.
   */
  apply(config: Config): void | Promise<void>
}

export interface ReloadOptions {
  /** What the daemon was started with. */
  readonly settings: Settings
  /** Reads all sources as they are now. */
  load(): Loaded
  /** What can be reloaded from the beginning. Parts are applied in the order in which they come. */
  readonly parts: readonly ReloadablePart[]
  readonly log: Pick<Log, 'info' | 'warn' | 'error'>
}

export interface Reload {
  /**
   * Resolves when it is done, and never rejects. Asked while one is under way it reads once more after that, for all who
   * asked meanwhile: the file may have changed since it was read.
   */
  reload(): Promise<void>
  /** More that can be reloaded, from now on. What was asked for before is done again: they may have read their files before that. */
  addParts(parts: readonly ReloadablePart[]): Promise<void>
}

export function createReload(options: ReloadOptions): Reload {
  const parts = [...options.parts]
  /** By flag: what is in effect, which a file does not change before a restart. */
  const effective = new Map([...options.settings].map(([name, { value }]) => [name, keyOf(value)]))
  let last = Promise.resolve()
  let waiting: Promise<void> | undefined
  let wasAsked = false
  const reload = () => {
    wasAsked = true
    if (waiting !== undefined) return waiting
    waiting = last.then(() => {
      waiting = undefined
      return reloadOnce({ ...options, parts }, effective)
    })
    last = waiting
    return waiting
  }
  return {
    reload,
    addParts: async (more) => {
      parts.push(...more)
      if (wasAsked) await reload()
    },
  }
}

async function reloadOnce(options: ReloadOptions, effective: Map<string, string>): Promise<void> {
  const { log, parts } = options
  const loaded = load(options)
  if (typeof loaded === 'string') return log.error({}, `nothing is reloaded, the configuration is wrong now: ${loaded}`)
  const changed = new Map<string, string>()
  for (const [name, { value }] of loaded.settings) {
    if (keyOf(value) !== effective.get(name)) changed.set(name, keyOf(value))
  }
  const taken = new Set(parts.flatMap(({ flags }) => flags))
  const waiting = [...changed.keys()].filter((name) => !taken.has(name))
  // Before the level of the log changes, which might leave out this very line.
  if (waiting.length > 0) log.warn({}, `the daemon has to be restarted for changes of ${waiting.join(', ')}`)
  const applied: string[] = []
  for (const part of parts) {
    try {
      await part.apply(loaded.config)
      applied.push(part.name)
      for (const name of part.flags) effective.set(name, changed.get(name) ?? effective.get(name) ?? '')
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      log.error({ cause }, `${part.name}: not reloaded, what was there stays: ${why}`)
    }
  }
  log.info({ parts: applied }, 'reloaded')
}

function load({ load }: ReloadOptions): Extract<Loaded, { kind: 'config' }> | string {
  const loaded = load()
  if (loaded.kind === 'config') return loaded
  return loaded.kind === 'usage' ? loaded.problems.join(' ') : 'it asks for help'
}

/** Two texts of one value, 1m and 60s for example, are no change. */
function keyOf(value: unknown): string {
  return JSON.stringify(value)
}

/** The part that is there before the daemon serves. */
export function logLevelPart(log: { level: string }): ReloadablePart {
  return {
    name: 'log level',
    flags: ['log-level'],
    apply: (config) => {
      log.level = config.log.level
    },
  }
}

/** The files that the flags name are read again; which ones they name is for a restart. */
export function certificatesPart({ reload }: Pick<Tls, 'reload'>): ReloadablePart {
  return {
    name: 'certificates',
    flags: [],
    apply: async () => {
      const refused = await reload()
      if (refused !== undefined) throw new Error(`${refused.problem}.`)
    },
  }
}
