import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { EndedBy, Entry } from '../../server/core/event.ts'
import { asIoasid, asLeaseId, asSetId, asSpid } from '../../server/core/ids.ts'
import {
  bindingBefore,
  endedBinding,
  endedLife,
  lifeBefore,
  type PastBinding,
  type PastLife,
  presentOf,
} from '../../server/core/look-back.ts'
import type { State } from '../../server/core/state.ts'
import { commandOf, FREED_BY, IDS, STEP } from '../support/history-story.ts'
import { type NaiveHistory, readForwards } from '../support/naive-history.ts'
import { type Running, restore, start, submit } from '../support/space.ts'
import { partOf } from './part-of-runs.ts'

const SET = asSetId(1)

/** Who did it is told by the entries alone, and tested with the whole history. */
const NOBODY = { boundBy: '', unboundBy: '' }

type Told = ReturnType<NaiveHistory['of']>

/** Backwards from the present, an entry for each step, as far as the log is whole. */
function readBackwards(state: State, log: readonly Entry[], id: number): Told {
  const at = (revision: number) => log[revision - 1]
  const momentOf = ({ revision, wallMs }: Entry) => ({ revision, wallMs })
  const bindings = (binding: PastBinding | undefined, lastUnbind: number): Told[number]['bindings'] => {
    const open = binding === undefined ? [] : [{ spid: binding.spid, from: fromOf(binding), to: undefined, ...NOBODY }]
    const bound = binding === undefined ? undefined : at(binding.bindRevision)
    const unbind = bound === undefined ? lastUnbind : bindingBefore(bound, id)
    const entry = at(unbind)
    const ended = entry === undefined ? undefined : endedBinding(entry, id)
    if (entry === undefined || ended === undefined) return open
    const before = at(ended.bindRevision)
    const rest = before === undefined ? [] : bindings(undefined, bindingBefore(before, id))
    return [...open, { spid: ended.spid, from: fromOf(ended), to: momentOf(entry), ...NOBODY }, ...rest]
  }
  const fromOf = ({ bindRevision, boundWallMs }: PastBinding) => ({ revision: bindRevision, wallMs: boundWallMs })
  const told = ({ set, generation, allocatedWallMs, freed, lastUnbind }: PastLife, to: Entry | undefined) => ({
    ...set,
    from: { revision: generation, wallMs: allocatedWallMs },
    to: to === undefined ? undefined : momentOf(to),
    endedBy: freed?.by,
    allocatedBy: '',
    freedBy: '',
    bindings: bindings(to === undefined ? presentOf(state, id).binding : undefined, lastUnbind),
  })
  const livesFrom = (reclaim: number): Told => {
    const entry = at(reclaim)
    const life = entry === undefined ? undefined : endedLife(entry, id)
    if (entry === undefined || life === undefined) return []
    return [told(life, entry), ...livesBehind(life)]
  }
  const livesBehind = ({ generation }: PastLife): Told => {
    const began = at(generation)
    return began === undefined ? [] : livesFrom(lifeBefore(began, id))
  }
  const { life, lastReclaim } = presentOf(state, id)
  return life === undefined ? livesFrom(lastReclaim) : [told(life, undefined), ...livesBehind(life)]
}

/** Runs of several ids that begin, are bound and end together, and apart again. */
function told(running: Running, by: ReadonlyMap<number, EndedBy>, ids: number): void {
  const naive = readForwards(running.log, by)
  for (let id = 1; id <= ids; id++) {
    expect(readBackwards(running.state, running.log, id), `IOASID ${id}`).toEqual(naive.of(id, 0))
  }
}

