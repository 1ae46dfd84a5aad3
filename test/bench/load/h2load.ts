import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchDirectory } from '../servers/processes.ts'

/** h2load, nghttp2's load generator, before a gRPC server: a client that is known, and that nobody here wrote. */

export interface H2loadFigures {
  readonly perSecond: number
  /** Those that were answered, with whatever gRPC status. */
  readonly answers: number
  readonly meanMs: number
  /** Of the answers' bodies: a refusal has none. */
  readonly dataBytes: number
}

export interface H2loadOptions {
  /** `host:port`. */
  readonly address: string
  readonly path: string
  /** The one message that every call sends. */
  readonly request: Buffer
  readonly connections: number
  /** Under way at once, on each connection. */
  readonly inFlight: number
  readonly forMs: number
  /** The least that a good answer has as its message; gRPC's five bytes come on top. */
  readonly leastAnswerBytes: number
}

const PREFIX_BYTES = 5
/** Whoever says nothing for so long on top of the duration will say nothing more. */
const GRACE_MS = 10_000

/** Rejects where answers failed: HTTP/2 errors are counted by h2load, a gRPC error is an answer without a body. */
export async function h2load(options: H2loadOptions): Promise<H2loadFigures> {
  const directory = benchDirectory()
  try {
    const body = join(directory.path, 'body')
    const prefix = Buffer.alloc(PREFIX_BYTES)
    prefix.writeUInt32BE(options.request.length, 1)
    writeFileSync(body, Buffer.concat([prefix, options.request]))
    const figures = parseH2load(await output(options, body))
    const least = figures.answers * (PREFIX_BYTES + options.leastAnswerBytes)
    if (figures.answers === 0 || figures.dataBytes < least) {
      throw new Error(
        `h2load: ${figures.answers} answers of ${options.path} have ${figures.dataBytes} bytes, good ones have ${least} or more: some were refused`,
      )
    }
    return figures
  } finally {
    directory.remove()
  }
}

function output({ address, path, connections, inFlight, forMs }: H2loadOptions, body: string): Promise<string> {
  const args = ['-c', String(connections), '-m', String(inFlight), '-t', '1', '-D', `${forMs}ms`, '-d', body]
  args.push('-H', 'content-type: application/grpc', '-H', 'te: trailers', `http://${address}${path}`)
  return new Promise((resolve, reject) => {
    const child = spawn('h2load', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: forMs + GRACE_MS })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) resolve(said)
      else reject(new Error(`h2load ended with ${code ?? signal}; it said: ${said.slice(-2_000)}`))
    })
  })
}

/** What h2load prints at its end, as figures. Throws where a request failed, or where it is no such text. */
export function parseH2load(text: string): H2loadFigures {
  const found = (pattern: RegExp): string => {
    const [, value] = pattern.exec(text) ?? []
    if (value === undefined) throw new Error(`h2load did not say ${pattern.source}; it said: ${text.slice(-2_000)}`)
    return value
  }
  const failed = Number(found(/requests: .* (\d+) failed/)) + Number(found(/requests: .* (\d+) errored/))
  if (failed > 0) throw new Error(`h2load: ${failed} requests failed: ${found(/(requests: .*)/)}`)
  const [, mean = '', unit = ''] = /time for request:\s+\S+\s+\S+\s+([\d.]+)(us|ms|s)\b/.exec(text) ?? []
  return {
    perSecond: Number(found(/finished in .*?, ([\d.]+) req\/s/)),
    answers: Number(found(/requests: .* (\d+) succeeded/)),
    meanMs: Number(mean) * (unit === 's' ? 1_000 : unit === 'us' ? 0.001 : 1),
    dataBytes: Number(found(/traffic: .*\((\d+)\) data/)),
  }
}
