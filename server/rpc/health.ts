import { Metadata, type ServerWritableStream, type ServiceDefinition, status } from '@grpc/grpc-js'
import type { HealthHandlers } from '../../proto/gen/grpc/health/v1/Health.ts'
import type { HealthCheckRequest__Output } from '../../proto/gen/grpc/health/v1/HealthCheckRequest.ts'
import type { HealthCheckResponse } from '../../proto/gen/grpc/health/v1/HealthCheckResponse.ts'
import { serviceDefinition } from '../../proto/load.ts'
import type { Failure } from '../core/failure.ts'
import { createOpenCalls } from './open-calls.ts'

/** grpc.health.v1.Health for the daemon as a whole, which has the empty name, and for each of its services. */
export interface Health {
  readonly name: string
  readonly definition: ServiceDefinition
  readonly implementation: HealthHandlers
  /** Whether it is well enough to serve: says so to whoever asks and watches. After `stop` it changes nothing. */
  setServing(isServing: boolean): void
  /** Nothing is served from now on: says so to whoever watches, and then ends the watching. */
  stop(failure: Failure): void
}

type Watching = ServerWritableStream<HealthCheckRequest__Output, HealthCheckResponse>

const NAME = 'grpc.health.v1.Health'

export function createHealth(services: readonly string[]): Health {
  const known = new Set(['', ...services])
  const watching = createOpenCalls<Watching>()
  const unread = new WeakSet<Watching>()
  let present: 'SERVING' | 'NOT_SERVING' = 'SERVING'
  let isStopped = false

  /** For one that does not read the latest word waits, and no earlier one. */
  const tell = (call: Watching) => {
    if (!call.writableNeedDrain) return void call.write({ status: present })
    if (unread.has(call)) return
    unread.add(call)
    call.once('drain', () => {
      unread.delete(call)
      call.write({ status: present })
    })
  }
  const change = (next: typeof present) => {
    if (next === present) return
    present = next
    for (const call of watching) {
      if (known.has(call.request.service)) tell(call)
    }
  }

  const implementation: HealthHandlers = {
    Check: ({ request }, callback) => {
      if (known.has(request.service)) return callback(null, { status: present })
      // The name is not repeated: it may be as long as a message, and a status may not.
      callback({ code: status.NOT_FOUND, details: 'There is no such service.', metadata: new Metadata() })
    },
    List: (_, callback) => {
      callback(null, { statuses: Object.fromEntries([...known].map((name) => [name, { status: present }])) })
    },
    Watch: (call) => {
      call.write({ status: known.has(call.request.service) ? present : 'SERVICE_UNKNOWN' })
      watching.add(call)
    },
  }
  return {
    name: NAME,
    definition: serviceDefinition(NAME),
    implementation,
    setServing: (isServing) => {
      if (!isStopped) change(isServing ? 'SERVING' : 'NOT_SERVING')
    },
    stop: (failure) => {
      isStopped = true
      change('NOT_SERVING')
      watching.endAll(failure)
    },
  }
}
