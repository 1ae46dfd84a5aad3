import { field } from '../support/rpc.ts'
import type { Attempt } from './attempt.ts'
import { raw, to } from './peer.ts'
import { SPID } from './victims.ts'
import type { World } from './world.ts'

/** Attempts by the names of the victim's sets, and by what looks like one, or might be read as one. */

const own = ({ own: { set } }: World) => ({ set_handle: set.set_handle })
const lease = ({ own: { lease: mine } }: World) => mine.lease_handle

const rpcs: readonly (readonly [string, (world: World, token: string) => object])[] = [
  ['GetSet', (_world, token) => ({ token })],
  ['CreateSet', (_world, token) => ({ token, quota: 1 })],
  ['ListIoasids', (_world, token) => ({ token })],
  ['FindBySpid', (_world, token) => ({ token, spid: SPID })],
  ['FindBySpid', (world, token) => ({ token, spid: SPID, acquire_for_lease: lease(world) })],
  ['Acquire', (world, token) => ({ token, ioasid: world.victims.bound, lease_handle: lease(world) })],
  ['Release', (world, token) => ({ token, ioasid: world.victims.bound, lease_handle: lease(world) })],
  ['Subscribe', (_world, token) => ({ tokens: [token], now: true })],
]

const named: readonly Attempt[] = rpcs.flatMap(([method, request], index) =>
  ['vm-b', 'vm-b/draining'].map((token) => ({
    name: `calls ${method}${index === 4 ? ' with a lease of his own' : ''} by the token ${token}`,
    reason: 'NOT_PERMITTED',
    sent: (world: World) => to(method, request(world, token)),
    twin: (world: World) => to(method, request(world, 'vm-none')),
  })),
)

/** None of them is a token that he may use. Neither is any of them the victim's, but who normalises would take it for that. */
const SPELLINGS: readonly (readonly [how: string, token: string])[] = [
  ['without its last letter', 'vm-'],
  ['with the letters of his own before it', 'vm-avm-b'],
  ['that begins with all of his own', 'vm-ab'],
  ['of his neighbour who has a letter more', 'vm-a-b'],
  ['in capitals', 'VM-B'],
  ['of his own namespace in capitals', 'VM-A/b'],
  ['with a space behind it', 'vm-b '],
  ['with a space before it', ' vm-b'],
  ['with a separator behind it', 'vm-b/'],
  ['with a separator before it', '/vm-b'],
  ['as a rule of a policy', 'vm-b/*'],
  ['as a rule for everything', '*'],
  ['percent-encoded', 'vm%2Db'],
  ['with a percent-encoded NUL', 'vm-b%00'],
  ['in base64', 'dm0tYg=='],
  ['with a backslash for its separator', 'vm-b\\disk'],
  ['with letters of full width', 'ｖｍ－ｂ'],
  ['with a slash of full width', 'vm-b／disk'],
  ['in his namespace by a slash of full width', 'vm-a／b'],
  ['in his namespace by a slash of division', 'vm-a∕b'],
  ['with a Cyrillic letter', 'vm-Ь'],
  ['with another hyphen', 'vm\u2010b'],
  ['with a hyphen that does not break', 'vm\u2011b'],
  ['with a soft hyphen', 'vm\u00ad-b'],
  ['with a space of no width', 'vm-b\u200b'],
  ['with a joiner of no width', 'vm\u200d-b'],
  ['with a mark of the byte order', '\ufeffvm-b'],
  ['of his own with a mark of the byte order', '\ufeffvm-a'],
  ['that is read from right to left', '\u202eb-mv'],
  ['with an umlaut of two characters', 'vm-b/gera\u0308t'],
  ['with an umlaut of one', 'vm-b/gerät'],
  ['with a capital umlaut', 'vm-b/GERÄT'],
  ['as long as a token may be', `vm-b/${'x'.repeat(250)}`],
]

/** No tokens at all. */
const NO_TOKENS: readonly (readonly [how: string, token: string])[] = [
  ['that is empty', ''],
  ['with a NUL behind it', 'vm-b\0'],
  ['of his own with a NUL and the victim’s behind it', 'vm-a/\0vm-b'],
  ['with a line feed', 'vm-b\n'],
  ['with a delete', 'vm-b\x7f'],
  ['with a separator of lines', 'vm-b\u2028'],
  ['with a sign for what could not be read', 'vm-\ufffdb'],
  ['that is too long', `vm-b/${'x'.repeat(251)}`],
]

const spelled: readonly Attempt[] = SPELLINGS.flatMap(([how, token]) => [
  { name: `calls GetSet by a token ${how}`, reason: 'NOT_PERMITTED', sent: () => to('GetSet', { token }) },
  { name: `makes a set of a token ${how}`, reason: 'NOT_PERMITTED', sent: () => to('CreateSet', { token }) },
  {
    name: `subscribes to a token ${how}, behind one of his own`,
    reason: 'NOT_PERMITTED',
    sent: () => to('Subscribe', { tokens: ['vm-a', token], now: true }),
  },
])