describe('what stands in the log beside its events', () => {
  it('leads backwards through all lives and bindings of every id, also in a state that was rebuilt', () => {
    fc.assert(
      fc.property(fc.array(STEP, { minLength: 30, maxLength: 150 }), (steps) => {
        const running = start({ capacity: IDS + 1 })
        const by = new Map<number, EndedBy>()
        for (let lease = 0; lease < 2; lease++) {
          submit(running, { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'HOLD' } })
        }
        submit(running, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null })
        for (const step of steps) {
          running.nowMs += 7
          const asked = commandOf(step)
          const freedBy = FREED_BY[asked.kind]
          const before = running.state.revision
          submit(running, asked)
          // What was refused, or had nothing to change, freed nothing.
          if (freedBy !== undefined && running.state.revision > before) by.set(running.state.revision, freedBy)
        }
        told(running, by, IDS)
        const rebuilt = restore(undefined, running.log, running.state.config)
        if ('contradiction' in rebuilt) throw new Error(rebuilt.contradiction)
        told({ ...running, state: rebuilt }, by, IDS)
      }),
      { numRuns: partOf(300) },
    )
  })

  it('takes no room where there is no past', () => {
    const running = start({ capacity: 100 })
    submit(running, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null })
    const allocate = { kind: 'allocate', count: 50, min: 1, max: 99, spids: null, privateData: null } as const
    submit(running, { ...allocate, setId: SET })
    submit(running, { ...allocate, setId: SET, count: 2, spids: [10, 11].map(asSpid) })
    for (const alloc of running.log.slice(1)) {
      expect(alloc).not.toHaveProperty('past')
      expect(alloc).not.toHaveProperty('by')
    }
  })

  it('names ids with the same past together', () => {
    const running = start({ capacity: 100, policy: 'lowest' })
    submit(running, { kind: 'create_set', token: 'vm', quota: 0, leaseId: null })
    const allocate = { kind: 'allocate', setId: SET, min: 1, max: 99, spids: null, privateData: null } as const
    submit(running, { ...allocate, count: 50 })
    submit(running, { kind: 'free_all', setId: SET })
    expect(running.log.at(-1)?.past?.at(-1)).toEqual([1, 50, 0, 1_700_000_000_000, 0])
    submit(running, { ...allocate, count: 60 })
    expect(running.log.at(-1)?.past).toEqual([[1, 50, 3]])
  })

  it('tells ids of one run apart, bindings of one life, and what the end of a lease has freed', () => {
    const running = start({ capacity: 100, policy: 'lowest' })
    const lease = asLeaseId(1)
    const own = asSetId(2)
    const ids = (...wanted: number[]) => wanted.map(asIoasid)
    const of = (id: number) => ({ setId: SET, ioasid: asIoasid(id), device: '' })
    const allocate = { kind: 'allocate', setId: SET, min: 1, max: 99, privateData: null } as const
    const commands: readonly Command[] = [
      { kind: 'grant_lease', terms: { name: '', ttlMs: 1000, onExpiry: 'RELEASE' } },
      { kind: 'create_set', token: 'vm', quota: 0, leaseId: null },
      { kind: 'create_set', token: '', quota: 0, leaseId: lease },
      { ...allocate, count: 5, spids: [10, 11, 12, 13, 14].map(asSpid) },
      { ...allocate, setId: own, count: 2, spids: [20, 21].map(asSpid) },
      { kind: 'detach_spid', ...of(2) },
      { kind: 'attach_spid', ...of(2), spid: asSpid(30) },
      { kind: 'detach_spid', ...of(2) },
      { kind: 'attach_spid', ...of(2), spid: asSpid(31) },
      { kind: 'free', setId: SET, ioasids: ids(1, 3, 5), generation: null },
      { kind: 'expire_lease', leaseId: lease },
      { ...allocate, count: 6, spids: null },
      { kind: 'free_all', setId: SET },
    ]
    for (const command of commands) {
      running.nowMs += 1000
      expect(submit(running, command)).not.toHaveProperty('reason')
    }
    told(running, new Map([[11, 'LEASE']]), 12)
    const [life] = readBackwards(running.state, running.log, 2)
    expect(life?.bindings.map(({ spid }) => spid)).toEqual([31, 30, 11])
    expect(readBackwards(running.state, running.log, 6).map(({ endedBy }) => endedBy)).toEqual(['OWNER', 'LEASE'])
  })
})
