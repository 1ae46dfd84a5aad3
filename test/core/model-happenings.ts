import type { Answer } from '../../server/core/command.ts'
import type { Event } from '../../server/core/event.ts'
import { forEachAged, forEachBound, forEachId, forEachUnbound, idsOf, PLAIN } from '../../server/core/runs.ts'
import type { Happening } from './model.ts'

/** What the core decided, in the model's words. */

/** An answer with its runs told out. */
export function showAnswer(answer: Answer): object {
  if (!('runs' in answer)) return answer
  const { runs, ...rest } = answer
  return { ...rest, ids: idsOf(runs) }
}

/** Events told out id by id, each id's in their order; what belongs to the set keeps its place before or after all ids. */
export function happenings(events: readonly Event[]): readonly Happening[] {
  const told: Happening[] = []
  for (const event of events) {
    switch (event.kind) {
      case 'SET_ALLOC':
        told.push([event.kind, event.set.setId, event.set.token, event.quota, event.leaseId])
        break
      case 'SET_ADJUST':
        told.push([event.kind, event.set.setId, event.set.token, event.quota])
        break
      case 'SET_FREE':
      case 'SET_DRAIN':
        told.push([event.kind, event.set.setId, event.set.token])
        break
      case 'ALLOC':
        forEachId(event.runs, PLAIN, (id) => told.push(['ALLOC', id, event.set.setId]))
        break
      case 'BIND':
        forEachBound(event.runs, (id, spid, generation) => told.push(['BIND', id, spid, generation, event.device]))
        break
      case 'UNBIND':
        forEachUnbound(event.runs, (id, ...life) => told.push(['UNBIND', id, ...life, event.pending]))
        break
      case 'FREE':
        forEachAged(event.runs, (id, generation) => told.push(['FREE', id, generation, event.pending]))
        break
      case 'RECLAIM':
        forEachAged(event.runs, (id, generation) => told.push(['RECLAIM', id, generation]))
        break
      case 'DEVICE_ATTACH':
      case 'DEVICE_DETACH':
        told.push([event.kind, event.ioasid, event.device])
        break
      case 'DATA':
        forEachId(event.runs, PLAIN, (id) => told.push(['DATA', id]))
        break
      case 'ACQUIRE':
      case 'RELEASE':
        told.push([event.kind, event.ioasid, event.leaseId])
        break
      case 'LEASE_GRANT':
        told.push([event.kind, event.leaseId, event.terms.name, event.terms.ttlMs, event.terms.onExpiry])
        break
      case 'LEASE_HELD':
      case 'LEASE_REVIVE':
      case 'LEASE_END':
      case 'DEREGISTER':
        told.push([event.kind, event.leaseId])
        break
      case 'REGISTER':
        told.push([event.kind, event.leaseId, JSON.stringify(event.names), event.priority])
        break
      case 'ACKNOWLEDGE':
        told.push([event.kind, event.leaseId, event.acknowledged])
        break
    }
  }
  return told
}

/** Only the order of one id's happenings is promised, and that the beginning and the ends of sets are around them. */
export function inOrderOfIds(happened: readonly Happening[]): object {
  const isOfLease = ([kind]: Happening) => /^(LEASE_.*|(DE)?REGISTER|ACKNOWLEDGE)$/.test(String(kind))
  const isOfSet = ([kind]: Happening) => String(kind).startsWith('SET_')
  const byNumber = (a: Happening, b: Happening) => Number(a[1]) - Number(b[1])
  const told = happened.filter((each) => !isOfLease(each))
  const isOfId = (each: Happening) => !isOfSet(each)
  const ends = told.slice(told.findLastIndex(isOfId) + 1)
  return {
    ofLeases: happened.filter(isOfLease),
    ofIds: told.filter(isOfId).sort(byNumber),
    setsAmongIds: told.slice(0, told.length - ends.length).filter(isOfSet),
    ofSets: [...ends].sort(byNumber),
  }
}
