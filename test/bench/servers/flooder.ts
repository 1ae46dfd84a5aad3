import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { setPriority } from 'node:os'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from '../../../client/index.ts'
import { messageCodec } from '../../../proto/load.ts'
import { grpcMessage } from '../../hostile/frames.ts'
import { openWire } from '../load/wire.ts'
import { ALLOCATE_PATH, allocateRequest } from './daemon-set.ts'

/**
 * A tenant that asks for more than it may have, as a program: `flooder.js SOCKET UID`. It answers each line with one: to
 * `polite` (it waits when it is told to) and `hostile` (it does not, and comes back when it was cut off) `ok`, and floods
 * from then on; to `idle` what came of it, when it has stopped. It has the lowest priority: what others notice of it
 * is to be what the daemon does for it.
 */

const CONNECTIONS = 2
const CALLS = 64
/** A connection that is refused at once is tried again as fast as this. */
const AGAIN_MS = 10

const [socketPath = '', uid = ''] = process.argv.slice(2)
const address = `unix://${socketPath}`
setPriority(19)
// It keeps its group, which may connect.
process.setuid?.(Number(uid))

export interface Flooded {
  readonly answered: number
  readonly refused: number
  readonly cutOff: number
}

const client = connect({ endpoint: address })
const { setHandle } = (await client.createSet({ token: 'flooder' })).set
await client.close()
const request = allocateRequest(setHandle, 1)

interface Flood {
  isOver: boolean
  answered: number
  refused: number
  cutOff: number
}

async function politely(flood: Flood): Promise<void> {
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socketPath) })
  session.on('error', () => undefined)
  const body = grpcMessage(request)
  const caller = async () => {
    while (!flood.isOver) {
      const retryMs = await call(session, body)
      if (retryMs === undefined) flood.answered += 1
      else {
        flood.refused += 1
        await delay(retryMs)
      }
    }
  }
  await Promise.all(Array.from({ length: CALLS }, caller))
  session.destroy()
}

/** undefined: it was answered; else after how long it may be tried again. */
function call(session: ClientHttp2Session, body: Buffer): Promise<number | undefined> {
  return new Promise((resolve) => {
    if (session.destroyed) return resolve(AGAIN_MS)
    const stream = session.request({
      ':method': 'POST',
      ':path': ALLOCATE_PATH,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const read = (headers: IncomingHttpHeaders) => {
      if (headers['grpc-status'] !== undefined) resolve(retryMsOf(headers))
    }
    stream.on('error', () => undefined)
    stream.once('response', read)
    stream.once('trailers', read)
    stream.once('close', () => resolve(AGAIN_MS))
    stream.resume()
    stream.end(body)
  })
}

function retryMsOf({ 'grpc-status': status, 'grpc-status-details-bin': bytes }: IncomingHttpHeaders) {
  if (status === '0') return undefined
  const { details } = messageCodec('google.rpc.Status').deserialize(Buffer.from(String(bytes ?? ''), 'base64'))
  const info = details.find(({ type_url }) => type_url.endsWith('ErrorInfo'))
  const facts = info === undefined ? {} : messageCodec('google.rpc.ErrorInfo').deserialize(info.value).metadata
  return Number(facts['retry_after_ms'] ?? AGAIN_MS)
}

async function hostilely(flood: Flood): Promise<void> {
  while (!flood.isOver) {
    try {
      const wire = await openWire(address)
      const caller = () =>
        new Promise<void>((resolve) => {
          const next = () => {
            if (flood.isOver) return resolve()
            let isGood = false
            const onMessage = () => {
              isGood = true
            }
            const onEnd = (error: Error | undefined) => {
              if (error !== undefined) return resolve()
              if (isGood) flood.answered += 1
              else flood.refused += 1
              next()
            }
            wire.open(ALLOCATE_PATH, request, { onMessage, onEnd })
          }
          next()
        })
      await Promise.all(Array.from({ length: CALLS }, caller))
      wire.close()
      if (!flood.isOver) flood.cutOff += 1
    } catch {
      await delay(AGAIN_MS)
    }
  }
}

const nothing = async (): Promise<Flooded> => ({ answered: 0, refused: 0, cutOff: 0 })
let stop = nothing

function start(how: (flood: Flood) => Promise<void>): void {
  const flood: Flood = { isOver: false, answered: 0, refused: 0, cutOff: 0 }
  const done = Promise.all(Array.from({ length: CONNECTIONS }, () => how(flood)))
  stop = async () => {
    flood.isOver = true
    stop = nothing
    await done
    const { answered, refused, cutOff } = flood
    return { answered, refused, cutOff }
  }
}

for await (const line of createInterface(process.stdin)) {
  if (line === 'polite') start(politely)
  else if (line === 'hostile') start(hostilely)
  else if (line !== 'idle') throw new Error(`it knows polite, hostile and idle, not '${line}'`)
  console.log(line === 'idle' ? JSON.stringify(await stop()) : 'ok')
}
