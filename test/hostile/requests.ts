import { deflateSync, gzipSync } from 'node:zlib'
import { status } from '@grpc/grpc-js'
import type { Random } from '../simulation/random.ts'
import { grpcMessage } from './frames.ts'
import { badMessage } from './messages.ts'
import type { RpcMethod } from './methods.ts'
import { pickWeighted, type Weighted } from './weighted.ts'
import type { World } from './world.ts'

/** A request of HTTP/2 as it is sent, good or bad, and what it may be answered with. */
export interface BadRequest {
  readonly kind: string
  readonly method: RpcMethod
  readonly path: string
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  /** Framed; undefined: HEADERS alone. */
  readonly body: Buffer | undefined
  /** Sent by grpc-js, which frames it itself; else by hand. */
  readonly message: Buffer | undefined
  /** false: the peer stops there, so no answer is to be expected. */
  readonly isEnded: boolean
  /** gRPC statuses; undefined: any that the daemon thought of. */
  readonly expect: readonly number[] | undefined
  /** The answer is one of HTTP, by the specification of gRPC, or a reset stream. */
  readonly isHttp?: boolean
}

const MIB = 1024 * 1024
/** Many members, each of which grows a thousandfold: 4 MiB that would be 4 GiB. */
const member = gzipSync(Buffer.alloc(MIB))
const BOMBS: readonly (readonly [encoding: string, bytes: Buffer])[] = [
  ['gzip', gzipSync(Buffer.alloc(5 * MIB))],
  ['gzip', gzipSync(Buffer.alloc(64 * MIB))],
  ['gzip', Buffer.concat(Array.from({ length: Math.floor((4 * MIB) / member.length) }, () => member))],
  ['deflate', deflateSync(Buffer.alloc(64 * MIB))],
]
const TIMEOUTS = ['', 'abc', '-1S', '1', '1X', '0n', '1u', '99999999H', '999999999S', '1.5S', '٣S', '100000000000m']
const PATHS = [
  '/',
  '*',
  '/ioasid.v1.SetService',
  '/ioasid.v1.SetService/',
  '/ioasid.v1.SetService/createset',
  '/../../etc/passwd',
]
const ODD_PATHS = [
  ...PATHS,
  '/x/%00',
  '/é/ÿ',
  `/${'x'.repeat(8000)}`,
  '/ioasid.v1.SetService/CreateSet?x',
  '//',
  '/__proto__',
  '/constructor',
]
const CONTENT_TYPES = ['text/html', 'application/json', '', 'application/grp', 'application/xml; application/grpc']
const ENCODINGS = ['br', 'snappy', 'zstd', 'x'.repeat(1000), 'gzip, deflate']

type Change = (random: Random, plain: BadRequest, message: Buffer) => BadRequest

const withHeaders = (plain: BadRequest, headers: BadRequest['headers']) => ({ ...plain.headers, ...headers })
const body = (plain: BadRequest, bytes: Buffer, rest: Partial<BadRequest> = {}): BadRequest => ({
  ...plain,
  expect: undefined,
  ...rest,
  body: bytes,
})