const noTokens: readonly Attempt[] = NO_TOKENS.flatMap(([how, token]) => [
  { name: `calls GetSet by a token ${how}`, reason: 'INVALID_FIELD', sent: () => to('GetSet', { token }) },
  {
    name: `subscribes to a token ${how}, behind one of his own`,
    reason: 'INVALID_FIELD',
    sent: () => to('Subscribe', { tokens: ['vm-a', token], now: true }),
  },
])

const BYTES: readonly (readonly [how: string, bytes: Buffer])[] = [
  ['whose hyphen is an overlong one of two bytes', Buffer.from('vm\xc0\xadb', 'latin1')],
  ['whose hyphen is an overlong one of three bytes', Buffer.from('vm\xe0\x80\xadb', 'latin1')],
  ['that ends within a character', Buffer.from('vm-b\xc3', 'latin1')],
  ['with half of a surrogate pair', Buffer.from('vm-b\xed\xa0\x80', 'latin1')],
  ['with an overlong NUL behind it', Buffer.from('vm-b\xc0\x80', 'latin1')],
  ['in UTF-16', Buffer.from('\ufeffvm-b', 'utf16le')],
]
const TOKEN_OF_GET_SET = 2

const bytes: readonly Attempt[] = BYTES.map(([how, token]) => ({
  name: `calls GetSet by a token ${how}`,
  reason: 'INVALID_FIELD',
  sent: () => raw('GetSet', field(TOKEN_OF_GET_SET, token)),
}))

/** A oneof, and what is there once, said twice: two readers might not agree on which one counts. */
const twice: readonly Attempt[] = [
  {
    name: 'calls GetSet by the handle of his own set, and the victim’s token',
    reason: 'INVALID_FIELD',
    sent: (world) => raw('GetSet', Buffer.concat([field(1, own(world).set_handle), field(TOKEN_OF_GET_SET, 'vm-b')])),
  },
  {
    name: 'calls GetSet by the victim’s token, and the handle of his own set',
    reason: 'INVALID_FIELD',
    sent: (world) => raw('GetSet', Buffer.concat([field(TOKEN_OF_GET_SET, 'vm-b'), field(1, own(world).set_handle)])),
  },
  {
    name: 'calls GetSet by his own token, and then the victim’s',
    reason: 'NOT_PERMITTED',
    sent: () => raw('GetSet', Buffer.concat([field(TOKEN_OF_GET_SET, 'vm-a'), field(TOKEN_OF_GET_SET, 'vm-b')])),
  },
]

/** Of his own namespace, byte by byte, wherever somebody who reads paths would get to. */
const paths: readonly Attempt[] = ['vm-a/../vm-b', 'vm-a/%2e%2e/vm-b', 'vm-a//vm-b', 'vm-a/./vm-b'].flatMap((token) => [
  { name: `calls GetSet by ${token}`, reason: 'SET_NOT_FOUND', sent: () => to('GetSet', { token }) },
  { name: `lists the ids of ${token}`, reason: 'SET_NOT_FOUND', sent: () => to('ListIoasids', { token }) },
])

const pages: readonly Attempt[] = [
  {
    name: 'turns to a page of the victim’s ids that he forged',
    reason: 'NOT_PERMITTED',
    sent: () => to('ListIoasids', { token: 'vm-b', page_token: forge('ioasids of token vm-b', 1, 1) }),
    twin: () => to('ListIoasids', { token: 'vm-n', page_token: forge('ioasids of token vm-n', 1, 1) }),
  },
  ...[
    ['of the victim’s by token', forge('ioasids of token vm-b', 1, 1)],
    ['of the victim’s by number', forge('ioasids of set 2', 1, 1)],
    ['that is negative', forge('ioasids of set 1', -1, 1)],
    ['that is a text', forge('ioasids of set 1', '1', '1')],
    ['that is longer', forge('ioasids of set 1', 1, 1, 1)],
    ['that is no JSON', Buffer.from('[').toString('base64url')],
    ['with padding', `${forge('ioasids of set 1', 1, 1)}=`],
  ].map(([how, page_token]) => ({
    name: `turns in the list of his own ids to a page ${how}`,
    reason: 'INVALID_FIELD',
    sent: (world: World) => to('ListIoasids', { ...own(world), page_token }),
  })),
  ...['sets vm-b', 'leases'].map((list) => ({
    name: `turns in the list of his sets to a page of the list '${list}'`,
    reason: 'INVALID_FIELD',
    sent: () => to('ListSets', { page_token: forge(list, 0) }),
  })),
  {
    name: 'turns in the list of his leases to a page of the list of sets',
    reason: 'INVALID_FIELD',
    sent: () => to('ListLeases', { page_token: forge('sets ', 0) }),
  },
]

/** As the daemon would make them. */
function forge(...content: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(content)).toString('base64url')
}

export const byName: readonly Attempt[] = [...named, ...spelled, ...noTokens, ...bytes, ...twice, ...paths, ...pages]
