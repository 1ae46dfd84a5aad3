import type { ServiceDefinition } from '@grpc/grpc-js'
import type { MessageTypeDefinition } from '@grpc/proto-loader'
import type { Root } from './gen/root.ts'

/** The names of all that is defined below proto/, and the types that generate.mjs made for them. */

/**
 * How messages look in JavaScript: fields keep their proto names, 64-bit numbers and enum values are strings, absent
 * scalars have their default, absent messages are null, and each oneof is also a field that names its present member.
 * generate.mjs makes the types with the same options.
 */
export const CONVERSION = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true } as const

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

/** The methods of a service, as grpc-js wants them. */
export type Service<Name extends ServiceName> = At<Name> extends { service: infer Methods } ? Methods : never

/**
 * Bytes to and from one message type. It turns wrong values into others in silence (-1 becomes 4294967295, unknown keys
 * are dropped): check before.
 */
export type Codec<Name extends MessageName> =
  At<Name> extends MessageTypeDefinition<infer Input, infer Output>
    ? {
        serialize: (message: Input) => Buffer
        /** Throws on bytes that are no such message. */
        deserialize: (bytes: Buffer) => Output
      }
    : never
