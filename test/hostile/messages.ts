import { status } from '@grpc/grpc-js'
import type { Random } from '../simulation/random.ts'
import { type Field, isOurs, METHODS, type RpcMethod, requestsOf } from './methods.ts'
import { bytesField, splitFields, tag, varint, varintField, WIRE } from './protobuf.ts'
import { pickWeighted, type Weighted } from './weighted.ts'
import type { World } from './world.ts'

/** A message that a broken or hostile client might send. */
export interface BadMessage {
  readonly method: RpcMethod
  readonly kind: string
  readonly bytes: Buffer
  /** The statuses that it may be answered with, where the rules leave no other; else: any that the daemon thought of. */
  readonly expect: readonly number[] | undefined
}

type Mutate = (random: Random, valid: Buffer, method: RpcMethod) => Mutated | undefined
type Mutated = Buffer | { readonly bytes: Buffer; readonly expect: readonly number[] }

/** What is no message of its method. UNIMPLEMENTED: an RPC that is not there yet. */
const REFUSED = [status.INVALID_ARGUMENT, status.UNIMPLEMENTED]
const MIB = 1024 * 1024
const MAX_MESSAGE_BYTES = 4 * MIB

const NUMBERS = [
  0n,
  1n,
  63n,
  2n ** 20n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n,
  2n ** 53n + 1n,
]
const EXTREMES = [...NUMBERS, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n]
const NOT_UTF8 = ['ff', 'c080', 'eda080', 'f5808080', 'e28c', '61f0288cbc62'].map((hex) => Buffer.from(hex, 'hex'))
const TEXTS = [
  '',
  '\u0000',
  'a\nb',
  '\u2028',
  '\ufffd',
  'x'.repeat(256),
  'x'.repeat(100_000),
  '../../etc',
  '💥'.repeat(64),
  '%s%n',
  '__proto__',
]

const isNumber = ({ type }: Field) => /^TYPE_(U?INT|BOOL)/.test(type)
const isText = ({ type }: Field) => type === 'TYPE_STRING'
const isSized = ({ type }: Field) => /^TYPE_(STRING|BYTES|MESSAGE)$/.test(type)
const isEnum = ({ type }: Field) => type === 'TYPE_ENUM'
const isList = ({ label }: Field) => label === 'LABEL_REPEATED'

function pickField(random: Random, { fields }: RpcMethod, is: (field: Field) => boolean): Field | undefined {
  const found = fields.filter(is)
  return found.length === 0 ? undefined : random.pick(found)
}

function randomBytes(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)))
}

const flip: Mutate = (random, valid) => {
  const bytes = Buffer.from(valid)
  for (let times = random.between(1, 8); times > 0 && bytes.length > 0; times--) {
    const at = random.below(bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8))
  }
  return bytes
}

const shuffle: Mutate = (random, valid) => {
  const fields = splitFields(valid)
  if (fields.length === 0) return undefined
  return Buffer.concat(Array.from({ length: random.between(1, 12) }, () => random.pick(fields)))
}

const wrongWire: Mutate = (random, valid, method) => {
  const field = pickField(random, method, (each) => !isList(each))
  if (field === undefined) return undefined
  const fits = isSized(field) ? WIRE.BYTES : WIRE.VARINT
  const wire = random.pick([WIRE.VARINT, WIRE.FIXED64, WIRE.BYTES, WIRE.FIXED32].filter((each) => each !== fits))
  const zeros = Buffer.alloc(wire === WIRE.FIXED64 ? 8 : 4)
  const content = wire === WIRE.VARINT ? varint(7) : wire === WIRE.BYTES ? bytesField(1, 'A').subarray(1) : zeros
  return { bytes: Buffer.concat([valid, tag(field.number, wire), content]), expect: REFUSED }
}

const group: Mutate = (random, valid) => {
  const depth = random.pick([1, 2, 100, 50_000])
  const open = Buffer.concat(Array.from({ length: depth }, () => tag(random.between(1, 40), WIRE.GROUP)))
  return { bytes: Buffer.concat([valid, random.percent(50) ? open : tag(9, WIRE.END_GROUP)]), expect: REFUSED }
}

