import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { COMMAND_SUMMARIES, runCommand } from './commands.ts'
import { type Loaded, loadConfig, USAGE } from './config.ts'
import type { Host } from './config-flags.ts'
import type { Daemon, startDaemon } from './daemon.ts'
import { systemChance, systemClock } from './engine/clock.ts'
import type { LeveledLog } from './log.ts'
import { standardError } from './log-destination.ts'
import { createNotify } from './notify.ts'
import { createReload, logLevelPart } from './reload.ts'
import { takeHandedOver } from './socket-activation.ts'

/** argv to exit code. */

/** What a daemon is made from. */
type LoadedConfig = Extract<Loaded, { kind: 'config' }>

export interface Signals {
  /** What each does now: main.ts says what it does at first, and this file what it does to a daemon. */
  readonly on: Record<'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGUSR1', () => void>
  /** A SIGHUP came while there was nothing to reload. */
  wasHungUp: boolean
}

/** Done when it returns, and no reason to end where nobody reads. */
function write(fd: 1 | 2, text: string): void {
  try {
    writeSync(fd, text)
  } catch {
    // There is nowhere to say that nothing can be said.
  }
}

/** Nothing is left out before there is a log. */
let sayLeftOut: (lines: number) => void = () => undefined
const stderr = standardError({ after: systemClock.after, leftOut: (lines) => sayLeftOut(lines) })

function end(exitCode: number, lastWord = ''): never {
  if (lastWord !== '') stderr.write(`ioasidd: ${lastWord}\n`)
  stderr.flush()
  process.exit(exitCode)
}

/** What needs packages that are left out where only the client is wanted. */
async function orEnd<Value>(load: () => Promise<Value>): Promise<Value> {
  try {
    return await load()
  } catch (cause) {
    const isMissing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND'
    if (!isMissing) throw cause
    const [, name = 'one'] = /package '([^']+)'/.exec(cause.message) ?? []
    return end(1, `the package ${name} is missing: install ioasidd without --omit=optional`)
  }
}

/** A command, or the daemon from its start to its end. */
export async function start(argv: readonly string[], signals: Signals): Promise<never> {
  const host: Host = { env: process.env, isRoot: process.getuid?.() === 0, isTerminal: isatty(2) }

  const command = await runCommand(argv, host)
  if (command !== undefined) {
    write(command.exitCode === 0 ? 1 : 2, command.output)
    end(command.exitCode)
  }

  const handedOver = await orEnd(() => takeHandedOver(process.env, process.pid))
  const load = () => loadConfig(argv, { ...host, handedOver }, { ...USAGE, commands: COMMAND_SUMMARIES })
  const loaded = load()
  if (loaded.kind === 'usage') {
    const more = loaded.problems.length - 1
    end(2, `${loaded.sentence}${more === 0 ? '' : ` (ioasidd config check also names ${more} more.)`}`)
  }
  if (loaded.kind === 'text') {
    write(1, loaded.text)
    end(0)
  }

  const { createLog, startDaemon } = await orEnd(async () => ({
    ...(await import('./daemon.ts')),
    ...(await import('./log.ts')),
  }))
  const log = createLog(loaded.config.log, stderr)
  sayLeftOut = (lines) => log.error({ lines }, 'lines of the log are missing here: nobody read them in time')
  for (const warning of loaded.warnings) log.warn({}, warning)

  return await serve({ loaded, load, log, startDaemon, signals })
}

interface Serving {
  readonly loaded: LoadedConfig
  readonly load: () => Loaded
  readonly log: LeveledLog
  readonly startDaemon: typeof startDaemon
  readonly signals: Signals
}

async function serve({ loaded, load, log, startDaemon, signals }: Serving): Promise<never> {
  const { reload, addParts } = createReload({ settings: loaded.settings, load, parts: [logLevelPart(log)], log })

  process.on('uncaughtException', (cause) => {
    log.fatal({ cause }, 'a bug: the daemon ends')
    end(1)
  })

  let daemon: Daemon | undefined
  let isStopping = false
  const notify = await createNotify({
    env: process.env,
    pid: process.pid,
    clock: systemClock,
    monotonicUsec: () => process.hrtime.bigint() / 1000n,
    isWell: () => daemon !== undefined && !daemon.hasFailed(),
    log,
  })

  function stop(signal: NodeJS.Signals): void {
    // Before it serves there is nobody to take leave of; and who asks twice does not want to wait.
    if (daemon === undefined || isStopping) end(0)
    isStopping = true
    log.info({ signal }, 'told to stop')
    notify.stopping()
    daemon.drain()
  }

  /** Before it serves systemd waits for the first readiness, and after the end has begun for no other. */
  async function reloadAndTell(): Promise<void> {
    if (daemon !== undefined && !isStopping) notify.reloading()
    await reload()
    if (daemon !== undefined && !isStopping) notify.ready(statusOf(daemon))
  }

  signals.on.SIGTERM = () => stop('SIGTERM')
  signals.on.SIGINT = () => stop('SIGINT')
  signals.on.SIGHUP = () => void reloadAndTell()
  signals.on.SIGUSR1 = () => void daemon?.logStatus()

  // All timers of the daemon let the process end; until it has stopped, it must not.
  setInterval(() => undefined, 2 ** 30)

  const started = await startDaemon(loaded.config, {
    clock: systemClock,
    chance: systemChance,
    log,
    ready: (address) => write(1, `ready ${address}\n`),
  })
  if ('refusal' in started) end(started.exitCode, started.refusal)
  daemon = started
  // Before systemd hears of readiness: what was asked for until then is in effect by then.
  await addParts(started.reloadable)
  if (signals.wasHungUp) await reload()
  notify.ready(statusOf(started))
  return end(await started.stopped)
}

function statusOf({ addresses }: Daemon): string {
  return `serving on ${addresses.join(', ')}`
}
