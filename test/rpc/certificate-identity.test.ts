import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { identityOf } from '../../server/rpc/certificate-identity.ts'
import { namesOf } from '../../server/rpc/certificate-names.ts'
import { ca, client } from '../support/certificates.ts'
import { leaves } from '../support/fleet-certificates.ts'

const SPIFFE = 'spiffe://example.org/vm-a'

describe('of a certificate made by openssl the identity is', () => {
  it.each([
    ['its SPIFFE id before its other names', leaves.spiffe, SPIFFE],
    ['its first DNS name before its common name, in lower case', leaves.dns, 'dns:host.example'],
    ['its common name where it has no other', client.cert, 'cn:client'],
    ['never what a process on this host has, however it is called', leaves.cn, 'cn:uid:0'],
    ['none when its DNS name has another name within', leaves.commas, ''],
    ['none when its DNS name is a SPIFFE id', leaves.inDns, ''],
    ['none when it has two URIs, one of them a SPIFFE id', leaves.uris, ''],
    ['none when it has no name', leaves.nameless, ''],
    ["none when it is a CA's", ca, ''],
  ])('%s', (_rule, pem, identity) => {
    expect(identityOf(new X509Certificate(pem))).toBe(identity)
  })
})

const SEQUENCE = 0x30
const UTF8 = 0x0c
const DNS = 0x82
const URI = 0x86

function der(tag: number, ...parts: (string | Uint8Array)[]): Buffer {
  const content = Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
  const { length } = content
  const head = length < 0x80 ? [tag, length] : [tag, 0x82, length >> 8, length & 0xff]
  if (length >= 0x80 && length < 0x100) head.splice(1, 3, 0x81, length)
  return Buffer.concat([Buffer.from(head), content])
}

type Name = readonly [kind: number, text: string]

const PUBLIC_KEY = new X509Certificate(client.cert).publicKey.export({ type: 'spki', format: 'der' })
const ALGORITHM = der(SEQUENCE, Buffer.from('06082a8648ce3d040302', 'hex'))

const attribute = ([kind, text]: Name) => {
  return der(0x31, der(SEQUENCE, Buffer.from('0603550403', 'hex'), der(kind, text)))
}
const extension = (names: readonly Name[]) => {
  const list = der(SEQUENCE, ...names.map(([kind, text]) => der(kind, text)))
  return der(SEQUENCE, Buffer.from('0603551d11', 'hex'), der(0x04, list))
}

/** A certificate as no CA would make it. Its signature is nobody's. */
function made({ alternative = [], common = [], extensions = [extension(alternative)] }: Making): Buffer {
  const validity = der(SEQUENCE, der(0x17, '200101000000Z'), der(0x17, '400101000000Z'))
  const subject = der(SEQUENCE, ...common.map(attribute))
  const fields = [der(0xa0, der(2, '\x02')), der(2, '\x01'), ALGORITHM, subject, validity, subject, PUBLIC_KEY]
  const body = der(SEQUENCE, ...fields, der(0xa3, der(SEQUENCE, ...extensions)))
  return der(SEQUENCE, body, ALGORITHM, der(0x03, '\0'))
}

interface Making {
  readonly alternative?: readonly Name[]
  readonly common?: readonly Name[]
  readonly extensions?: readonly Buffer[]
}

const identity = (making: Making) => identityOf(new X509Certificate(made(making)))
/** With a title that fits a line. */
const titled = (text: string) => [JSON.stringify(text).slice(0, 60), text] as const
const OTHERS: Making = { common: [[UTF8, 'other']] }

