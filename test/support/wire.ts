import {
  type ClientReadableStream,
  credentials,
  Metadata,
  makeClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js'
import { messageCodec, serviceDefinition } from '../../proto/load.ts'
import type { ServiceName } from '../../proto/names.ts'

/** Calls as they are on the wire, without the SDK: for tests of the daemon itself. */
export interface Wire {
  /** Resolves to the message; rejects with the ServiceError. */
  call(service: ServiceName, method: string, request: object): Promise<Message>
  open(service: ServiceName, method: string, request: object): WireStream
  close(): void
}

export type Message = Readonly<Record<string, unknown>>

export interface WireStream {
  /** The next message; undefined when the stream has ended. */
  next(): Promise<Message | undefined>
  /** How the stream ended, undefined for an end without an error; known when everything before it was read. */
  readonly ended: Promise<ServiceError | undefined>
  cancel(): void
}

const DEADLINE_MS = 20_000

export function connect(address: string): Wire {
  // A channel of its own: connections that tests share would hide who was cut off.
  const options = { 'grpc.use_local_subchannel_pool': 1 }
  const clients = new Map<ServiceName, InstanceType<ReturnType<typeof makeClientConstructor>>>()
  const clientOf = (service: ServiceName) => {
    const Client = makeClientConstructor(serviceDefinition(service), service)
    const client = clients.get(service) ?? new Client(address, credentials.createInsecure(), options)
    clients.set(service, client)
    return client
  }
  return {
    call: (service, method, request) =>
      new Promise((resolve, reject) => {
        const deadline = Date.now() + DEADLINE_MS
        const done = (error: ServiceError | null, message: Message = {}) => (error ? reject(error) : resolve(message))
        clientOf(service)[method]?.(request, new Metadata(), { deadline }, done)
      }),
    open: (service, method, request) => toStream(clientOf(service)[method]?.(request)),
    close: () => {
      for (const client of clients.values()) client.close()
    },
  }
}

function toStream(call: ClientReadableStream<Message>): WireStream {
  const ended = new Promise<ServiceError | undefined>((resolve) => {
    call.once('error', resolve)
    call.once('end', () => resolve(undefined))
  })
  const messages = call[Symbol.asyncIterator]()
  return {
    next: async () => {
      try {
        const { value, done } = await messages.next()
        return done ? undefined : value
      } catch {
        return undefined
      }
    },
    ended,
    cancel: () => call.cancel(),
  }
}

/** The reason in an error's details; undefined where it carries none. */
export function reasonOf(error: ServiceError): string | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin')
  if (!Buffer.isBuffer(bytes)) return undefined
  const { details } = messageCodec('google.rpc.Status').deserialize(bytes)
  const info = details.find(({ type_url }) => type_url.endsWith('/google.rpc.ErrorInfo'))
  return info === undefined ? undefined : messageCodec('google.rpc.ErrorInfo').deserialize(info.value).reason
}
