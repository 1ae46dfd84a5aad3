import type { Command, SetRef } from '../../server/core/command.ts'
import type { Names as HeldNames, Priority } from '../../server/core/event.ts'
import { asIoasid, asSetId, asSpid, type LeaseId, NO_LEASE, NO_SET, type SetId } from '../../server/core/ids.ts'
import type { Running } from '../support/space.ts'

/** The lines of a scenario as commands. */

/** `allocate vm-a count=3`: a verb, what stands by itself, and what has a name. */
export interface Line {
  readonly verb: string
  readonly words: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

/** What a story has named so far, and the space that it runs in. */
export interface Names {
  readonly running: Running
  readonly setIds: ReadonlyMap<string, SetId>
  readonly leaseIds: ReadonlyMap<string, LeaseId>
}

export function parse(command: string): Line {
  const [verb = '', ...rest] = command.split(/ +/)
  const options = new Map<string, string>()
  const words: string[] = []
  for (const word of rest) {
    const at = word.indexOf('=')
    if (at < 0) words.push(word)
    else options.set(word.slice(0, at), word.slice(at + 1))
  }
  return { verb, words, options }
}

export function commandOf(names: Names, { verb, words, options }: Line): Command {
  const setId = setOf(names, words[0])
  const ioasids = words.slice(1).map((word) => asIoasid(Number(word)))
  const ioasid = ioasids[0] ?? asIoasid(0)
  const device = options.get('device') ?? ''
  switch (verb) {
    case 'create-set':
      return {
        kind: 'create_set',
        token: words[0] ?? '',
        quota: numberOf(options, 'quota', 0),
        leaseId: options.has('lease') ? leaseOf(names, options.get('lease')) : null,
      }
    case 'adjust-quota':
      return { kind: 'adjust_quota', setId, quota: numberOf(options, 'quota', 0) }
    case 'delete-set':
      return { kind: 'delete_set', setId, force: words.includes('force') }
    case 'allocate': {
      const spids =
        options
          .get('spids')
          ?.split(',')
          .map((spid) => asSpid(Number(spid))) ?? null
      const count = numberOf(options, 'count', spids?.length ?? 1)
      const max = numberOf(options, 'max', names.running.state.config.capacity - 1)
      return {
        kind: 'allocate',
        setId,
        count,
        min: numberOf(options, 'min', 0),
        max,
        spids,
        privateData: dataOf(options),
      }
    }
    case 'free':
      return {
        kind: 'free',
        setId,
        ioasids,
        generation: options.has('generation') ? numberOf(options, 'generation', 0) : null,
      }
    case 'free-all':
      return { kind: 'free_all', setId }
    case 'attach':
      return { kind: 'attach_spid', setId, ioasid, spid: asSpid(numberOf(options, 'spid', 0)), device }
    case 'detach':
      return { kind: 'detach_spid', setId, ioasid, device }
    case 'attach-data':
      return { kind: 'attach_data', setId, ioasid, privateData: dataOf(options) ?? new Uint8Array(1) }
    case 'detach-data':
      return { kind: 'detach_data', setId, ioasid }
    default:
      return leaseCommandOf(names, { verb, words, options })
  }
}

function leaseCommandOf(names: Names, { verb, words, options }: Line): Command {
  const set = refOf(names, words[0])
  const ofOption = leaseOf(names, options.get('lease'))
  const leaseId = leaseOf(names, words[0])
  switch (verb) {
    case 'acquire':
    case 'release':
      return { kind: verb, set, ioasid: asIoasid(Number(words[1])), leaseId: ofOption }
    case 'find':
      return { kind: 'acquire_by_spid', set, spid: asSpid(numberOf(options, 'spid', 0)), leaseId: ofOption }
    case 'grant': {
      const onExpiry = options.get('on-expiry') === 'hold' ? 'HOLD' : 'RELEASE'
      const ttlMs = milliseconds(options.get('ttl') ?? '10s')
      return { kind: 'grant_lease', terms: { name: words[0] ?? '', ttlMs, onExpiry } }
    }
    case 'revive':
      return { kind: 'revive_lease', leaseId }
    case 'revoke':
      return { kind: words.includes('force') ? 'force_revoke_lease' : 'revoke_lease', leaseId }
    case 'expire':
      return { kind: 'expire_lease', leaseId }
    case 'register': {
      const priority = priorityOf(options.get('priority'))
      return { kind: 'register', leaseId, names: namesOf(names, words.slice(1)), priority }
    }
    case 'deregister':
      return { kind: 'end_registration', leaseId }
    case 'acknowledge':
      return { kind: 'acknowledge', leaseId, revision: Number(words[1]?.replace('r', '')) }
    default:
      throw new Error(`no such command: ${verb}`)
  }
}

/** By its number, or by its token, of which the newest set is meant; otherwise the handle of nothing. */
export function setOf({ setIds }: Names, name = ''): SetId {
  return name.startsWith('#') ? asSetId(Number(name.slice(1))) : (setIds.get(name) ?? NO_SET)
}

export function refOf(names: Names, name = ''): SetRef {
  return name.startsWith('token:') ? { token: name.slice('token:'.length) } : { setId: setOf(names, name) }
}

/** `all`, or sets as everywhere: `token:vm-a` is held by its token, `vm-a` by its handle. */
function namesOf(names: Names, words: readonly string[]): HeldNames {
  if (words.includes('all')) return 'all'
  const isToken = (word: string) => word.startsWith('token:')
  const tokens = words.filter(isToken).map((word) => word.slice('token:'.length))
  const setIds = words.filter((word) => !isToken(word)).map((word) => setOf(names, word))
  return { tokens: tokens.sort(), setIds: setIds.sort((a, b) => a - b) }
}

function priorityOf(text: string | undefined): Priority {
  if (text === 'cpu') return 'CPU'
  return text === 'iommu' ? 'IOMMU' : 'DEVICE'
}

export function leaseOf({ leaseIds }: Names, name = ''): LeaseId {
  return leaseIds.get(name) ?? NO_LEASE
}

export function numberOf(options: ReadonlyMap<string, string>, name: string, absent: number): number {
  const text = options.get(name)
  return text === undefined ? absent : Number(text)
}

function dataOf(options: ReadonlyMap<string, string>): Uint8Array | null {
  const text = options.get('data')
  return text === undefined ? null : new TextEncoder().encode(text)
}

export function milliseconds(text: string): number {
  return text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.slice(0, -1)) * 1000
}
