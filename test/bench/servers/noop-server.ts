import { fileURLToPath } from 'node:url'
import { loadPackageDefinition, Server, ServerCredentials, type ServiceClientConstructor } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

/**
 * The least that a grpc-js server can do, as its documentation writes it: Allocate, and a Batch of them, with the daemon's own
 * messages, answered at once and always the same. A process of its own, which says `ready ADDRESS`.
 */

const protos = fileURLToPath(new URL('../../../proto', import.meta.url))
const definition = loadSync('ioasid/v1/ioasid_service.proto', {
  includeDirs: [protos],
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
})
const v1 = (loadPackageDefinition(definition)['ioasid'] as { v1: { IoasidService: ServiceClientConstructor } }).v1

const server = new Server()
const ALLOCATED = { ioasids: [123_456], revision: '123456' }
type Answer = (error: null, response: object) => void
server.addService(v1.IoasidService.service, {
  Allocate: (_call: unknown, answer: Answer) => answer(null, ALLOCATED),
  Batch: ({ request }: { readonly request: { readonly items: readonly unknown[] } }, answer: Answer) =>
    answer(null, { results: request.items.map(() => ({ allocate: ALLOCATED })) }),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  console.log(`ready 127.0.0.1:${port}`)
})
