import { packageDefinition } from '../../proto/load.ts'

/**
 * Whether bytes are a message at all. The loader's decoder does not ask: it cuts a text that ends beyond its message, lets
 * one inside another run on into what follows, and reads a field as its own type whatever was written there. Then what was
 * cut off on its way would be carried out as something else.
 */

/** The fields of a message by number. */
type WireForm = ReadonlyMap<number, FieldForm>

interface FieldForm {
  readonly wires: readonly number[]
  /** The message that it holds. */
  readonly inner: WireForm | undefined
}

const VARINT = 0
const FIXED64 = 1
const LENGTH_DELIMITED = 2
const FIXED32 = 5

const MAX_VARINT_BYTES = 10

const PACKAGE = 'ioasid.v1'

/** What is known of a field, as a FieldDescriptorProto says it. Requests have no other fixed-width fields. */
interface FieldDescriptor {
  readonly number: number
  readonly type: string
  readonly label: string
  readonly typeName: string
}

/** Of a message's descriptor; what it holds is of our own package. */
export function wireFormOf(descriptor: object): WireForm {
  const { field } = descriptor as { readonly field: readonly FieldDescriptor[] }
  return new Map(field.map((each) => [each.number, fieldForm(each)]))
}

function fieldForm({ type, label, typeName }: FieldDescriptor): FieldForm {
  if (type === 'TYPE_MESSAGE') return { wires: [LENGTH_DELIMITED], inner: wireFormOf(descriptorOf(typeName)) }
  if (type === 'TYPE_STRING' || type === 'TYPE_BYTES') return { wires: [LENGTH_DELIMITED], inner: undefined }
  // Repeated numbers come packed or one by one.
  return { wires: label === 'LABEL_REPEATED' ? [VARINT, LENGTH_DELIMITED] : [VARINT], inner: undefined }
}

function descriptorOf(typeName: string): object {
  // Relative to where it is named, or with a dot in front.
  const definition = packageDefinition[typeName.replace(/^\./, '')] ?? packageDefinition[`${PACKAGE}.${typeName}`]
  if (definition === undefined || !('type' in definition)) throw new Error(`${typeName} is not a message`)
  return definition.type
}

/** Whether the bytes from `start` to `end` are fields to the last, those that are known of the type that they should be. */
export function isWellFormed(bytes: Uint8Array, form: WireForm, start = 0, end = bytes.length): boolean {
  let at = start
  /** NaN: there is none. */
  const varint = () => {
    let value = 0
    let unit = 1
    for (let index = 0; index < MAX_VARINT_BYTES && at < end; index++) {
      const byte = bytes[at++] ?? 0
      value += (byte % 128) * unit
      if (byte < 128) return value
      unit *= 128
    }
    return Number.NaN
  }
  while (at < end) {
    const tag = varint()
    const wire = tag % 8
    const field = form.get(Math.floor(tag / 8))
    if (!(tag >= 8) || field?.wires.includes(wire) === false) return false
    if (wire === VARINT) {
      if (Number.isNaN(varint())) return false
    } else if (wire === FIXED64) at += 8
    else if (wire === FIXED32) at += 4
    else if (wire === LENGTH_DELIMITED) {
      const length = varint()
      if (!(length <= end - at)) return false
      if (field?.inner !== undefined && !isWellFormed(bytes, field.inner, at, at + length)) return false
      at += length
    } else return false
  }
  return at === end
}
