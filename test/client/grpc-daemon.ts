import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js'
import type { BatchRequest__Output } from '../../proto/gen/ioasid/v1/BatchRequest.ts'
import type { BatchResponse } from '../../proto/gen/ioasid/v1/BatchResponse.ts'
import type { GetStatusResponse } from '../../proto/gen/ioasid/v1/GetStatusResponse.ts'
import type { SubscribeRequest__Output } from '../../proto/gen/ioasid/v1/SubscribeRequest.ts'
import type { SubscribeResponse } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { serviceDefinition } from '../../proto/load.ts'

/** Where a daemon may listen; removed with `remove`. */
export function socketDirectory() {
  const directory = mkdtempSync(join(tmpdir(), 'ioasid-client-'))
  return {
    endpoint: (name: string) => `unix://${join(directory, name)}`,
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

export type StreamCall = ServerWritableStream<SubscribeRequest__Output, SubscribeResponse>

interface Handlers {
  readonly getStatus?: (
    call: ServerUnaryCall<unknown, GetStatusResponse>,
    answer: sendUnaryData<GetStatusResponse>,
  ) => void
  /** What GetStatus answers, whatever that is. */
  readonly statusBytes?: Buffer
  readonly subscribe?: (call: StreamCall) => void
  readonly batch?: (
    call: ServerUnaryCall<BatchRequest__Output, BatchResponse>,
    answer: sendUnaryData<BatchResponse>,
  ) => void
}

/** A grpc-js server that answers GetStatus, Subscribe and Batch as a test likes, on a socket or `host:0`. */
export async function startFake(
  endpoint: string,
  { getStatus, statusBytes, subscribe, batch }: Handlers,
  credentials = ServerCredentials.createInsecure(),
): Promise<{ readonly stop: () => void; readonly port: number }> {
  const server = new Server()
  if (getStatus !== undefined) {
    const { GetStatus } = serviceDefinition('ioasid.v1.AdminService')
    server.addService({ GetStatus }, { GetStatus: getStatus })
  }
  if (statusBytes !== undefined) {
    const { GetStatus } = serviceDefinition('ioasid.v1.AdminService')
    const raw = { ...GetStatus, responseSerialize: () => statusBytes }
    server.addService(
      { GetStatus: raw },
      { GetStatus: (_call: unknown, answer: sendUnaryData<object>) => answer(null, {}) },
    )
  }
  if (subscribe !== undefined) {
    const { Subscribe } = serviceDefinition('ioasid.v1.NotificationService')
    server.addService({ Subscribe }, { Subscribe: subscribe })
  }
  if (batch !== undefined) {
    const { Batch } = serviceDefinition('ioasid.v1.IoasidService')
    server.addService({ Batch }, { Batch: batch })
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(endpoint, credentials, (error, bound) => (error ? reject(error) : resolve(bound)))
  })
  return { stop: () => server.forceShutdown(), port }
}
