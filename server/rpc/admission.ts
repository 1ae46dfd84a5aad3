import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import { Duplex } from 'node:stream'
import {
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerListener,
} from '@grpc/grpc-js'
import { type Failure, fail } from '../core/failure.ts'
import { createTurnstile } from '../engine/turnstile.ts'
import type { PeerContext } from './caller.ts'
import type { Connections } from './connections.ts'
import { requestsOfBatch } from './count-items.ts'
import { createInFlight } from './in-flight.ts'
import type { Log } from './log.ts'
import { type CallObserver, NOBODY } from './observer.ts'
import type { Tenant, Tenants } from './own-limits.ts'
import { type Peer, placeOf } from './peer.ts'
import { openConnection, type PeerConnection } from './peer-connection.ts'
import { createRequestFrame, type RequestFrame } from './request-frame.ts'
import { toStatus } from './status.ts'
import type { After } from './stream.ts'

/**
 * What stands between a peer's bytes and the methods: bounds what a connection makes the daemon keep, how many pages of
 * lists it has at a time, and how many calls it begins only to give them up; and how many calls and requests its identity
 * makes, which are counted before anything is decoded, so that a refusal costs as little as can be. grpc-js has no bound
 * for any of them: a connection may begin any number of messages of 4 MiB, or ask for any number of answers and read none.
 */
export interface AdmissionOptions {
  /** What all connections together may make the daemon keep; one alone a quarter of it. */
  readonly maxInFlightBytes: number
  readonly maxMessageBytes: number
  readonly connections: Connections
  readonly tenants: Tenants
  readonly after: After
  readonly soon: (callback: () => void) => void
  readonly log: Log
  readonly observer?: CallObserver | undefined
}

/** What stands at the door, and how much is behind it. */
export interface Admission {
  readonly interceptor: ServerInterceptor
  /** A peer began a stream, which may be no call at all: then grpc-js refuses it and asks no interceptor. */
  opened(stream: ServerHttp2Stream): void
  /** What all connections together make the daemon keep, bytes. */
  readonly inFlightBytes: number
}

/** What a call counts, however short its message: so that 10,000 subscriptions have room on one connection. */
const CALL_BYTES = 3072
const SHARE_OF_ONE = 1 / 4
const BATCH = '/ioasid.v1.IoasidService/Batch'
/** A test looks whether these are the methods whose answers have a next_page_token. */
export const PAGED = /^\/ioasid\.v1\.\w+\/(List\w+|GetHistory)$/

/** The others, health and reflection, are not counted. */
const OWN = '/ioasid.v1.'

/** For all servers together. */
export function createAdmission(options: AdmissionOptions): Admission {
  const { maxInFlightBytes, maxMessageBytes, connections, tenants, after, soon, log, observer = NOBODY } = options
  const perConnectionBytes = Math.floor(maxInFlightBytes * SHARE_OF_ONE)
  const inFlight = createInFlight({ perConnectionBytes, totalBytes: maxInFlightBytes })
  const shared = { inFlight, connections, tenants, nextPage: createTurnstile(soon, 1), after, log }
  const known = new WeakMap<Http2Session, PeerConnection>()

  const tooMany = fail('TOO_MANY', `One connection may have ${perConnectionBytes} bytes under way.`, {
    what: 'in_flight',
    limit: perConnectionBytes,
    retry_after_ms: 100,
  })

  const connectionOf = (session: Http2Session) => {
    const connection = known.get(session) ?? openConnection(session, shared)
    known.set(session, connection)
    return connection
  }

  const interceptor: ServerInterceptor = ({ path, requestStream, responseStream }, call) => {
    const stream = streamOf(call)
    // A stream that is over already has no session, and nothing will come of it.
    if (stream?.session === undefined) return new ServerInterceptingCall(call)
    const connection = connectionOf(stream.session)
    connection.called()
    const frame = createRequestFrame(maxMessageBytes, requestStream ? Number.POSITIVE_INFINITY : 1)
    const tenant = connection.tenantOf(path)
    const onRefusal = ({ reason }: Failure) => {
      if (path.startsWith(OWN))
        observer
          .of(path.slice(path.lastIndexOf('/') + 1))
          .refused(reason, connection.peer.identity, placeOf(connection.peer, call.getPeer()))
    }
    return admit({ call, stream, connection, tenant, frame, path, requestStream, responseStream, tooMany, onRefusal })
  }
  return {
    interceptor,
    get inFlightBytes() {
      return inFlight.bytes
    },
    opened: ({ session }) => {
      if (session !== undefined) connectionOf(session).opened()
    },
  }
}