/** Each changes how a message is sent, with how often it is taken. */
const CHANGES: readonly Weighted<Change>[] = [
  ['head that says more', 5, (random, plain, m) => body(plain, grpcMessage(m, 0, m.length + random.between(1, 1000)))],
  ['head that says less', 5, (_, plain, m) => body(plain, grpcMessage(m, 0, Math.floor(m.length / 2)))],
  [
    'head beyond the limit',
    4,
    (random, plain, m) => {
      const length = random.pick([4 * MIB + 1, 2 ** 31, 2 ** 32 - 1])
      return body(plain, grpcMessage(m, 0, length), { expect: [status.RESOURCE_EXHAUSTED] })
    },
  ],
  ['half a head', 3, (random, plain) => body(plain, Buffer.alloc(random.below(5)))],
  ['odd flag', 4, (random, plain, m) => body(plain, grpcMessage(m, random.between(1, 255)))],
  ['two messages', 4, (_, plain, m) => body(plain, Buffer.concat([grpcMessage(m), grpcMessage(m)]))],
  [
    'compressed garbage',
    4,
    (random, plain, m) =>
      body(plain, grpcMessage(m, 1), {
        headers: withHeaders(plain, { 'grpc-encoding': random.pick(['gzip', 'deflate']) }),
      }),
  ],
  [
    'cut gzip',
    3,
    (random, plain, m) => {
      const zipped = gzipSync(m)
      const cut = grpcMessage(zipped.subarray(0, random.below(zipped.length)), 1)
      return body(plain, cut, { headers: withHeaders(plain, { 'grpc-encoding': 'gzip' }) })
    },
  ],
  [
    'gzip',
    5,
    (_, plain, m) => ({
      ...plain,
      body: grpcMessage(gzipSync(m), 1),
      headers: withHeaders(plain, { 'grpc-encoding': 'gzip' }),
    }),
  ],
  [
    'unknown encoding',
    4,
    (random, plain, m) =>
      body(plain, grpcMessage(m, 1), {
        headers: withHeaders(plain, { 'grpc-encoding': random.pick(ENCODINGS) }),
        expect: [status.UNIMPLEMENTED],
      }),
  ],
  [
    'bomb',
    1,
    (random, plain) => {
      const [encoding, bytes] = random.pick(BOMBS)
      const headers = withHeaders(plain, { 'grpc-encoding': encoding })
      return body(plain, grpcMessage(bytes, 1), { headers, expect: [status.RESOURCE_EXHAUSTED] })
    },
  ],
  [
    'content-type',
    4,
    (random, plain) => ({
      ...plain,
      isHttp: true,
      headers: withHeaders(plain, { 'content-type': random.pick(CONTENT_TYPES) }),
    }),
  ],
  [
    'path',
    5,
    (random, plain) => ({ ...plain, path: random.pick(ODD_PATHS), isHttp: true, expect: [status.UNIMPLEMENTED] }),
  ],
  ['no te', 2, (_, plain) => ({ ...plain, headers: { 'content-type': 'application/grpc' } })],
  [
    'timeout',
    6,
    (random, plain) => ({
      ...plain,
      expect: undefined,
      isHttp: true,
      headers: withHeaders(plain, { 'grpc-timeout': random.pick(TIMEOUTS) }),
    }),
  ],
  [
    'huge metadata',
    2,
    (random, plain) => ({
      ...plain,
      expect: undefined,
      isHttp: true,
      headers: withHeaders(plain, { 'x-huge': 'x'.repeat(random.pick([8000, 60_000, 70_000])) }),
    }),
  ],
  [
    'many headers',
    2,
    (random, plain) => {
      const many = Array.from({ length: random.pick([50, 200]) }, (_, index) => [`x-${index}`, `${index}`])
      return { ...plain, expect: undefined, isHttp: true, headers: withHeaders(plain, Object.fromEntries(many)) }
    },
  ],
  [
    'odd metadata',
    3,
    (random, plain) => ({
      ...plain,
      isHttp: true,
      headers: withHeaders(plain, {
        'x-bin': random.pick(['%%%', '', 'AA', 'é']),
        'grpc-status': '0',
        'grpc-message': '%',
      }),
    }),
  ],
  ['no body', 3, (_, plain) => ({ ...plain, expect: undefined, body: undefined })],
  [
    'no end',
    4,
    (random, plain, m) => ({
      ...plain,
      body: grpcMessage(m, 0, m.length + random.below(2)),
      isEnded: false,
      expect: undefined,
    }),
  ],
  [
    'GET',
    2,
    (random, plain) => ({
      ...plain,
      isHttp: true,
      headers: withHeaders(plain, { ':method': random.pick(['GET', 'PUT', 'OPTIONS']) }),
    }),
  ],
]
/** In a hundred: sent by grpc-js as it is; by hand, but as grpc-js would; else one of the changes. */
const BY_GRPC_JS = 45
const BY_HAND = 20

export function badRequest(random: Random, world: World): BadRequest {
  const { method, kind, bytes, expect } = badMessage(random, world)
  const headers = { 'content-type': 'application/grpc', te: 'trailers' }
  const framed = grpcMessage(bytes)
  const plain = { kind, method, path: method.path, headers, body: framed, message: undefined, isEnded: true, expect }
  const way = random.below(100)
  if (way < BY_GRPC_JS) return { ...plain, message: bytes }
  if (way < BY_GRPC_JS + BY_HAND) return plain
  const [name, , change] = pickWeighted(random, CHANGES)
  // What is oversized is refused for that, in whatever it comes.
  if (kind === 'oversized') return plain
  return { ...change(random, plain, bytes), kind: `${name} (${kind})` }
}
