import { makeClient } from '../../client/client.ts'
import type { Transport } from '../../client/transport.ts'
import { fakeTransport } from './fake-transport.ts'
import { grpcError } from './grpc-error.ts'
import { manualClock } from './manual-clock.ts'

export interface Seen {
  readonly path: string
  readonly request: Record<string, unknown>
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Answers it. */
  readonly answer: (response: object | Error) => void
}

/** A client whose RPCs wait until the test answers them. */
export function setUp(settings: Parameters<typeof makeClient>[2] = {}) {
  const manual = manualClock(1)
  const rpcs: Seen[] = []
  const signals: (AbortSignal | undefined)[] = []
  const fake = fakeTransport(
    (path, request, timeoutMs) =>
      new Promise((resolve, reject) => {
        const answer = (response: object | Error) => (response instanceof Error ? reject(response) : resolve(response))
        const signal = signals.at(-1)
        signal?.addEventListener('abort', () => reject(grpcError('CANCELLED')))
        rpcs.push({ path: path.slice(path.lastIndexOf('/') + 1), request, timeoutMs, signal, answer })
      }),
  )
  const transport: Transport = {
    ...fake.transport,
    unary: (method, request, limits) => {
      signals.push(limits.signal)
      return fake.transport.unary(method, request, limits)
    },
  }
  const client = makeClient(() => transport, manual.clock, settings)
  const rpc = (index: number): Seen => {
    const found = rpcs[index]
    if (found === undefined) throw new Error(`only ${rpcs.length} RPCs were made`)
    return found
  }
  return { client, ...manual, rpcs, rpc, names: () => rpcs.map(({ path }) => path) }
}
