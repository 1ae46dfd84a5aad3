import {
  type ServerDuplexStream,
  type ServiceDefinition,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import type { ServerReflectionRequest__Output } from '../../proto/gen/grpc/reflection/v1/ServerReflectionRequest.ts'
import type { ServerReflectionResponse } from '../../proto/gen/grpc/reflection/v1/ServerReflectionResponse.ts'
import { readDescriptorSet, serviceDefinition } from '../../proto/load.ts'
import type { Failure } from '../core/failure.ts'
import { type Descriptors, readDescriptors } from './descriptors.ts'
import { createOpenCalls } from './open-calls.ts'

/** Server reflection, v1 and v1alpha, of which only the names differ. */
export interface Reflection {
  readonly services: readonly {
    readonly name: string
    readonly definition: ServiceDefinition
    readonly implementation: UntypedServiceImplementation
  }[]
  /** Ends the streams that are open. */
  stop(failure: Failure): void
}

const REFLECTION_SERVICES = ['grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'] as const

type Call = ServerDuplexStream<ServerReflectionRequest__Output, ServerReflectionResponse>

/** Of a server that has these services beside reflection itself. */
export function createReflection(services: readonly string[]): Reflection {
  const descriptors = readDescriptors(readDescriptorSet())
  const listed = [...services, ...REFLECTION_SERVICES].sort()
  const open = createOpenCalls<Call>()
  const implementation: UntypedServiceImplementation = {
    ServerReflectionInfo: (call: Call) => {
      open.add(call)
      converse(call, (request) => answer(descriptors, listed, request))
    },
  }
  return {
    services: REFLECTION_SERVICES.map((name) => ({ name, definition: serviceDefinition(name), implementation })),
    stop: open.endAll,
  }
}

type Answer = Omit<ServerReflectionResponse, 'valid_host' | 'original_request'>

/** A peer that asks and does not read gets no further question read. Events, since `for await` would destroy the call. */
function converse(call: Call, reply: (request: ServerReflectionRequest__Output) => Answer): void {
  call.on('data', (request: ServerReflectionRequest__Output) => {
    if (call.write({ valid_host: request.host, original_request: request, ...reply(request) })) return
    call.pause()
    call.once('drain', () => call.resume())
  })
  call.on('end', () => call.end())
}

function answer(
  descriptors: Descriptors,
  services: readonly string[],
  request: ServerReflectionRequest__Output,
): Answer {
  switch (request.message_request ?? 'nothing') {
    case 'file_by_filename':
      return files(descriptors.file(request.file_by_filename ?? ''), 'file')
    case 'file_containing_symbol':
      return files(descriptors.fileOf(request.file_containing_symbol ?? ''), 'symbol')
    case 'all_extension_numbers_of_type': {
      const type = request.all_extension_numbers_of_type ?? ''
      return descriptors.isMessage(type)
        ? { all_extension_numbers_response: { base_type_name: type } }
        : notFound('message')
    }
    case 'file_containing_extension':
      return notFound('extension')
    case 'list_services':
      return { list_services_response: { service: services.map((name) => ({ name })) } }
    case 'nothing':
      return error(status.INVALID_ARGUMENT, 'The question says nothing of what is asked for.')
  }
}

function files(found: readonly Uint8Array[] | undefined, what: string): Answer {
  if (found === undefined) return notFound(what)
  return { file_descriptor_response: { file_descriptor_proto: found.map((bytes) => Buffer.from(bytes)) } }
}

function notFound(what: string): Answer {
  return error(status.NOT_FOUND, `There is no such ${what}.`)
}

function error(code: number, message: string): Answer {
  return { error_response: { error_code: code, error_message: message } }
}
