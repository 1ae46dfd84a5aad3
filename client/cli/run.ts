import type { Command } from 'commander'
import type { CallOptions, Client, ConnectOptions, SetRef } from '../index.ts'
import { name, notEmpty } from './arguments.ts'
import { EXIT, isIoasidError } from './failure.ts'
import type { NewFile } from './files.ts'
import type { Format, Output } from './output.ts'
import { startProgress } from './progress.ts'
import { readTls, type TlsFlags, tlsGiven, tlsRefusal } from './tls-flags.ts'

/** The world, as the commands see it: a test gives them another one. */
export interface Io {
  readonly out: (text: string) => void
  /** Resolves when everything that was given to `out` is written; rejects where it cannot be. */
  readonly written: () => Promise<void>
  readonly err: (text: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  readonly connect: (options: ConnectOptions) => Promise<Client>
  /** The bytes of a file; rejects where it cannot be read. */
  readonly readFile: (path: string) => Promise<Uint8Array>
  /** The same in pieces, for what is large. */
  readonly readPieces: (path: string) => AsyncIterable<Uint8Array>
  /** See createFile in files.ts. */
  readonly createFile: (path: string, mayReplace: boolean) => Promise<NewFile>
  /** Aborted when the user has had enough. */
  readonly interrupted: AbortSignal
  /** The wall time in ms since 1970. */
  readonly nowMs: () => number
  /** For what takes time: ms, with fractions, since whenever. */
  readonly monotonicMs: () => number
  /** The terminal that `out` is; undefined: it is none. */
  readonly terminal: Terminal | undefined
  /** Writes to the terminal that `err` is; undefined: it is none. */
  readonly progress: ((text: string) => void) | undefined
}

export interface Terminal {
  size(): { readonly columns: number; readonly rows: number }
  /** Resolves after this time, or sooner when the size has changed or the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>
}

/** The options that every command has. */
export interface Globals extends TlsFlags {
  readonly endpoint?: readonly string[]
  /** undefined: not said. */
  readonly output?: Format
  readonly headers: boolean
  readonly quiet?: true
  /** In ms. */
  readonly deadline: number
}

/** What a command works with. */
export interface Session {
  readonly client: Client
  readonly output: Output
  /** For every call. */
  readonly call: CallOptions
  readonly globals: Globals
}

/** Runs a command with a client, which is closed however the command ends. isLive: it has a terminal's lines to itself. */
export async function withClient(
  io: Io,
  command: Command,
  work: (session: Session) => Promise<void>,
  { isLive = false } = {},
): Promise<void> {
  const globals = command.optsWithGlobals<Globals>()
  const client = await connect(io, command, globals)
  const endProgress = isLive ? () => {} : startProgress(io, command.name())
  const write = (text: string) => {
    endProgress()
    io.out(text)
  }
  try {
    const output = { ...outputOf(io, globals), write }
    await work({ client, output, call: { signal: io.interrupted }, globals })
  } finally {
    endProgress()
    await client.close()
  }
}

async function connect(io: Io, command: Command, globals: Globals): Promise<Client> {
  const endpoint = globals.endpoint ?? (io.env['IOASIDCTL_ENDPOINT'] || undefined)
  const given = tlsGiven(io.env, globals, endpoint)
  const tls = await readTls(given, io.readFile, (sentence) => usage(command, sentence))
  try {
    return await io.connect({ endpoint, tls, deadlineMs: globals.deadline })
  } catch (error) {
    const [violation] = isIoasidError(error) ? error.violations : []
    if (violation?.field === 'endpoint') {
      const source = globals.endpoint === undefined ? 'IOASIDCTL_ENDPOINT' : '--endpoint'
      return usage(command, `${source}: ${violation.description}`)
    }
    const sentence = violation === undefined ? undefined : tlsRefusal(given, violation)
    if (sentence === undefined) throw error
    return usage(command, sentence)
  }
}

export function outputOf(io: Io, { output, headers, quiet }: Globals): Output {
  // A format that is named goes before what -q stands for, which with `watch` is no format but fewer remarks.
  return { format: output ?? (quiet ? 'name' : 'table'), headers, write: io.out }
}

/** Ends the command as a wrong use of it. */
export function usage(command: Command, sentence: string): never {
  return command.error(`error: ${sentence}`, { exitCode: EXIT.usage, code: 'ioasidctl.usage' })
}

/** The options by which commands name a set. */
export interface SetOptions {
  readonly setHandle?: string
  readonly token?: string
}

const HANDLE_FLAG = '--set-handle <handle>'
const HANDLE_HELP = "the set's handle, as `set create` printed it (default: $IOASIDCTL_SET_HANDLE)"

/** Gives a command the option by which a change names its set. */
export function takesHandle(command: Command): Command {
  return command.option(HANDLE_FLAG, HANDLE_HELP, notEmpty)
}

/** Gives a command the options by which a read names a set. */
export function takesSet(command: Command): Command {
  return takesHandle(command).option('--token <token>', "the set's token", name)
}

export function handleOf(io: Io, command: Command, { setHandle }: SetOptions): string {
  const handle = setHandle ?? io.env['IOASIDCTL_SET_HANDLE']
  if (handle) return handle
  return usage(command, 'which set? Give --set-handle, or set IOASIDCTL_SET_HANDLE.')
}

/** A flag goes before the environment. */
export function setRefOf(io: Io, command: Command, { setHandle, token }: SetOptions): SetRef {
  if (setHandle !== undefined && token !== undefined) usage(command, 'give --set-handle or --token, not both.')
  if (token === '') usage(command, '--token is empty; an anonymous set is found by its handle.')
  if (token !== undefined) return { token }
  const handle = setHandle ?? io.env['IOASIDCTL_SET_HANDLE']
  if (handle) return { setHandle: handle }
  return usage(command, 'which set? Give --token or --set-handle, or set IOASIDCTL_SET_HANDLE.')
}
