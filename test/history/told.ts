import type { IoasidNotification } from '../../client/index.ts'
import { allIds, type Happening, type Model } from '../core/model.ts'
import type { Filter } from './record.ts'

/** Notifications as texts, of what a subscriber was told and of what the model says: `BIND 7 of 1 vm-a, 3 101 9`. */

const line = (type: string, ioasid: number | string, setId: number, token: string, rest: readonly number[]): string =>
  `${type} ${ioasid} of ${setId} ${token},${rest.map((each) => ` ${each}`).join('')}`

export function toldByDaemon(event: IoasidNotification): string {
  const { type, token } = event
  const setId = Number(event.setId)
  switch (type) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
      return line(type, '-', setId, token, [event.quota])
    case 'SET_FREE':
      return line(type, '-', setId, token, [])
    case 'BIND':
    case 'UNBIND':
      return line(type, event.ioasid, setId, token, [Number(event.generation), event.spid, Number(event.bindRevision)])
    default:
      return line(type, event.ioasid, setId, token, [Number(event.generation)])
  }
}

interface Owner {
  readonly setId: number
  readonly token: string
}

/** Follows whose each id is: a RECLAIM is told when the model has forgotten it. */
export type Owners = Map<number, Owner>

/** What the revision that the model has just reached tells. */
export function toldByModel(model: Model, owners: Owners, happened: readonly Happening[]): string[] {
  return happened.flatMap((happening) => toldOf(model, owners, happening))
}

function toldOf(model: Model, owners: Owners, [kind, first, ...rest]: Happening): string[] {
  const number = Number(first)
  const [one, two, three] = rest.map(Number)
  switch (kind) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
      return [line(kind, '-', number, String(rest[0]), [two ?? 0])]
    case 'SET_FREE':
      return [line(kind, '-', number, String(rest[0]), [])]
    case 'ALLOC': {
      const set = model.sets.find(({ setId }) => setId === one)
      const owner = { setId: one ?? 0, token: set?.token ?? '' }
      owners.set(number, owner)
      return [line(kind, number, owner.setId, owner.token, [model.revision])]
    }
    case 'BIND':
      return [ofId(kind, owners, number, [two ?? 0, one ?? 0, model.revision])]
    case 'UNBIND':
      return [ofId(kind, owners, number, [two ?? 0, one ?? 0, three ?? 0])]
    case 'FREE':
    case 'RECLAIM':
      return [ofId(kind, owners, number, [one ?? 0])]
    default:
      return []
  }
}

function ofId(kind: string, owners: Owners, ioasid: number, rest: readonly number[]): string {
  const { setId, token } = owners.get(ioasid) ?? { setId: 0, token: '?' }
  return line(kind, ioasid, setId, token, rest)
}

/** What a snapshot of the model tells. */
export function snapshotOf(model: Model): string[] {
  const sets = model.sets.map(({ setId, token, quota }) => line('SET_ALLOC', '-', setId, token, [quota]))
  const ids = allIds(model).flatMap(({ set: { setId, token }, id }) => {
    const { ioasid, generation, spid, bindRevision = 0 } = id
    const told = [line('ALLOC', ioasid, setId, token, [generation])]
    if (id.isPending) told.push(line('FREE', ioasid, setId, token, [generation]))
    else if (spid !== undefined) told.push(line('BIND', ioasid, setId, token, [generation, spid, bindRevision]))
    return told
  })
  return [...sets, ...ids]
}

export interface Told {
  readonly type: string
  readonly ioasid: number | undefined
  readonly setId: number
  readonly token: string
}

export function parse(text: string): Told {
  const [head = ''] = text.split(',')
  const [type = '', ioasid = '', , setId = '', token = ''] = head.split(' ')
  return { type, ioasid: ioasid === '-' ? undefined : Number(ioasid), setId: Number(setId), token }
}

export function matches({ all, tokens, setIds, types }: Filter, text: string): boolean {
  const { type, setId, token } = parse(text)
  const isNamed = all || (token !== '' && tokens.includes(token)) || setIds.includes(setId)
  return isNamed && (types.length === 0 || types.includes(type))
}

/** Only the order of one id's events is promised, and that SET_ALLOC comes before all of them and SET_FREE after. */
export function inOrderOfIds(texts: readonly string[]): string[] {
  const rank = (text: string): number => {
    const { type, ioasid, setId } = parse(text)
    if (type === 'SET_ALLOC') return setId - 1e12
    return type === 'SET_FREE' ? setId + 1e12 : (ioasid ?? 0)
  }
  return [...texts].sort((a, b) => rank(a) - rank(b))
}

/** Whether no SET_FREE comes before another event, and no SET_ALLOC after one of an id. */
export function isWellOrdered(texts: readonly string[]): boolean {
  const parts = texts.map((text) => ['SET_ALLOC', 'ID', 'SET_FREE'].indexOf(partOf(parse(text).type)))
  return parts.every((part, index) => index === 0 || (parts[index - 1] ?? 0) <= part)
}

const partOf = (type: string): string => (type === 'SET_ALLOC' || type === 'SET_FREE' ? type : 'ID')
