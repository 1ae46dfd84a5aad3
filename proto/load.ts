import { readFileSync } from 'node:fs'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { fromJSON, type MessageTypeDefinition, type Options, type PackageDefinition } from '@grpc/proto-loader'
import { DEFINITIONS } from './gen/definitions.ts'
import type { Root } from './gen/root.ts'

/**
 * How messages look in JavaScript: fields keep their proto names, 64-bit numbers and enum values are strings, absent
 * scalars have their default, absent messages are null, and each oneof is also a field that names its present member.
 * generate.mjs makes the types with the same options.
 */
export const LOADER_OPTIONS = {
  keepCase: true,
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
} as const satisfies Options

/** All definitions below proto/, by full name. */
export const packageDefinition: PackageDefinition = fromJSON(JSON.parse(DEFINITIONS), LOADER_OPTIONS)

type AnyService = { service: ServiceDefinition }
type AnyMessage = MessageTypeDefinition<never, unknown>

/** The full names of all definitions of one kind: 'ioasid.v1.SetService'. */
type NamesOf<Kind, Tree = Root, Prefix extends string = ''> = {
  [Key in keyof Tree & string]: Tree[Key] extends Kind
    ? `${Prefix}${Key}`
    : Tree[Key] extends AnyService | { fileDescriptorProtos: unknown }
      ? never
      : NamesOf<Kind, Tree[Key], `${Prefix}${Key}.`>
}[keyof Tree & string]

type At<Name extends string, Tree = Root> = Name extends `${infer Head}.${infer Rest}`
  ? Head extends keyof Tree
    ? At<Rest, Tree[Head]>
    : never
  : Name extends keyof Tree
    ? Tree[Name]
    : never

export type ServiceName = NamesOf<AnyService>
export type MessageName = NamesOf<AnyMessage>

/** The definition of a service by its full name, for a server's `addService` and for a client's calls. */
export function serviceDefinition<Name extends ServiceName>(name: Name) {
  const definition = packageDefinition[name]
  if (definition === undefined || 'format' in definition) throw new Error(`${name} is not a service`)
  // The types come from the same files by the same options, which the loader's own types cannot know.
  return definition as unknown as At<Name> extends { service: infer Service } ? Service : never
}

/** Bytes to and from one message type by its full name, for messages that travel inside others or are encoded once. */
export type MessageCodec<Input, Output> = {
  serialize: (message: Input) => Buffer
  /** Throws on bytes that are no such message. */
  deserialize: (bytes: Buffer) => Output
}

/**
 * The codec of a message by its full name. Like all of proto-loader it turns wrong values into others in silence
 * (-1 becomes 4294967295, unknown keys are dropped): check before.
 */
export function messageCodec<Name extends MessageName>(name: Name) {
  const definition = packageDefinition[name]
  if (definition === undefined || !('serialize' in definition)) throw new Error(`${name} is not a message`)
  const { serialize, deserialize } = definition
  return { serialize, deserialize } as At<Name> extends MessageTypeDefinition<infer Input, infer Output>
    ? MessageCodec<Input, Output>
    : never
}

/** A serialised google.protobuf.FileDescriptorSet of all definitions with their imports, for server reflection. */
export function readDescriptorSet(): Buffer {
  return readFileSync(new URL('gen/descriptor-set.binpb', import.meta.url))
}