describe('a URI', () => {
  it.each(
    [
      SPIFFE,
      'spiffe://example.org/ns/kube-system/sa/Default_1.0',
      'spiffe://a/b',
      'spiffe://10.0.0.1/...',
      `spiffe://${'t'.repeat(255)}/a`,
      `spiffe://a/${'p'.repeat(2048 - 11)}`,
    ].map(titled),
  )('that is a SPIFFE id is the identity: %s', (_title, uri) => {
    expect(
      identity({
        ...OTHERS,
        alternative: [
          [DNS, 'host.example'],
          [URI, uri],
        ],
      }),
    ).toBe(uri)
  })

  it.each(
    [
      'spiffe://example.org',
      'spiffe://example.org/',
      'spiffe:///vm-a',
      'spiffe:/example.org/vm-a',
      'spiffe:example.org',
      'spiffe://Example.org/vm-a',
      'SPIFFE://example.org/vm-a',
      'spiffe://example.org:443/vm-a',
      'spiffe://root@example.org/vm-a',
      'spiffe://[::1]/vm-a',
      'spiffe://example.org/vm-a?x=1',
      'spiffe://example.org/vm-a#x',
      'spiffe://example.org/vm-a/',
      'spiffe://example.org//vm-a',
      'spiffe://example.org/./vm-a',
      'spiffe://example.org/../vm-a',
      'spiffe://example.org/vm%2da',
      'spiffe://example.org/vm a',
      'spiffe://example.org/vm-a\0',
      'spiffe://example.org/vm-a\n',
      'spiffe://example.org/vm-a\0spiffe://example.org/vm-b',
      'spiffe://example.org/vm-\xe4',
      'spiffe://ex\xc3\xa4mple.org/vm-a',
      `spiffe://${'t'.repeat(256)}/a`,
      `spiffe://a/${'p'.repeat(2048 - 10)}`,
    ].map(titled),
  )('that begins like a SPIFFE id and is none gives no identity, nor does another name then: %s', (_title, uri) => {
    expect(
      identity({
        ...OTHERS,
        alternative: [
          [URI, uri],
          [DNS, 'host.example'],
        ],
      }),
    ).toBe('')
  })

  it('that is another one is passed over, but there may be no second', () => {
    const https: Name = [URI, 'https://example.org/vm-a']
    expect(identity({ ...OTHERS, alternative: [https, [DNS, 'host.example']] })).toBe('dns:host.example')
    expect(identity({ ...OTHERS, alternative: [https] })).toBe('cn:other')
    expect(identity({ ...OTHERS, alternative: [https, https] })).toBe('')
    expect(
      identity({
        ...OTHERS,
        alternative: [
          [URI, SPIFFE],
          [URI, SPIFFE],
        ],
      }),
    ).toBe('')
    expect(identity({ ...OTHERS, alternative: [https, [URI, SPIFFE]] })).toBe('')
  })
})

describe('a name that is not in order gives no identity, nor does the next kind:', () => {
  it.each(
    [
      '',
      '*.example',
      'host.example.',
      '.example',
      'host..example',
      '-host.example',
      'uid:0',
      'host.example\0.other.example',
      'host.example, URI:spiffe://example.org/vm-a',
      'h\xf6st.example',
      `${'l'.repeat(64)}.example`,
      `${'l.'.repeat(126)}xx`,
    ].map(titled),
  )('the DNS name %s', (_title, name) => {
    expect(
      identity({
        ...OTHERS,
        alternative: [
          [DNS, name],
          [DNS, 'host.example'],
        ],
      }),
    ).toBe('')
  })

  it.each<[string, readonly Name[]]>([
    ['empty', [[UTF8, '']]],
    ['NUL', [[UTF8, 'a\0b']]],
    ['a control character', [[UTF8, 'a\x1bb']]],
    ['a line break', [[UTF8, 'a\n']]],
    ['a space at its end', [[UTF8, 'a ']]],
    ['two spaces', [[UTF8, 'a  b']]],
    ['U+FFFD', [[UTF8, '\xef\xbf\xbd']]],
    ['a letter that only looks like one of ASCII', [[UTF8, '\xd0\xb0']]],
    ['256 bytes', [[UTF8, 'n'.repeat(256)]]],
    ['UTF-16', [[0x1e, '\0a']]],
    ['Teletex', [[0x14, 'a']]],
    [
      'two of them',
      [
        [UTF8, 'a'],
        [UTF8, 'b'],
      ],
    ],
  ])('the common name: %s', (_what, common) => {
    expect(identity({ common })).toBe('')
  })

  it('but ASCII in each form of text is taken', () => {
    for (const kind of [UTF8, 0x13, 0x16])
      expect(identity({ common: [[kind, 'Ada Lovelace']] })).toBe('cn:Ada Lovelace')
    expect(identity({ alternative: [[DNS, '_a-1.B.example']] })).toBe('dns:_a-1.b.example')
  })
})

describe('a certificate', () => {
  it('with the extension of names twice gives no identity', () => {
    const twice = [extension([[URI, SPIFFE]]), extension([[DNS, 'host.example']])]
    expect(namesOf(made({ extensions: twice }))).toBeUndefined()
  })

  it('in which a length is not written as it must be, or anything follows, is not read', () => {
    const whole = made({ alternative: [[URI, SPIFFE]] })
    expect(namesOf(whole)?.uris).toEqual([SPIFFE])
    expect(namesOf(Buffer.concat([whole, Buffer.from([0])]))).toBeUndefined()
    expect(namesOf(whole.subarray(0, -1))).toBeUndefined()
    expect(namesOf(Buffer.from('3080', 'hex'))).toBeUndefined()
    expect(namesOf(Buffer.from('308400000000', 'hex'))).toBeUndefined()
    expect(namesOf(Buffer.of())).toBeUndefined()
  })

  it('of whatever bytes does no harm', () => {
    const { raw } = new X509Certificate(leaves.spiffe)
    const changed = fc.array(fc.tuple(fc.nat(raw.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(changed, (changes) => {
        const bytes = Buffer.from(raw)
        for (const [at, value] of changes) bytes[at] = value
        const names = namesOf(bytes)
        expect(names === undefined || names.uris.length <= 2).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })
})