interface Admitted {
  readonly call: ServerInterceptingCallInterface
  readonly stream: ServerHttp2Stream
  readonly connection: PeerConnection
  readonly tenant: Tenant
  readonly frame: RequestFrame
  readonly path: string
  readonly requestStream: boolean
  readonly responseStream: boolean
  readonly tooMany: Failure
  readonly onRefusal: (failure: Failure) => void
}

function admit(admitted: Admitted): ServerInterceptingCall {
  const { call, stream, connection, tenant, frame, path, requestStream, responseStream, tooMany, onRefusal } = admitted
  const { account, own, pages, peer, gaveUp } = connection
  let counted = 0
  let hasBegun = false
  let isRefused = false
  let leavePages: () => void = () => undefined
  stream.once('close', () => {
    account.give(counted)
    own?.give(counted)
    if (hasBegun) tenant.end()
    leavePages()
    // With whichever code: none is sent of a call that we have not answered.
    if (!isRefused && !stream.headersSent) gaveUp()
  })
  const take = (bytes: number | undefined) => {
    if (bytes === undefined) return refuse(MORE_THAN_ONE)
    const refusal = own?.refuses(bytes)
    if (refusal !== undefined) return refuse(refusal)
    if (!account.take(bytes)) return refuse(tooMany)
    own?.add(bytes)
    counted += bytes
  }
  const refuse = (failure: Failure) => {
    isRefused = true
    onRefusal(failure)
    const isTrailersOnly = !stream.headersSent
    // grpc-js takes nothing more of it after that, and the peer has no use for its end of the stream.
    call.sendStatus(toStatus(failure))
    // Where headers were sent before, the status is still to come. In the same turn Node 22 would not send it any more.
    if (isTrailersOnly) setImmediate(() => stream.close(constants.NGHTTP2_NO_ERROR))
    connection.refused(tenant)
  }
  const isBatch = path === BATCH
  const refusal = tenant.begin(isBatch ? 0 : 1)
  hasBegun = refusal === undefined
  if (refusal === undefined) take(CALL_BYTES)
  else refuse(refusal)
  if (isRefused) return new ServerInterceptingCall(call, { start: () => undefined })
  // Before grpc-js sees them: it would begin to decompress.
  stream.prependListener('data', (chunk: Buffer) => {
    if (!isRefused) take(frame.take(chunk))
  })
  /** What is passed on is decoded next. */
  const ask = (requests: number, pass: () => void) => {
    const refusal = tenant.ask(requests)
    if (refusal === undefined) pass()
    else refuse(refusal)
  }
  if (requestStream) {
    // Each message is a question of its own.
    const onReceiveMessage: OnMessage = (message, next) => ask(1, () => next(message))
    return from(peer, new ServerInterceptingCall(call, { start: (next) => next({ onReceiveMessage }) }))
  }
  // What is not read of a stream has a bound of its own, in stream.ts.
  if (responseStream) return from(peer, new ServerInterceptingCall(call))
  return from(
    peer,
    new ServerInterceptingCall(call, {
      start: (next) => {
        if (isBatch) {
          return next({ onReceiveMessage: (message, pass) => ask(requestsOfBatch(message), () => pass(message)) })
        }
        if (!PAGED.test(path)) return next()
        next({
          onReceiveHalfClose: (begin) => {
            leavePages = pages.enter(begin).leave
          },
        })
      },
      sendMessage: (message, next) => {
        next(message)
        account.add(stream.writableLength)
        own?.add(stream.writableLength)
        counted += stream.writableLength
      },
    }),
  )
}

type OnMessage = NonNullable<ServerListener['onReceiveMessage']>

/** gRPC keeps who calls in the context of the call; grpc-js would say there only what it knows of TLS itself. */
function from(peer: Peer, call: ServerInterceptingCall): ServerInterceptingCall {
  const context: PeerContext = { peer }
  call.getAuthContext = () => context
  return call
}

const MORE_THAN_ONE = fail('INVALID_FIELD', 'request: more than one message.', { field: 'request' })

/** grpc-js tells nobody which stream a call came on. If it kept it elsewhere, a test would find that there is no bound. */
function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream | undefined {
  return 'stream' in call && isHttp2Stream(call.stream) ? call.stream : undefined
}

function isHttp2Stream(value: unknown): value is ServerHttp2Stream {
  return value instanceof Duplex && 'session' in value
}
