import type { Answer, Command } from '../../server/core/command.ts'
import type { Event, LeaseEvent, Names } from '../../server/core/event.ts'
import type { Failure } from '../../server/core/failure.ts'
import { NO_LEASE } from '../../server/core/ids.ts'
import { AGED, BOUND, forEachRun, PLAIN, type Runs, type Stride, UNBOUND } from '../../server/core/runs.ts'
import type { HoldView, IoasidView, LeaseView, SetView } from '../../server/core/view.ts'
import { WALL_START_MS } from '../support/space.ts'
import { show } from './model.ts'

/** How a scenario prints what happened: for a reader who knows the contract and not the code. */

export function printEvent(event: Event): string {
  if (!('set' in event)) return `${event.kind} ${printLeaseEvent(event)}`
  return `${event.kind} ${printSet(event.set)} ${printDetails(event)}`.trimEnd()
}

function printLeaseEvent(event: LeaseEvent): string {
  switch (event.kind) {
    case 'LEASE_GRANT': {
      const { name, ttlMs, onExpiry } = event.terms
      return `lease ${event.leaseId} ${name} for ${ttlMs} ms, then ${onExpiry}`
    }
    case 'REGISTER':
      return `lease ${event.leaseId} holds ${printNames(event.names)} as ${event.priority}`
    case 'ACKNOWLEDGE':
      return `lease ${event.leaseId} up to r${event.acknowledged}`
    default:
      return `lease ${event.leaseId}`
  }
}

function printNames(names: Names): string {
  if (names === 'all') return 'all sets'
  return [...names.tokens.map((token) => `token:${token}`), ...names.setIds.map((setId) => `#${setId}`)].join(' ')
}

function printDetails(event: Extract<Event, { set: object }>): string {
  switch (event.kind) {
    case 'SET_ALLOC':
      return `quota=${event.quota}${event.leaseId === NO_LEASE ? '' : ` of lease ${event.leaseId}`}`
    case 'SET_ADJUST':
      return `quota=${event.quota}`
    case 'SET_FREE':
    case 'SET_DRAIN':
      return ''
    case 'ALLOC':
      return printRuns(event.runs, PLAIN)
    case 'BIND': {
      const device = event.device === '' ? '' : ` by ${event.device}`
      return (
        printRuns(event.runs, BOUND, (count, spid, generation) => `→${range(spid, count)} of r${generation}`) + device
      )
    }
    case 'UNBIND':
      return printRuns(event.runs, UNBOUND, (count, spid, generation, bindRevision) => {
        return `→${range(spid, count)} of r${generation}, bound at r${bindRevision}${event.pending ? ', the SPID stays taken' : ''}`
      })
    case 'FREE':
      return printAged(event.runs) + (event.pending ? ', pending' : '')
    case 'RECLAIM':
      return printAged(event.runs)
    case 'ACQUIRE':
    case 'RELEASE':
      return `${event.ioasid} by lease ${event.leaseId}`
    case 'DEVICE_ATTACH':
    case 'DEVICE_DETACH':
      return `${event.ioasid} ${event.device || 'the unnamed one'}`
    case 'DATA':
      return `${printRuns(event.runs, PLAIN)} ${event.data === null ? 'gone' : `"${show(event.data)}"`}`
  }
}

function printAged(runs: Runs): string {
  return printRuns(runs, AGED, (_count, generation) => ` of r${generation}`)
}

/** What an answer says of references and of what is pending. */
export function printAnswer(command: Command, answer: Answer): string[] {
  switch (answer.kind) {
    case 'acquired':
      return [`references=${answer.references}`]
    case 'released':
      return [`references=${answer.references}${answer.reclaimed ? ' reclaimed' : ''}`]
    case 'found':
      return [printIoasidView(answer.view)]
    case 'freed':
      return answer.references.flatMap((references, index) => {
        const ioasid = command.kind === 'free' ? command.ioasids[index] : undefined
        return references === 0 ? [] : [`${ioasid} FREE_PENDING references=${references}`]
      })
    case 'freed_all':
      return answer.pending === 0 ? [] : [`reclaimed=${answer.reclaimed} pending=${answer.pending}`]
    case 'set':
      return answer.set.state === 'DRAINING' ? [printSetView(answer.set)] : []
    default:
      return []
  }
}

type Tell = (count: number, ...facts: readonly [number, number, number]) => string

function printRuns(runs: Runs, stride: Stride, tell: Tell = () => ''): string {
  const texts: string[] = []
  forEachRun(runs, stride, (first, count, offset) => {
    const fact = (index: number) => runs[offset + 2 + index] ?? 0
    texts.push(range(first, count) + tell(count, fact(0), fact(1), fact(2)))
  })
  return texts.join(stride === PLAIN ? ' ' : '; ')
}

function range(first: number, count: number): string {
  return count === 1 ? String(first) : `${first}-${first + count - 1}`
}

function printSet({ setId, token }: { readonly setId: number; readonly token: string }): string {
  return token === '' ? `#${setId}` : token
}

export function printRefusal({ reason, metadata }: Failure): string {
  const facts = Object.entries(metadata).map(([key, value]) => `${key}=${value === '' ? '""' : value}`)
  return ['refused', reason, ...facts].join(' ')
}

export function printSetView(view: SetView): string {
  const { setId, quota, allocated, freePending, bound, state, leaseId, createRevision, owner } = view
  const pending = freePending === 0 ? '' : ` free_pending=${freePending}`
  const lease = leaseId === undefined ? '' : ` of lease ${leaseId}`
  const creator = owner === '' ? '' : ` by ${owner}`
  const accounts = `quota=${quota} allocated=${allocated}${pending} bound=${bound}`
  return `set ${setId} ${printSet(view)} ${state} ${accounts} created at r${createRevision}${creator}${lease}`
}

export function printIoasidView(view: IoasidView): string {
  const { ioasid, spid, state, references, generation, bindRevision, devices, privateData } = view
  const names = devices.map((device) => device || '(unnamed)').join(',')
  const by = names === '' ? '' : ` by ${names}`
  const binding = spid === undefined ? '' : ` spid=${spid} bound at r${bindRevision}${by}`
  const sum = references === 0 ? '' : ` references=${references}`
  const data = privateData === undefined ? '' : ` data="${show(privateData)}"`
  const holders = view.holders.map(({ leaseId, name, count, sinceRevision, sinceWallMs, awaiting }) => {
    const since = `r${sinceRevision}, ${(sinceWallMs - WALL_START_MS) / 1000} s`
    const awaits = awaiting === undefined ? '' : `, awaiting r${awaiting}`
    return ` held ${count} times by lease ${leaseId} ${name} since ${since}${awaits}`
  })
  const identity = `${ioasid} of ${printSet(view)} ${state}${sum} allocated at r${generation}`
  return `${identity}${binding}${data}${holders.join(',')}`
}

export function printLeaseView(view: LeaseView): string {
  const { leaseId, name, ttlMs, onExpiry, references, sets, state, hold } = view
  const terms = `references=${references} sets=${sets} ttl=${ttlMs} ms, then ${onExpiry}`
  return `lease ${leaseId} ${name} ${state} ${terms}${hold === undefined ? '' : printHold(hold)}`
}

function printHold({ names, priority, registerRevision, acknowledged }: HoldView): string {
  return `; holds ${printNames(names)} as ${priority} since r${registerRevision}, acknowledged r${acknowledged}`
}
