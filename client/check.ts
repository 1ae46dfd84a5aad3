import { setMaxListeners } from 'node:events'
import { invalidField } from './errors.ts'
import { FORBIDDEN, MAX_DATA_BYTES, MAX_NAME_BYTES, MAX_UINT32, MAX_UINT64 } from './limits.ts'
import { freshUuid } from './uuid.ts'

/**
 * The form of what a caller gives. The loader would turn -1 into 4294967295, 1.7 into 1 and 'abc' into 0 without a word,
 * and drop what it does not know; here it is refused as the daemon would refuse it, before anything is sent. What depends
 * on the state of the space (is there such an id, such a set) is left to the daemon, and so is what it refuses for another
 * reason than INVALID_FIELD.
 */

/** Turns a caller's value into the wire's, or refuses it by the name of its field in the proto. */
export type Check<Value, Wire> = (field: string, value: Value) => Wire

const MAX_REQUEST_ID_BYTES = 64

/** A request is an object, and holds nothing but what it may hold. */
export function check<Request extends object>(request: Request, known: readonly (keyof Request & string)[]): void {
  if (typeof request !== 'object' || request === null)
    throw invalidField('request', `${show(request)}; an object is wanted.`)
  const unknown = Object.keys(request).find((key) => !known.some((name) => name === key))
  if (unknown !== undefined) throw invalidField(unknown, `not known; ${known.join(', ')} are.`)
}

/** What goes to the wire for a field that may be absent. */
export function given<Name extends string, Value, Wire>(
  name: Name,
  value: Value | undefined,
  checkValue: Check<Value, Wire>,
): { [Key in Name]?: Wire } {
  const found: { [Key in Name]?: Wire } = {}
  if (value !== undefined) found[name] = checkValue(name, value)
  return found
}

export function wholeNumber(min: number, max: number): Check<number, number> {
  return (field, value) => {
    if (Number.isInteger(value) && value >= min && value <= max) return value
    throw invalidField(field, `${show(value)}; a whole number from ${min} to ${max} is wanted.`)
  }
}

export const uint32 = wholeNumber(0, MAX_UINT32)

/** Of a call, in ms, up to 24 h. */
export const deadlineField = wholeNumber(1, 86_400_000)

/** A revision, a generation. A number is refused: beyond 2^53 it would be another one. */
export const uint64: Check<bigint, string> = (field, value) => {
  if (typeof value === 'bigint' && value >= 0n && value <= MAX_UINT64) return value.toString()
  throw invalidField(field, `${show(value)}; a bigint from 0 to 18446744073709551615 is wanted.`)
}

/** A token, a prefix, a device, a request_id; it may be empty. */
function text(maxBytes: number): Check<string, string> {
  return (field, value) => {
    if (typeof value !== 'string') throw invalidField(field, `${show(value)}; a text is wanted.`)
    const bytes = Buffer.byteLength(value)
    if (bytes > maxBytes) throw invalidField(field, `${bytes} bytes long; at most ${maxBytes} are allowed.`)
    if (FORBIDDEN.test(value)) {
      throw invalidField(field, 'holds a control character, a line separator, or what is not UTF-8.')
    }
    return value
  }
}

export const name = text(MAX_NAME_BYTES)

/** A name that must be one. */
export const token: Check<string, string> = (field, value) => {
  if (value === '') throw invalidField(field, 'empty; an anonymous set is found by its handle.')
  return name(field, value)
}

/** A capability. It is never part of a message, wrong or not. */
export const handle: Check<string, string> = (field, value) => {
  if (typeof value !== 'string') throw invalidField(field, `a ${typeof value}; a handle is a text.`)
  if (value === '') throw invalidField(field, 'missing.')
  return value
}

export const bytes: Check<Uint8Array, Uint8Array> = (field, value) => {
  if (!(value instanceof Uint8Array)) throw invalidField(field, `a ${typeof value}; a Uint8Array is wanted.`)
  // A copy: it is sent later, and again, whatever the caller does with his.
  if (value.length >= 1 && value.length <= MAX_DATA_BYTES) return new Uint8Array(value)
  throw invalidField(field, `${value.length} bytes long; 1 to ${MAX_DATA_BYTES} are allowed.`)
}

export const flag: Check<boolean, boolean> = (field, value) => {
  if (typeof value === 'boolean') return value
  throw invalidField(field, `${show(value)}; true or false is wanted.`)
}

/** What is no signal would be found out inside grpc-js, where an exception ends the process. */
export const abortSignal: Check<AbortSignal, AbortSignal> = (field, value) => {
  if (value instanceof AbortSignal) {
    // Each call that waits listens to it, and Node takes more than ten listeners for a leak.
    setMaxListeners(0, value)
    return value
  }
  throw invalidField(field, `${show(value)}; an AbortSignal is wanted.`)
}

export function listOf<Value, Wire>(
  min: number,
  max: number,
  item: Check<Value, Wire>,
): Check<readonly Value[], Wire[]> {
  return (field, values) => {
    if (!Array.isArray(values)) throw invalidField(field, `${show(values)}; a list is wanted.`)
    if (values.length < min || values.length > max) {
      throw invalidField(field, `${values.length} of them; ${min} to ${max} are allowed.`)
    }
    // A hole in the array is a value too, which map would pass over.
    return Array.from(values, (value, index) => item(`${field}[${index}]`, value))
  }
}

export function oneOf<Choice extends string>(choices: readonly Choice[]): Check<Choice, Choice> {
  return (field, value) => {
    if (choices.includes(value)) return value
    throw invalidField(field, `${show(value)}; ${choices.join(', ')} are known.`)
  }
}

/** Made once for each changing request, so that each attempt of it has the same one. */
export function requestId(value: string | undefined): string {
  if (value === undefined) return freshUuid()
  return text(MAX_REQUEST_ID_BYTES)('request_id', value)
}

function show(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, 40)}'`
  if (typeof value === 'bigint') return `${value}n`
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}
