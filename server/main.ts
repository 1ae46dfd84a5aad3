#!/usr/bin/env -S node --min-semi-space-size=16
import type { Signals } from './start.ts'

/**
 * Signals from the first moment on; what they are for is loaded after that. Until the handlers are there Node's own start
 * answers: SIGUSR1 in those milliseconds opens its inspector on 127.0.0.1, which no flag that Node 20 knows keeps it from.
 *
 * Node is asked for a young generation of 16 MiB from the start: what a call needs lives until its batch is on disk, and V8's
 * first ones are so small that it would be copied meanwhile (a sixth of the time that a call costs).
 */

/** Before there is a daemon: nobody has to be taken leave of, and a reload comes when it serves. */
const signals: Signals = {
  on: {
    SIGTERM: () => process.exit(0),
    SIGINT: () => process.exit(0),
    SIGHUP: () => {
      signals.wasHungUp = true
    },
    SIGUSR1: () => undefined,
  },
  wasHungUp: false,
}

const argv = process.argv.slice(2)

// Unhandled, it would open Node's inspector to whoever can reach it.
process.on('SIGUSR1', () => signals.on.SIGUSR1())
// A command ends by the others, as programs do.
if (argv[0] === undefined || argv[0].startsWith('-')) {
  process.on('SIGTERM', () => signals.on.SIGTERM())
  process.on('SIGINT', () => signals.on.SIGINT())
  // Unhandled, it would end the daemon when its terminal closes.
  process.on('SIGHUP', () => signals.on.SIGHUP())
}

const { start } = await import('./start.ts')
await start(argv, signals)
