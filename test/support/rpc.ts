import {
  Client,
  type ClientReadableStream,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { messageCodec } from '../../proto/load.ts'
import { ANYONE, type Caller } from '../../server/core/caller.ts'
import { isFailure } from '../../server/core/failure.ts'
import type { Log } from '../../server/rpc/log.ts'
import type { CallObserver } from '../../server/rpc/observer.ts'
import { createServices } from '../../server/rpc/services.ts'
import { encodeBackup } from '../../server/store/backup-file.ts'
import { type Running, type RunOptions, run } from './engine.ts'
import { connect, type Message, type Wire, type WireStream } from './wire.ts'

/** The services on a real connection, in this process, before an engine whose time stands still. */
export interface Served extends Running {
  readonly wire: Wire
  readonly address: string
  /** What was logged as an error. */
  readonly errors: object[]
  /** Resolves to the answer's bytes; rejects with the ServiceError. `method` is `SetService/GetSet`. */
  raw(method: string, bytes: Buffer): Promise<Buffer>
  /** A subscription as it is on the wire: bytes in, bytes out, read as fast as its reader reads. */
  rawSubscribe(request: Buffer): ClientReadableStream<Buffer>
  set(method: string, request: object): Promise<Message>
  lease(method: string, request: object): Promise<Message>
  ioasid(method: string, request: object): Promise<Message>
  stop(): void
}

export interface ServeOptions extends RunOptions {
  readonly isAdmin?: boolean
  /** Who everybody is that calls. */
  readonly caller?: Caller
  readonly snapshotTimeoutMs?: number
  readonly observer?: CallObserver
}

export async function serve(options: ServeOptions = {}): Promise<Served> {
  const running = await run(options)
  const errors: object[] = []
  const ignore = () => undefined
  const log: Log = { debug: ignore, info: ignore, warn: ignore, error: (facts) => errors.push(facts) }
  const caller = options.caller ?? { ...ANYONE, isAdmin: options.isAdmin ?? true }
  const server = new Server({ 'grpc.enable_channelz': 0 })
  const services = createServices({
    engine: running.engine,
    log,
    version: '1.2.3',
    after: running.clock.after,
    soon: running.clock.soon,
    snapshotTimeoutMs: options.snapshotTimeoutMs ?? 60_000,
    leaseBounds: { minTtlMs: 500, maxTtlMs: 86_400_000 },
    callerOf: () => caller,
    backUp: async () => {
      const backup = await running.engine.backup()
      return isFailure(backup) ? backup : { ...backup, pieces: encodeBackup(backup.items, '1.2.3') }
    },
    observer: options.observer,
  })
  for (const { definition, implementation } of services) server.addService(definition, implementation)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(error)
      else resolve(bound)
    })
  })
  const address = `127.0.0.1:${port}`
  const wire = connect(address)
  const bytesClient = new Client(address, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
  const same = (bytes: Buffer) => bytes
  return {
    ...running,
    wire,
    address,
    errors,
    raw: (method, bytes) =>
      new Promise((resolve, reject) => {
        const done = (error: ServiceError | null, answer?: Buffer) =>
          error ? reject(error) : resolve(answer ?? Buffer.alloc(0))
        bytesClient.makeUnaryRequest(
          `/ioasid.v1.${method}`,
          same,
          same,
          bytes,
          new Metadata(),
          { deadline: Date.now() + 10_000 },
          done,
        )
      }),
    rawSubscribe: (request) =>
      bytesClient.makeServerStreamRequest('/ioasid.v1.NotificationService/Subscribe', same, same, request),
    lease: (method, request) => wire.call('ioasid.v1.LeaseService', method, request),
    set: (method, request) => wire.call('ioasid.v1.SetService', method, request),
    ioasid: (method, request) => wire.call('ioasid.v1.IoasidService', method, request),
    stop: () => {
      wire.close()
      bytesClient.close()
      server.forceShutdown()
    },
  }
}

/** An error as the contract describes it, all that it carries. */
export interface Refusal {
  readonly status: string
  readonly message: string
  readonly reason: string
  readonly domain: string
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly { readonly field: string; readonly description: string }[]
  readonly retryMs: number | undefined
}

/** What a subscription was refused with or ended with; throws if it goes on. */
export async function endOf(stream: WireStream): Promise<Refusal> {
  while ((await stream.next()) !== undefined);
  const error = await stream.ended
  if (error === undefined) throw new Error('it ended without an error')
  return readRefusal(error)
}

/** What a call was refused with; throws if it succeeded. */
export async function refusalOf(call: Promise<unknown>): Promise<Refusal> {
  const error = await call.then(
    () => undefined,
    (cause: ServiceError) => cause,
  )
  if (error === undefined) throw new Error('it was not refused')
  return readRefusal(error)
}

export function readRefusal(error: ServiceError): Refusal {
  const [bytes] = error.metadata.get('grpc-status-details-bin')
  const rich = Buffer.isBuffer(bytes) ? messageCodec('google.rpc.Status').deserialize(bytes) : undefined
  const find = (type: string) =>
    rich?.details.find(({ type_url }) => type_url === `type.googleapis.com/google.rpc.${type}`)?.value
  const info = find('ErrorInfo')
  const bad = find('BadRequest')
  const retry = find('RetryInfo')
  if (rich !== undefined && (rich.code !== error.code || rich.message !== error.details))
    throw new Error('two statuses')
  const {
    reason = '',
    domain = '',
    metadata = {},
  } = info === undefined ? {} : messageCodec('google.rpc.ErrorInfo').deserialize(info)
  const delay = retry === undefined ? undefined : messageCodec('google.rpc.RetryInfo').deserialize(retry).retry_delay
  return {
    status: status[error.code] ?? String(error.code),
    message: error.details,
    reason,
    domain,
    metadata,
    violations: bad === undefined ? [] : messageCodec('google.rpc.BadRequest').deserialize(bad).field_violations,
    retryMs: delay ? Number(delay.seconds) * 1000 + delay.nanos / 1_000_000 : undefined,
  }
}

/** Protobuf by hand: a length-delimited field, for bytes that no client would send. */
export function field(number: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([varint(number * 8 + 2), varint(bytes.length), bytes])
}

/** A varint field. */
export function numberField(number: number, value: number): Buffer {
  return Buffer.concat([varint(number * 8), varint(value)])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  while (rest > 127) {
    bytes.push((rest % 128) + 128)
    rest = Math.floor(rest / 128)
  }
  return Buffer.from([...bytes, rest])
}
