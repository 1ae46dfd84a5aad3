import type { CommanderError } from 'commander'
import type { IoasidError } from '../index.ts'
import { dataText, type Format, isData } from './output.ts'

/** How a command ends that does not end well: what is said of it, and with which exit code. */

/** Where it is said. */
interface Errors {
  readonly err: (text: string) => void
}

export const EXIT = {
  ok: 0,
  refused: 1,
  usage: 2,
  notFound: 3,
  unreachable: 4,
  unhealthy: 5,
  exhausted: 6,
  denied: 7,
  interrupted: 130,
} as const

/** A command that ends badly, though the daemon refused nothing. */
class CommandFailed extends Error {
  readonly exitCode: number
  readonly reason: string

  constructor(exitCode: number, reason: string, sentence: string) {
    super(sentence)
    this.exitCode = exitCode
    this.reason = reason
  }
}

export function nothingFound(sentence: string): never {
  throw new CommandFailed(EXIT.notFound, 'NOT_FOUND', sentence)
}

export function unhealthy(sentence: string): never {
  throw new CommandFailed(EXIT.unhealthy, 'NOT_SERVING', sentence)
}

export function damaged(sentence: string): never {
  throw new CommandFailed(EXIT.refused, 'DAMAGED', sentence)
}

/** By its name: to import its class would load grpc-js for `--help` too. */
export function isIoasidError(error: unknown): error is IoasidError {
  return error instanceof Error && error.name === ('IoasidError' satisfies IoasidError['name'])
}

/** Tells of a failure on standard error and gives the exit code for it. */
export function report({ err: write }: Errors, error: unknown, format: Format): number {
  if (error instanceof CommandFailed) {
    const { reason, message } = error
    write(isData(format) ? dataText(format, { error: { reason, message } }) : `error: ${message}\n`)
    return error.exitCode
  }
  if (!isIoasidError(error)) {
    write(`error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
    return EXIT.refused
  }
  const { code, reason, message, metadata, violations, retryAfterMs } = error
  if (isData(format)) {
    const object = { reason: reason ?? code, code, message, metadata, violations, retryAfterMs }
    write(dataText(format, { error: object }))
  } else {
    write(`error: ${reason ?? code}: ${message}\n`)
    const facts = Object.entries(metadata).map(([key, value]) => `${key}=${value}`)
    if (facts.length > 0) write(`  ${facts.join(' ')}\n`)
    for (const sentence of advice(error)) write(`  ${sentence}\n`)
  }
  return exitCode(error)
}

function exitCode({ code, reason }: IoasidError): number {
  switch (code) {
    case 'NOT_FOUND':
      return EXIT.notFound
    case 'UNAVAILABLE':
    case 'DEADLINE_EXCEEDED':
      return EXIT.unreachable
    case 'RESOURCE_EXHAUSTED':
      return EXIT.exhausted
    case 'PERMISSION_DENIED':
    case 'UNAUTHENTICATED':
      return EXIT.denied
    default:
      return reason === 'INVALID_FIELD' ? EXIT.usage : EXIT.refused
  }
}

/** What users may do about it, where the sentence of the daemon, which knows of no flags, does not say it. */
function advice({ code, reason, metadata, retryAfterMs }: IoasidError): readonly string[] {
  if (reason === 'NO_IDENTITY') {
    return ['The daemon has a policy and has to know who you are: give --cert and --key,', 'or use its Unix socket.']
  }
  if (reason === 'NOT_PERMITTED') {
    return [
      'You are who your certificate (--cert) says, or on a Unix socket your user.',
      "What you may do is for the daemon's operator to say, in its policy.",
    ]
  }
  if (code !== 'RESOURCE_EXHAUSTED') return []
  const ofOne = metadata['what']?.startsWith('own_') ? ['It is the limit of each identity, and this is yours.'] : []
  return retryAfterMs === undefined ? ofOne : [...ofOne, `It may be granted in ${durationText(retryAfterMs)}.`]
}

const durationText = (ms: number): string => (ms < 1000 ? `${ms}ms` : `${Math.ceil(ms / 1000)}s`)

/** Commander has told people of its errors itself; help is none. */
export function reportUsage({ err: write }: Errors, error: CommanderError, format: Format): number {
  if (error.exitCode === 0) return EXIT.ok
  if (isData(format)) {
    const message =
      error.code === 'commander.help'
        ? 'which command? Give one of those that --help lists.'
        : error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    write(dataText(format, { error: { reason: 'USAGE', message } }))
  }
  return EXIT.usage
}
