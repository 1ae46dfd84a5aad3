import type { Entry } from '../../../server/core/event.ts'
import type { SpaceConfig } from '../../../server/core/state.ts'
import type { Happening } from '../../core/model.ts'
import { happenings } from '../../core/model-happenings.ts'
import type { Sim } from '../sim.ts'
import type { Moment, Moments } from './moments.ts'

/** What the log itself says of ids, sets and leases, entry by entry as it reaches the disk, and nothing but the log. */
export interface Lives {
  follow(entry: Entry): void
  isLeaseThere(leaseId: number): boolean
  /** Whether it ended, or its time was over once. */
  hasLeaseEnded(leaseId: number): boolean
  /** The revision of a set's SET_FREE. */
  endOfSet(setId: number): number | undefined
}

interface Life {
  readonly setId: number
  readonly generation: number
  spid: number | undefined
  bindRevision: number
  isFreed: boolean
}

export interface LivesOptions {
  readonly moments: Moments
  readonly space: () => SpaceConfig
  /** Who was told of a BIND of this id, and has it still by all that he knows. */
  readonly userOf: (ioasid: number) => string | undefined
}

export function createLives({ report, coverage }: Sim, { moments, space, userOf }: LivesOptions): Lives {
  const lives = new Map<number, Life>()
  const reclaimed = new Map<number, Moment>()
  const sets = new Map<number, string>()
  const ended = new Map<number, number>()
  const leases = new Set<number>()
  const endedLeases = new Set<number>()

  const allocate = (id: number, setId: number, generation: number) => {
    const owner = lives.get(id)
    if (owner !== undefined)
      report('one-owner', `id ${id} is handed out to set ${setId}, and set ${owner.setId} has it`)
    const { capacity, reserved, reuseDelayMs } = space()
    const isReserved = id === 0 || id >= capacity || reserved.some(([first, last]) => first <= id && id <= last)
    if (isReserved) report('one-owner', `id ${id} is handed out, which is reserved`)
    if (!sets.has(setId)) report('one-owner', `id ${id} is handed out to set ${setId}, which is not there`)
    const user = userOf(id)
    if (user !== undefined) report('no-early-reuse', `id ${id} is handed out at revision ${generation}, and ${user}`)
    const since = reclaimed.get(id)
    if (since !== undefined) {
      coverage.count('id reused')
      const restedMs = moments.decided(generation).atMostMs - since.atMostMs
      if (restedMs < reuseDelayMs) report('no-early-reuse', `id ${id} rested ${restedMs} of ${reuseDelayMs} ms`)
    }
    coverage.count('id handed out')
    lives.set(id, { setId, generation, spid: undefined, bindRevision: 0, isFreed: false })
  }

  const changeLife = ([kind, ioasid, ...told]: Happening, revision: number) => {
    const id = Number(ioasid)
    const life = lives.get(id)
    const wrong = (why: string) =>
      report('bind-unbind-alternate', `${kind} of id ${id} at revision ${revision}: ${why}`)
    if (life === undefined) return wrong('it is free')
    switch (kind) {
      case 'BIND':
        if (life.spid !== undefined) wrong(`it is bound to SPID ${life.spid}`)
        if (life.isFreed) wrong('it is freed')
        if (told[1] !== life.generation) wrong(`generation ${told[1]}, not ${life.generation}`)
        life.spid = Number(told[0])
        life.bindRevision = revision
        return
      case 'UNBIND': {
        const [spid, generation, bindRevision] = told
        const isIt = spid === life.spid && generation === life.generation && bindRevision === life.bindRevision
        if (!isIt) wrong(`${told}, but it is bound to ${life.spid} since ${life.bindRevision}`)
        life.spid = undefined
        return
      }
      case 'FREE':
        if (life.spid !== undefined) wrong('it is still bound')
        if (life.isFreed) wrong('it is freed already')
        life.isFreed = true
        return
      case 'RECLAIM':
        if (!life.isFreed) wrong('it is not freed')
        if (life.spid !== undefined) wrong('it is still bound')
        lives.delete(id)
        reclaimed.set(id, moments.decided(revision))
    }
  }

  return {
    follow: ({ revision, events }) => {
      for (const happening of happenings(events)) {
        const [kind, number, more] = happening
        switch (kind) {
          case 'SET_ALLOC':
            if (more !== '' && [...sets.values()].includes(String(more))) report('one-owner', `two sets are "${more}"`)
            sets.set(Number(number), String(more))
            break
          case 'SET_FREE':
            if ([...lives.values()].some(({ setId }) => setId === number)) {
              report('accounts', `set ${number} is gone at revision ${revision}, and its ids are not`)
            }
            sets.delete(Number(number))
            ended.set(Number(number), revision)
            break
          case 'ALLOC':
            allocate(Number(number), Number(more), revision)
            break
          case 'BIND':
          case 'UNBIND':
          case 'FREE':
          case 'RECLAIM':
            changeLife(happening, revision)
            break
          case 'LEASE_GRANT':
            leases.add(Number(number))
            break
          case 'LEASE_HELD':
            endedLeases.add(Number(number))
            break
          case 'LEASE_END':
            endedLeases.add(Number(number))
            leases.delete(Number(number))
        }
      }
    },
    isLeaseThere: (leaseId) => leases.has(leaseId),
    hasLeaseEnded: (leaseId) => endedLeases.has(leaseId),
    endOfSet: (setId) => ended.get(setId),
  }
}
