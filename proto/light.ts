import protobuf from 'protobufjs/light.js'
import { DEFINITIONS } from './gen/definitions.ts'
import { CONVERSION, type Codec, type MessageName, type Service, type ServiceName } from './names.ts'

/**
 * What a client needs of the definitions, made from them by the library that proto-loader is made from, and as it does it
 * (a test compares the two). proto-loader itself also describes each message for reflection, 50 ms that every command of
 * ioasidctl would wait for. The daemon has it, since grpc-js wants whole definitions of it: load.ts.
 */
const root = protobuf.Root.fromJSON(JSON.parse(DEFINITIONS)).resolveAll()

/** What a caller needs of each method of a service. */
type Calls<Methods> = {
  readonly [Name in keyof Methods]: Pick<
    Methods[Name],
    keyof Methods[Name] & ('path' | 'requestSerialize' | 'responseDeserialize')
  >
}

/** Reads as a number what one can hold of 64 bits: it becomes a text in a tenth of the time. */
class DirectReader extends protobuf.BufferReader {
  override uint64(): ReturnType<protobuf.Reader['uint64']> {
    const begin = this.pos
    let value = 0
    for (let unit = 1; unit < 2 ** 49; unit *= 128) {
      const byte = this.buf[this.pos++] ?? 128
      value += (byte & 127) * unit
      // The library takes both for what its types call a Long.
      if (byte < 128) return value as never
    }
    this.pos = begin
    return super.uint64()
  }
}

function serializer(type: protobuf.Type) {
  return (message: object): Buffer => {
    const bytes = type.encode(type.fromObject(message)).finish()
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }
}

function deserializer(type: protobuf.Type) {
  return (bytes: Buffer): unknown => type.toObject(type.decode(new DirectReader(bytes)), CONVERSION)
}

/** The methods of a service by its full name, for a client's calls. */
export function serviceCalls<Name extends ServiceName>(name: Name): Calls<Service<Name>> {
  const service = root.lookupService(name)
  const calls = service.methodsArray.map((method) => {
    const request = service.lookupType(method.requestType)
    const response = service.lookupType(method.responseType)
    const path = `/${name}/${method.name}`
    return [method.name, { path, requestSerialize: serializer(request), responseDeserialize: deserializer(response) }]
  })
  // The types come from the same files by the same options, which the library's own types cannot know.
  return Object.fromEntries(calls) as Calls<Service<Name>>
}

/** The codec of a message by its full name. */
export function messageCodec<Name extends MessageName>(name: Name): Codec<Name> {
  const type = root.lookupType(name)
  return { serialize: serializer(type), deserialize: deserializer(type) } as Codec<Name>
}
