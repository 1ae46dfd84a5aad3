import type { EventEmitter } from 'node:events'
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { serviceDefinition } from '../../proto/load.ts'
import { type Refusal, readRefusal } from '../support/rpc.ts'
import { tenantsCa, tenantsKey } from '../support/tenant-certificates.ts'

/** Requests as bytes on the wire, who sends them, and all that comes back. */

/** A request, before anybody has sent it. */
export interface Sent {
  readonly path: string
  readonly bytes: Buffer
  readonly isStream: boolean
  readonly headers: Readonly<Record<string, string>>
}

export type Outcome =
  | { readonly kind: 'answered'; readonly bytes: Buffer }
  /** `everything`: all texts and bytes that came back, headers and trailers too, one after the other. */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly everything: string }

/** Somebody with a connection. */
export interface Peer {
  send(sent: Sent): Promise<Outcome>
  /** The bytes of each message of a stream, as they come. */
  listen(sent: Sent): Listening
  close(): void
}

export interface Listening {
  readonly messages: readonly Buffer[]
  readonly error: ServiceError | undefined
}

const SERVICES = [
  'ioasid.v1.SetService',
  'ioasid.v1.IoasidService',
  'ioasid.v1.LeaseService',
  'ioasid.v1.NotificationService',
  'ioasid.v1.AdminService',
] as const

interface AnyMethod {
  readonly path: string
  readonly responseStream: boolean
  readonly requestSerialize: (message: object) => Buffer
  readonly requestDeserialize: (bytes: Buffer) => object
  readonly responseDeserialize: (bytes: Buffer) => object
}

/** By their names alone, which no two services share. */
const methods = new Map(
  SERVICES.flatMap((name) => Object.entries(serviceDefinition(name) as unknown as Record<string, AnyMethod>)),
)

function methodOf(name: string): AnyMethod {
  const method = methods.get(name)
  if (method === undefined) throw new Error(`no method ${name}`)
  return method
}

/** A request to a method: `to('GetSet', { token: 'vm-a' })`. */
export function to(name: string, message: object, headers: Sent['headers'] = {}): Sent {
  const { path, responseStream, requestSerialize, requestDeserialize } = methodOf(name)
  const bytes = requestSerialize(message)
  // A key that is mistyped would be dropped in silence, and the attempt be another one than it says.
  const read = requestDeserialize(bytes)
  for (const key of Object.keys(message)) if (!(key in read)) throw new Error(`${name} has no field ${key}`)
  return { path, bytes, isStream: responseStream, headers }
}

/** A request of bytes that no encoder writes. */
export function raw(name: string, bytes: Buffer): Sent {
  const { path, responseStream } = methodOf(name)
  return { path, bytes, isStream: responseStream, headers: {} }
}

/** What the tests read of answers, whichever they are. */
export interface Answer {
  readonly set: { readonly set_handle: string; readonly set_id: string; readonly token: string }
  readonly sets: readonly { readonly token: string; readonly set_id: string }[]
  readonly lease: { readonly lease_handle: string; readonly lease_id: string; readonly remaining_ms: string }
  readonly leases: readonly { readonly lease_id: string; readonly owner: string; readonly remaining_ms: string }[]
  readonly ioasids: readonly number[]
  readonly info: { readonly ioasid: number }
  readonly kind: string
  readonly results: readonly { readonly result: string; readonly failure?: Failure }[]
  readonly next_page_token: string
  readonly notifications: readonly object[]
  readonly revision: string
}

interface Failure {
  readonly code: number
  readonly reason: string
  readonly message: string
  readonly metadata: Readonly<Record<string, string>>
}

/** An answer, read. */
export function read(name: string, bytes: Buffer): Answer {
  return methodOf(name).responseDeserialize(bytes) as Answer
}

/** What a peer is answered; throws where he is refused. */
export async function ask(peer: Peer, name: string, message: object): Promise<Answer> {
  return read(name, await askBytes(peer, name, message))
}

export async function askBytes(peer: Peer, name: string, message: object): Promise<Buffer> {
  const outcome = await peer.send(to(name, message))
  if (outcome.kind === 'answered') return outcome.bytes
  throw new Error(`${name} was refused: ${outcome.refusal.status} ${outcome.refusal.message}`)
}

const DEADLINE_MS = 20_000
const same = (bytes: Buffer) => bytes

/** By TLS with this certificate, by TLS without one (null), or without TLS. */
export type Security = string | null | 'insecure'

export function connectTo(address: string, security: Security): Peer {
  const options = { 'grpc.use_local_subchannel_pool': 1, 'grpc.ssl_target_name_override': 'localhost' }
  const client = new Client(address, credentialsOf(security), options)
  return {
    send: (sent) => exchange(client, sent),
    listen: ({ path, bytes }) => {
      const heard: { messages: Buffer[]; error: ServiceError | undefined } = { messages: [], error: undefined }
      client
        .makeServerStreamRequest(path, same, same, bytes)
        .on('data', (message: Buffer) => heard.messages.push(message))
        .on('error', (error: ServiceError) => {
          heard.error = error
        })
      return heard
    },
    close: () => client.close(),
  }
}

function credentialsOf(security: Security) {
  if (security === 'insecure') return credentials.createInsecure()
  const own = security === null ? null : Buffer.from(security)
  return credentials.createSsl(Buffer.from(tenantsCa), own && Buffer.from(tenantsKey), own)
}

function exchange(client: Client, { path, bytes, isStream, headers }: Sent): Promise<Outcome> {
  return new Promise((resolve) => {
    const deadline = Date.now() + DEADLINE_MS
    const metadata = new Metadata()
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
    let began: Metadata | undefined
    const refused = (error: ServiceError) => {
      const came = [began, error.metadata].flatMap((part) => Object.entries(part?.getMap() ?? {})).flat()
      const everything = [error.message, error.details, ...came].map(readable).join('\n')
      resolve({ kind: 'refused', refusal: readRefusal(error), everything })
    }
    const begin = (call: EventEmitter) => call.once('metadata', (part: Metadata) => (began = part))
    if (isStream) {
      const call = client.makeServerStreamRequest(path, same, same, bytes, metadata, { deadline })
      begin(call)
      call.once('data', (answer: Buffer) => {
        resolve({ kind: 'answered', bytes: answer })
        call.cancel()
      })
      call.on('error', refused)
    } else {
      const done = (error: ServiceError | null, answer?: Buffer) =>
        error === null ? resolve({ kind: 'answered', bytes: answer ?? Buffer.alloc(0) }) : refused(error)
      begin(client.makeUnaryRequest(path, same, same, bytes, metadata, { deadline }, done))
    }
  })
}

/** Bytes as one character each: what is in them can be searched for. */
function readable(value: string | Buffer): string {
  return typeof value === 'string' ? value : value.toString('latin1')
}
