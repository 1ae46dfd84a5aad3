import { readFileSync } from 'node:fs'
import { fromJSON, type PackageDefinition } from '@grpc/proto-loader'
import { DEFINITIONS } from './gen/definitions.ts'
import { CONVERSION, type Codec, type MessageName, type Service, type ServiceName } from './names.ts'

/** All definitions below proto/, by full name. */
export const packageDefinition: PackageDefinition = fromJSON(JSON.parse(DEFINITIONS), CONVERSION)

/** The definition of a service by its full name, for a server's `addService`. */
export function serviceDefinition<Name extends ServiceName>(name: Name): Service<Name> {
  const definition = packageDefinition[name]
  if (definition === undefined || 'format' in definition) throw new Error(`${name} is not a service`)
  // The types come from the same files by the same options, which the loader's own types cannot know.
  return definition as unknown as Service<Name>
}

/** The codec of a message by its full name, for messages that travel inside others or are encoded once. */
export function messageCodec<Name extends MessageName>(name: Name): Codec<Name> {
  const definition = packageDefinition[name]
  if (definition === undefined || !('serialize' in definition)) throw new Error(`${name} is not a message`)
  const { serialize, deserialize } = definition
  return { serialize, deserialize } as Codec<Name>
}

/** A serialised google.protobuf.FileDescriptorSet of all definitions with their imports, for server reflection. */
export function readDescriptorSet(): Buffer {
  return readFileSync(new URL('gen/descriptor-set.binpb', import.meta.url))
}
