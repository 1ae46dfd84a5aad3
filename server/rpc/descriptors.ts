/**
 * An index of a serialised google.protobuf.FileDescriptorSet, for server reflection, which hands out the files as they
 * are: decoding and encoding them again would lose what the decoder does not know. So only names are read.
 */
export interface Descriptors {
  /** The file of this name and all that it imports, itself first; undefined where there is none. */
  file(name: string): readonly Uint8Array[] | undefined
  /** The same for the file that declares a symbol, given by its full name. */
  fileOf(symbol: string): readonly Uint8Array[] | undefined
  isMessage(symbol: string): boolean
}

interface File {
  readonly bytes: Uint8Array
  readonly imports: readonly string[]
}

/** Numbers of the fields in descriptor.proto that lead to names. Every message there has its own name in field 1. */
const NAME = 1
const SET_FILE = 1
const FILE = { package: 2, dependency: 3, messages: 4, enums: 5, services: 6 }
const MESSAGE = { fields: 2, messages: 3, enums: 4, oneofs: 8 }
const ENUM_VALUES = 2
const SERVICE_METHODS = 2

export function readDescriptors(set: Uint8Array): Descriptors {
  const files = new Map<string, File>()
  const declaredIn = new Map<string, string>()
  const messages = new Set<string>()

  for (const bytes of fieldsOf(set, SET_FILE)) {
    const fileName = textOf(bytes, NAME)
    const declare = (scope: string, symbol: Uint8Array) => {
      const name = scope === '' ? textOf(symbol, NAME) : `${scope}.${textOf(symbol, NAME)}`
      declaredIn.set(name, fileName)
      return name
    }
    const declareEnum = (scope: string, type: Uint8Array) => {
      declare(scope, type)
      // The values of an enum are its siblings.
      for (const value of fieldsOf(type, ENUM_VALUES)) declare(scope, value)
    }
    const declareMessage = (scope: string, type: Uint8Array) => {
      const name = declare(scope, type)
      messages.add(name)
      for (const field of fieldsOf(type, MESSAGE.fields)) declare(name, field)
      for (const oneof of fieldsOf(type, MESSAGE.oneofs)) declare(name, oneof)
      for (const nested of fieldsOf(type, MESSAGE.messages)) declareMessage(name, nested)
      for (const nested of fieldsOf(type, MESSAGE.enums)) declareEnum(name, nested)
    }
    const scope = textOf(bytes, FILE.package)
    for (const type of fieldsOf(bytes, FILE.messages)) declareMessage(scope, type)
    for (const type of fieldsOf(bytes, FILE.enums)) declareEnum(scope, type)
    for (const service of fieldsOf(bytes, FILE.services)) {
      const name = declare(scope, service)
      for (const method of fieldsOf(service, SERVICE_METHODS)) declare(name, method)
    }
    files.set(fileName, { bytes, imports: [...fieldsOf(bytes, FILE.dependency)].map(toText) })
  }

  const withImports = (name: string): readonly Uint8Array[] | undefined => {
    const found = new Map<string, Uint8Array>()
    const visit = (each: string) => {
      const file = files.get(each)
      if (file === undefined || found.has(each)) return
      found.set(each, file.bytes)
      file.imports.forEach(visit)
    }
    visit(name)
    return found.size === 0 ? undefined : [...found.values()]
  }
  return {
    file: withImports,
    fileOf: (symbol) => withImports(declaredIn.get(symbol) ?? ''),
    isMessage: (symbol) => messages.has(symbol),
  }
}

function textOf(message: Uint8Array, number: number): string {
  const [bytes = new Uint8Array()] = fieldsOf(message, number)
  return toText(bytes)
}

function toText(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes)
}

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5

/** The length-delimited values of one field of a message on the wire. The set is of our own build, so it is well formed. */
function* fieldsOf(message: Uint8Array, wanted: number): Generator<Uint8Array> {
  let at = 0
  const varint = () => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]
      if (byte === undefined) throw new Error('the descriptor set ends within a number')
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const wire = tag % 8
    if (wire === VARINT) varint()
    else if (wire === FIXED64) at += 8
    else if (wire === FIXED32) at += 4
    else if (wire === LENGTH_DELIMITED) {
      const length = varint()
      at += length
      if (Math.floor(tag / 8) === wanted) yield message.subarray(at - length, at)
    } else throw new Error(`the descriptor set has a field of wire type ${wire}`)
  }
}
