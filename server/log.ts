import { type Logger, pino, stdSerializers } from 'pino'
import type { LogConfig } from './config.ts'
import type { LogDestination } from './log-destination.ts'

/** What of pino the daemon uses, beside what its rpc layer does. */
export type DaemonLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'fatal'>

/** A log whose level can change while it is used. */
export type LeveledLog = DaemonLog & Pick<Logger, 'level'>

/** A log of lines, as JSON or as text for people. */
export function createLog({ level, format }: LogConfig, destination: LogDestination): LeveledLog {
  const options = {
    level,
    base: null,
    messageKey: 'message',
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: { cause: stdSerializers.err },
  }
  if (format === 'json') return pino(options, destination)
  return pino(options, { write: (line) => destination.write(toText(JSON.parse(line))) })
}

/** `2026-01-31T12:00:00.000Z WARN  what happened key=value`. */
function toText({ time, level, message, ...facts }: Record<string, unknown>): string {
  const written = Object.entries(facts).map(([key, value]) => ` ${key}=${factText(value)}`)
  return `${time} ${String(level).toUpperCase().padEnd(5)} ${message}${written.join('')}\n`
}

const PLAIN = /^[\w.:/+@[\]-]+$/

function factText(value: unknown): string {
  return typeof value === 'string' && PLAIN.test(value) ? value : JSON.stringify(value)
}
