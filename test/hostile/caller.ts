import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import type { BadRequest } from './requests.ts'

/** How a request came out, seen by who sent it. */
export type Outcome =
  | { readonly kind: 'status'; readonly code: number; readonly message: string; readonly details: Buffer | undefined }
  | { readonly kind: 'http'; readonly code: number }
  | { readonly kind: 'reset'; readonly code: number }
  /** No answer, where none was to be expected. */
  | { readonly kind: 'silence' }
  | { readonly kind: 'late' }

export interface Caller {
  send(request: BadRequest): Promise<Outcome>
  /** How often the connection by hand had to be made again. */
  readonly reconnects: number
  close(): void
}

const DETAILS = 'grpc-status-details-bin'
/** A request that has no end gets so long to be answered all the same. */
const SILENCE_MS = 10
const LATE_MS = 15_000
const OK: Outcome = { kind: 'status', code: status.OK, message: '', details: undefined }

export function createCaller(address: string): Caller {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  let session: ClientHttp2Session | undefined
  let reconnects = -1
  const open = () => {
    if (session !== undefined && !session.closed && !session.destroyed) return session
    reconnects += 1
    // In MB. What the daemon does not read any more counts, and by default ten of them end everything.
    session = connect(`http://${address}`, { maxSessionMemory: 1000 })
    session.on('error', () => undefined)
    return session
  }
  return {
    get reconnects() {
      return reconnects
    },
    send: (request) => (request.message === undefined ? byHand(open(), request) : byGrpcJs(client, request)),
    close: () => {
      client.close()
      session?.destroy()
    },
  }
}

const same = (bytes: Buffer) => bytes

function byGrpcJs(client: Client, { method, path, message = Buffer.alloc(0) }: BadRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    const deadline = Date.now() + LATE_MS
    const fail = (error: ServiceError) => {
      const [details] = error.metadata.get(DETAILS)
      if (error.code === status.DEADLINE_EXCEEDED) return resolve({ kind: 'late' })
      resolve({
        kind: 'status',
        code: error.code,
        message: error.details,
        details: Buffer.isBuffer(details) ? details : undefined,
      })
    }
    if (method.responseStream) {
      const call = client.makeServerStreamRequest(path, same, same, message, new Metadata(), { deadline })
      call.once('data', () => {
        resolve(OK)
        call.cancel()
      })
      call.on('error', fail)
      call.once('end', () => resolve(OK))
    } else {
      client.makeUnaryRequest(path, same, same, message, new Metadata(), { deadline }, (error) => {
        if (error === null) resolve(OK)
        else fail(error)
      })
    }
  })
}

function byHand(session: ClientHttp2Session, { method, path, headers, body, isEnded }: BadRequest): Promise<Outcome> {
  return new Promise((resolve) => {
    let stream: ClientHttp2Stream
    try {
      stream = session.request({ ':method': 'POST', ':path': path, ...headers } as Record<string, string>, {
        endStream: body === undefined,
      })
    } catch {
      // Node would not send it: then nothing was sent.
      return resolve({ kind: 'silence' })
    }
    let answer: Outcome | undefined
    const finish = (outcome: Outcome) => {
      clearTimeout(timer)
      resolve(outcome)
      if (!stream.destroyed) stream.close(constants.NGHTTP2_CANCEL)
    }
    const timer = setTimeout(
      () => finish(isEnded ? { kind: 'late' } : { kind: 'silence' }),
      isEnded ? LATE_MS : SILENCE_MS,
    )
    stream.on('response', (response) => {
      answer = outcomeOf(response)
      if (answer?.kind === 'http') finish(answer)
    })
    stream.on('trailers', (trailers) => {
      answer = outcomeOf(trailers)
    })
    stream.on('data', () => {
      if (method.responseStream) finish(OK)
    })
    stream.on('error', () => undefined)
    stream.on('end', () => answer !== undefined && finish(answer))
    stream.on('close', () => finish(answer ?? { kind: 'reset', code: stream.rstCode ?? 0 }))
    if (body === undefined) return
    if (isEnded) stream.end(body)
    else stream.write(body)
  })
}

function outcomeOf(headers: IncomingHttpHeaders): Outcome | undefined {
  const http = Number(headers[':status'] ?? constants.HTTP_STATUS_OK)
  if (http !== constants.HTTP_STATUS_OK) return { kind: 'http', code: http }
  const code = headers['grpc-status']
  if (code === undefined) return undefined
  const details = headers[DETAILS]
  return {
    kind: 'status',
    code: Number(code),
    message: String(headers['grpc-message'] ?? ''),
    details: typeof details === 'string' ? Buffer.from(details, 'base64') : undefined,
  }
}
