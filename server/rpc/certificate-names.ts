import { type Element, elementsOf, within } from './der.ts'

/**
 * The names that a certificate (RFC 5280) is for, read from its own bytes. Node tells them as one text, in which a name with
 * a comma, a quote or a NUL in it has looked like two more than once.
 */
export interface Names {
  /** Of the subject alternative names, in their order, each byte as one character. */
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
  /** Of the subject. undefined: in a form that is not read. */
  readonly commonNames: readonly (string | undefined)[]
}

const SEQUENCE = 0x30
const SET = 0x31
const OBJECT_ID = 0x06
const OCTET_STRING = 0x04
/** UTF8String, PrintableString, IA5String: where it is ASCII each is what it looks like. */
const STRINGS: readonly number[] = [0x0c, 0x13, 0x16]

/** Of the certificate's fields. */
const VERSION = 0xa0
const EXTENSIONS = 0xa3
const SUBJECT = 4
/** Of the alternative names. */
const DNS_NAME = 0x82
const URI = 0x86

const COMMON_NAME = '550403'
const ALTERNATIVE_NAMES = '551d11'

/** undefined: it is not made as a certificate should be, so that others might read it in another way. */
export function namesOf(certificate: Uint8Array): Names | undefined {
  const [outer, ...more] = elementsOf(certificate) ?? []
  const [body] = within(outer, SEQUENCE) ?? []
  const fields = within(body, SEQUENCE)
  if (fields === undefined || more.length > 0) return undefined
  const commonNames = commonNamesOf(fields[fields[0]?.tag === VERSION ? SUBJECT + 1 : SUBJECT])
  const alternative = alternativeNamesOf(fields.filter(({ tag }) => tag === EXTENSIONS))
  if (commonNames === undefined || alternative === undefined) return undefined
  const named = (kind: number) => alternative.filter(({ tag }) => tag === kind).map(({ content }) => text(content))
  return { uris: named(URI), dnsNames: named(DNS_NAME), commonNames }
}

function commonNamesOf(subject: Element | undefined): Names['commonNames'] | undefined {
  const sets = within(subject, SEQUENCE)?.map((set) => within(set, SET))
  if (sets === undefined) return undefined
  const names: (string | undefined)[] = []
  for (const attributes of sets) {
    if (attributes === undefined) return undefined
    for (const attribute of attributes) {
      const [type, value, ...more] = within(attribute, SEQUENCE) ?? []
      if (type?.tag !== OBJECT_ID || value === undefined || more.length > 0) return undefined
      if (hex(type.content) === COMMON_NAME) names.push(STRINGS.includes(value.tag) ? text(value.content) : undefined)
    }
  }
  return names
}

/** Each with the tag of its kind. None where there is no such extension; undefined where there are two. */
function alternativeNamesOf([outer, ...more]: readonly Element[]): readonly Element[] | undefined {
  if (outer === undefined) return []
  const [list, ...others] = elementsOf(outer.content) ?? []
  const extensions = within(list, SEQUENCE)?.map((extension) => within(extension, SEQUENCE))
  if (extensions === undefined || more.length > 0 || others.length > 0) return undefined
  const found: (Element | undefined)[] = []
  for (const extension of extensions) {
    const [type] = extension ?? []
    if (type?.tag !== OBJECT_ID) return undefined
    // Between the two may stand whether it is critical.
    if (hex(type.content) === ALTERNATIVE_NAMES) found.push(extension?.at(-1))
  }
  if (found.length === 0) return []
  const [value] = found
  const [names, ...rest] = (value?.tag === OCTET_STRING ? elementsOf(value.content) : undefined) ?? []
  return found.length === 1 && rest.length === 0 ? within(names, SEQUENCE) : undefined
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
