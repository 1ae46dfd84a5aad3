import { main } from '../../../client/cli/program.ts'
import type { Terminal } from '../../../client/cli/run.ts'
import { makeClient } from '../../../client/client.ts'
import { parseEndpoint } from '../../../client/endpoint.ts'
import { type ConnectOptions, connect } from '../../../client/index.ts'
import { securityOf } from '../../../client/tls.ts'
import { fakeTransport } from '../fake-transport.ts'
import { manualClock } from '../manual-clock.ts'

interface World {
  readonly env?: Record<string, string>
  /** By path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  /** What the daemon answers, or throws. */
  readonly answer?: Parameters<typeof fakeTransport>[0]
  /** When what was printed is written. Default: at once. */
  readonly written?: () => Promise<void>
  /** A real daemon, instead of `answer`. */
  readonly connectTo?: string
  /** Default: the output is a pipe. */
  readonly terminal?: Terminal
  /** How far the clock goes on whenever it is looked at. Default: 10. */
  readonly monotonicStepMs?: number
  /** Default: errors go to a pipe. */
  readonly progress?: (text: string) => void
}

/** ioasidctl in a world of its own: a daemon that answers as the test likes, output as text. */
export function ioasidctl({
  env = {},
  files = {},
  answer,
  written = async () => {},
  connectTo,
  terminal,
  progress,
  monotonicStepMs = 10,
}: World = {}) {
  const fake = fakeTransport(answer)
  const manual = manualClock()
  const connected: ConnectOptions[] = []
  const saved = new Map<string, Buffer>()
  const interrupt = new AbortController()
  let monotonicMs = 0
  let out = ''
  let err = ''
  const run = (...argv: string[]) =>
    main(argv, {
      out: (text) => {
        out += text
      },
      written,
      err: (text) => {
        err += text
      },
      env,
      connect: async (options) => {
        connected.push(options)
        if (connectTo !== undefined) return connect({ ...options, endpoint: connectTo })
        const { endpoint = 'unix:///run/ioasidd/ioasidd.sock', tls, ...settings } = options
        securityOf([endpoint].flat().map(parseEndpoint), tls)
        return makeClient(() => fake.transport, manual.clock, settings)
      },
      readFile: async (path) => {
        const text = files[path]
        if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
        return Buffer.from(text)
      },
      readPieces: async function* (path) {
        const text = files[path]
        if (text === undefined) throw new Error(`ENOENT: no such file or directory, open '${path}'`)
        yield Buffer.from(text)
      },
      createFile: async (path, mayReplace) => {
        if (files[path] !== undefined && !mayReplace)
          throw new Error('it is there already, and --force would replace it')
        const pieces: Uint8Array[] = []
        return {
          write: async (bytes) => void pieces.push(bytes),
          commit: async () => void saved.set(path, Buffer.concat(pieces)),
          discard: async () => {},
        }
      },
      interrupted: interrupt.signal,
      nowMs: () => Date.parse('2026-01-02T03:04:05Z'),
      monotonicMs: () => {
        monotonicMs += monotonicStepMs
        return monotonicMs
      },
      terminal,
      progress,
    })
  return { ...fake, ...manual, run, connected, saved, interrupt, out: () => out, err: () => err }
}

/** One command: its exit code and what it has printed. */
export async function once(world: World, ...argv: string[]) {
  const cli = ioasidctl(world)
  const code = await cli.run(...argv)
  return { code, out: cli.out(), err: cli.err(), calls: cli.calls, isClosed: cli.isClosed() }
}
