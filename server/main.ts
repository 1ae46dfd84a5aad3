#!/usr/bin/env -S node --min-semi-space-size=16
import { writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { COMMAND_SUMMARIES, runCommand } from './commands.ts'
import { loadConfig, USAGE } from './config.ts'
import type { Host } from './config-flags.ts'
import type { Daemon } from './daemon.ts'
import { systemChance, systemClock } from './engine/clock.ts'
import { standardError } from './log-destination.ts'
import { createNotify } from './notify.ts'
import { createReload, logLevelPart } from './reload.ts'
import { takeHandedOver } from './socket-activation.ts'

/**
 * argv to exit code, and signals; nothing else.
 *
 * Node is asked for a young generation of 16 MiB from the start: what a call needs lives until its batch is on disk, and V8's
 * first ones are so small that it would be copied meanwhile (a sixth of the time that a call costs).
 */

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

const argv = process.argv.slice(2)
const host: Host = { env: process.env, isRoot: process.getuid?.() === 0, isTerminal: isatty(2) }

const command = await runCommand(argv, host)
if (command !== undefined) {
  write(command.exitCode === 0 ? 1 : 2, command.output)
  end(command.exitCode)
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

process.on('SIGTERM', stop)
process.on('SIGINT', stop)
// Unhandled, it would end the process when its terminal closes.
process.on('SIGHUP', () => void reloadAndTell())
// Unhandled, it would open Node's inspector to whoever can reach it.
process.on('SIGUSR1', () => void daemon?.logStatus())

/** Before it serves systemd waits for the first readiness, and after the end has begun for no other. */
async function reloadAndTell(): Promise<void> {
  if (daemon !== undefined && !isStopping) notify.reloading()
  await reload()
  if (daemon !== undefined && !isStopping) notify.ready(statusOf(daemon))
}

function statusOf({ addresses }: Daemon): string {
  return `serving on ${addresses.join(', ')}`
}

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
notify.ready(statusOf(daemon))
end(await started.stopped)