const tooLong: Mutate = (random, valid, method) => {
  const number = pickField(random, method, isSized)?.number ?? 100
  const length = random.pick([
    6n,
    127n,
    2n ** 31n - 1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 32n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
  ])
  return { bytes: Buffer.concat([valid, tag(number, WIRE.BYTES), varint(length), Buffer.alloc(5)]), expect: REFUSED }
}

/** Where sets are named by a oneof, which may have its other member already: oneof.test.ts says what holds then. */
const BY_SET_REF = ['GetSet', 'FindBySpid', 'ListIoasids', 'Acquire', 'Release']
const SET_REF = ['set_handle', 'token']

const noUtf8: Mutate = (random, valid, method) => {
  const isAlone = ({ name }: Field) => !BY_SET_REF.includes(method.name) || !SET_REF.includes(name)
  const field = pickField(random, method, (each) => isText(each) && isAlone(each))
  if (field === undefined) return undefined
  return { bytes: Buffer.concat([valid, bytesField(field.number, random.pick(NOT_UTF8))]), expect: REFUSED }
}

const unknownEnum: Mutate = (random, valid, method) => {
  const field = pickField(random, method, isEnum)
  if (field === undefined) return undefined
  return {
    bytes: Buffer.concat([valid, varintField(field.number, random.pick([99n, 2n ** 31n - 1n, 2n ** 64n - 1n]))]),
    expect: REFUSED,
  }
}

const extreme: Mutate = (random, valid, method) => {
  const field = pickField(random, method, isNumber)
  return field && Buffer.concat([valid, varintField(field.number, random.pick(EXTREMES))])
}

const oddText: Mutate = (random, valid, method) => {
  const field = pickField(random, method, isText)
  return field && Buffer.concat([valid, bytesField(field.number, random.pick(TEXTS))])
}

const hugeList: Mutate = (random, valid, method) => {
  const field = pickField(random, method, isList)
  if (field === undefined) return undefined
  const count = random.pick([1025, 65_537, 200_000])
  if (isSized(field))
    return Buffer.concat([valid, ...Array.from({ length: count }, () => bytesField(field.number, 'v'))])
  const numbers = Buffer.concat(Array.from({ length: count }, (_, index) => varint(index)))
  return Buffer.concat([valid, bytesField(field.number, numbers)])
}

const oversized: Mutate = (random, valid) => ({
  bytes: Buffer.concat([valid, bytesField(1000, Buffer.alloc(MAX_MESSAGE_BYTES + random.below(100)))]),
  expect: [status.RESOURCE_EXHAUSTED, status.UNIMPLEMENTED],
})

/** With how often each is taken. */
const MUTATIONS: readonly Weighted<Mutate>[] = [
  ['random bytes', 10, (random) => randomBytes(random, random.pick([0, 1, 2, 8, 64, 1000]))],
  ['flipped bits', 16, flip],
  ['cut', 10, (random, valid) => valid.subarray(0, random.below(valid.length + 1))],
  ['repeated fields', 8, shuffle],
  ['unknown field', 4, (random, valid) => Buffer.concat([valid, bytesField(random.between(50, 2 ** 29 - 1), 'x')])],
  ['wrong wire type', 10, wrongWire],
  ['group', 6, group],
  ['length beyond the message', 8, tooLong],
  ['not UTF-8', 10, noUtf8],
  ['unknown enum number', 6, unknownEnum],
  ['extreme number', 14, extreme],
  ['odd text', 8, oddText],
  ['huge list', 1, hugeList],
  ['oversized', 0.4, oversized],
  ['valid', 6, (_, valid) => valid],
]
export function badMessage(random: Random, world: World): BadMessage {
  const method = random.pick(METHODS)
  const valid = method.serialize(requestsOf(world, random)[method.name] ?? {})
  for (;;) {
    const [kind, , mutate] = pickWeighted(random, MUTATIONS)
    const mutated = mutate(random, valid, method)
    if (mutated === undefined) continue
    const { bytes, expect } = Buffer.isBuffer(mutated) ? { bytes: mutated, expect: undefined } : mutated
    // What Health and reflection make of it is grpc-js's, but for the size.
    const isKnown = isOurs(method) || kind === 'oversized'
    return { method, kind, bytes, expect: isKnown ? expect : undefined }
  }
}
