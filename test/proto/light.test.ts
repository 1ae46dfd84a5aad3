import type { ServiceDefinition } from '@grpc/grpc-js'
import type { MessageTypeDefinition } from '@grpc/proto-loader'
import protobuf from 'protobufjs/light.js'
import { describe, expect, it } from 'vitest'
import { DEFINITIONS } from '../../proto/gen/definitions.ts'
import { messageCodec, serviceCalls } from '../../proto/light.ts'
import { packageDefinition } from '../../proto/load.ts'
import type { MessageName, ServiceName } from '../../proto/names.ts'

/** The largest of each kind, and what is easily mangled. */
const SCALARS: Readonly<Record<string, unknown>> = {
  bool: true,
  bytes: Buffer.from([0, 255, 128]),
  int32: -2_147_483_648,
  int64: '-9223372036854775808',
  string: 'ä\u0000€😀',
  uint32: 4_294_967_295,
  uint64: '18446744073709551615',
}

function sample({ resolvedType, type }: protobuf.Field): unknown {
  if (resolvedType instanceof protobuf.Enum) return Object.keys(resolvedType.values).at(-1)
  return resolvedType ? filled(resolvedType) : SCALARS[type]
}

/** A message whose every field has a value, that of a list two. */
function filled(type: protobuf.Type): object {
  const fields = type.fieldsArray.map((field): [string, unknown] => {
    const value = sample(field)
    if (field.map) return [field.name, { one: value, two: value }]
    return [field.name, field.repeated ? [value, value] : value]
  })
  return Object.fromEntries(fields)
}

const root = protobuf.Root.fromJSON(JSON.parse(DEFINITIONS)).resolveAll()
const definitions = Object.entries(packageDefinition)
const messages = definitions.filter(
  (entry): entry is [MessageName & string, MessageTypeDefinition<object, object>] => 'serialize' in entry[1],
)
function loadedOf(name: MessageName): MessageTypeDefinition<object, object> {
  const [, found] = messages.find(([each]) => each === name) ?? []
  if (found === undefined) throw new Error(`${name} is no message`)
  return found
}

const services = definitions.flatMap(([name, definition]) =>
  'format' in definition ? [] : [[name as ServiceName, definition as ServiceDefinition] as const],
)

describe('what a client loads', () => {
  it.each(messages)('turns %s into the same bytes as proto-loader, and back', (name, loaded) => {
    const codec = messageCodec(name)
    for (const message of [filled(root.lookupType(name)), {}]) {
      const bytes = loaded.serialize(message)
      expect(codec.serialize(message as never).equals(bytes)).toBe(true)
      expect(codec.deserialize(bytes)).toEqual(loaded.deserialize(bytes))
    }
  })

  it.each([
    ...[0, 1, 127, 128, 2 ** 14, 2 ** 28, 2 ** 32, 2 ** 49 - 1, 2 ** 49, 2 ** 53 - 1, 2 ** 53].map(String),
    '9007199254740993',
    '18446744073709551615',
  ])('reads and writes the 64-bit number %s as proto-loader does', (revision) => {
    const message = { ioasids: [7], revision }
    const bytes = loadedOf('ioasid.v1.AllocateResponse').serialize(message)
    const codec = messageCodec('ioasid.v1.AllocateResponse')
    expect(codec.serialize(message).equals(bytes)).toBe(true)
    expect(codec.deserialize(bytes)).toEqual(message)
  })

  it('refuses a 64-bit number that does not end', () => {
    const { deserialize } = messageCodec('ioasid.v1.AllocateResponse')
    for (const bytes of [[16], [16, 200], [16, ...Array.from({ length: 10 }, () => 200)]]) {
      expect(() => deserialize(Buffer.from(bytes))).toThrow()
    }
  })

  it.each(services)('calls the methods of %s by the paths and with the messages of proto-loader', (name, loaded) => {
    const calls = Object.entries<ServiceDefinition[string]>(serviceCalls(name) as never)
    expect(calls.map(([method]) => method)).toEqual(Object.keys(loaded))
    const service = root.lookupService(name)
    for (const { name: method, requestType, responseType } of service.methodsArray) {
      const call = calls.find(([each]) => each === method)?.[1]
      const request = filled(service.lookupType(requestType))
      const bytes = loaded[method]?.responseSerialize(filled(service.lookupType(responseType))) ?? Buffer.alloc(0)
      expect(call?.path).toBe(loaded[method]?.path)
      expect(call?.requestSerialize(request)).toEqual(loaded[method]?.requestSerialize(request))
      expect(call?.responseDeserialize(bytes)).toEqual(loaded[method]?.responseDeserialize(bytes))
    }
  })
})
