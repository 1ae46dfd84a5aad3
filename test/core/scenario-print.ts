import type { Event } from '../../server/core/event.ts'
import type { Failure } from '../../server/core/failure.ts'
import { AGED, BOUND, forEachRun, PLAIN, type Runs, type Stride, UNBOUND } from '../../server/core/runs.ts'
import type { IoasidView, SetView } from '../../server/core/view.ts'
import { show } from './model.ts'

/** How a scenario prints what happened: for a reader who knows the contract and not the code. */

export function printEvent(event: Event): string {
  return `${event.kind} ${printSet(event.set)} ${printDetails(event)}`.trimEnd()
}

function printDetails(event: Event): string {
  switch (event.kind) {
    case 'SET_ALLOC':
    case 'SET_ADJUST':
      return `quota=${event.quota}`
    case 'SET_FREE':
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
        return `→${range(spid, count)} of r${generation}, bound at r${bindRevision}`
      })
    case 'FREE':
    case 'RECLAIM':
      return printRuns(event.runs, AGED, (_count, generation) => ` of r${generation}`)
    case 'DEVICE_ATTACH':
    case 'DEVICE_DETACH':
      return `${event.ioasid} ${event.device || 'the unnamed one'}`
    case 'DATA':
      return `${printRuns(event.runs, PLAIN)} ${event.data === null ? 'gone' : `"${show(event.data)}"`}`
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
  const { setId, quota, allocated, bound, state, createRevision } = view
  return `set ${setId} ${printSet(view)} ${state} quota=${quota} allocated=${allocated} bound=${bound} created at r${createRevision}`
}

export function printIoasidView(view: IoasidView): string {
  const { ioasid, spid, state, generation, bindRevision, devices, privateData } = view
  const names = devices.map((device) => device || '(unnamed)').join(',')
  const binding = spid === undefined ? '' : ` spid=${spid} bound at r${bindRevision} by ${names}`
  const data = privateData === undefined ? '' : ` data="${show(privateData)}"`
  return `${ioasid} of ${printSet(view)} ${state} allocated at r${generation}${binding}${data}`
}
