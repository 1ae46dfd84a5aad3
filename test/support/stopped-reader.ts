import { once } from 'node:events'
import { type ClientHttp2Stream, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import type { SubscribeRequest } from '../../proto/gen/ioasid/v1/SubscribeRequest.ts'
import type { SubscribeResponse__Output } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { messageCodec } from '../../proto/load.ts'

/** A subscriber that reads nothing until it is told to: grpc-js would read 16 messages ahead for a client that stopped. */
export interface StoppedReader {
  /** What it has read. */
  readonly messages: readonly SubscribeResponse__Output[]
  /** Resolves when the daemon has begun to answer. */
  readonly begun: Promise<unknown>
  /** The trailers: how the stream ended, known when everything before it was read. */
  readonly ended: Promise<IncomingHttpHeaders>
  /** Reads from now on, until a message is the one that is waited for. */
  readUntil(isLast: (message: SubscribeResponse__Output) => boolean): Promise<void>
  cancel(): void
}

const FRAME_HEAD_BYTES = 5

export function subscribeStopped(address: string, request: SubscribeRequest): StoppedReader {
  const session = connect(`http://${address}`)
  const stream: ClientHttp2Stream = session.request({
    ':method': 'POST',
    ':path': '/ioasid.v1.NotificationService/Subscribe',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const bytes = messageCodec('ioasid.v1.SubscribeRequest').serialize(request)
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32BE(bytes.length, 1)
  stream.end(Buffer.concat([head, bytes]))
  stream.on('error', () => undefined)
  stream.on('close', () => session.close())

  const messages: SubscribeResponse__Output[] = []
  let rest: Buffer = Buffer.alloc(0)
  const take = (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk])
    while (rest.length >= FRAME_HEAD_BYTES) {
      const end = FRAME_HEAD_BYTES + rest.readUInt32BE(1)
      if (rest.length < end) return
      messages.push(messageCodec('ioasid.v1.SubscribeResponse').deserialize(rest.subarray(FRAME_HEAD_BYTES, end)))
      rest = rest.subarray(end)
    }
  }
  return {
    messages,
    begun: new Promise((resolve) => stream.once('response', resolve)),
    ended: new Promise((resolve) => stream.once('trailers', resolve)),
    readUntil: async (isLast) => {
      // The first one lets the data flow, and they flow from then on.
      if (stream.listenerCount('data') === 0) stream.on('data', take)
      while (!messages.some(isLast)) await once(stream, 'data')
    },
    cancel: () => stream.close(constants.NGHTTP2_CANCEL),
  }
}
