import { describe, expect, it } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import { decide } from '../../server/core/decide.ts'
import { evolve } from '../../server/core/evolve.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asLeaseId, asRevision, asSetId, asSpid } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import type { State } from '../../server/core/state.ts'
import { type Running, start, submit } from '../support/space.ts'

const setId = asSetId(1)
const kvm = asLeaseId(1)
const iommu = asLeaseId(2)

function done(running: Running, command: Command): void {
  const decision = submit(running, command)
  if (isFailure(decision)) throw new Error(`${command.kind} was refused: ${decision.message}`)
  // Nobody reads it here, and it would be what grows.
  running.log.length = 0
}

/** Two leases, one set vm-a, and so many ids of it, bound if that is wanted. */
function space(ids: number, isBound: boolean): Running {
  const running = start({ capacity: ids + 1 })
  const terms = { name: '', ttlMs: 1000, onExpiry: 'HOLD' } as const
  done(running, { kind: 'grant_lease', terms })
  done(running, { kind: 'grant_lease', terms })
  done(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  const spids = isBound ? Array.from({ length: ids }, (_, spid) => asSpid(spid)) : null
  done(running, { kind: 'allocate', setId, count: ids, min: 0, max: ids, spids, privateData: null })
  return running
}

const NAMES = [
  ['system-wide', 'all'],
  ['by token', { tokens: ['vm-a'], setIds: [] }],
  ['by set', { tokens: [], setIds: [setId] }],
  ['by both', { tokens: ['vm-a'], setIds: [setId] }],
] as const

/** Everything of a state that can grow, in entries. */
function entries(state: State): Record<string, number> {
  const size = (lists: Iterable<{ readonly length: number } | { readonly size: number }>) =>
    [...lists].reduce((sum, list) => sum + 1 + ('size' in list ? list.size : list.length), 0)
  const pages = state.table.pages.flatMap((page) => page ?? [])
  const { ofAll, byToken, bySet } = state.holders
  return {
    pages: pages.length,
    devices: size(pages.flatMap(({ devices }) => [...devices.values()])),
    acquired: size(pages.flatMap(({ references }) => [...references.values()])),
    holds: size(pages.flatMap(({ holds }) => [...holds.values()])),
    pending: size(pages.map(({ pending }) => pending)),
    awaited: size([...state.holdIds.values()].map(({ awaited }) => awaited)),
    live: size([...state.holdIds.values()].map(({ live }) => live)),
    holders: size([ofAll, ...byToken.values(), ...bySet.values()]),
    spids: size(state.spids.values()),
    leases: state.leases.size,
    sets: state.sets.size,
    ended: state.endedSets.revisions.size,
    references: state.references,
  }
}

describe('a holder', () => {
  it('that never acknowledges costs as much after twenty thousand bindings and teardowns of an id as after one', () => {
    const running = space(3, false)
    done(running, { kind: 'register', leaseId: kvm, names: 'all', priority: 'CPU' })
    done(running, { kind: 'register', leaseId: iommu, names: { tokens: ['vm-a'], setIds: [] }, priority: 'IOMMU' })
    const cycle = (spid: number) => {
      const binding = { setId, ioasid: asIoasid(1), device: '' } as const
      done(running, { kind: 'attach_spid', ...binding, spid: asSpid(spid) })
      done(running, { kind: 'detach_spid', ...binding })
      // The other one does its duty.
      done(running, { kind: 'acknowledge', leaseId: iommu, revision: running.state.revision })
    }
    cycle(0)
    const before = entries(running.state)
    for (let spid = 1; spid <= 20_000; spid++) cycle(spid)
    expect(entries(running.state)).toEqual(before)
    expect(violations(running.state)).toEqual([])

    done(running, { kind: 'acknowledge', leaseId: kvm, revision: running.state.revision })
    expect(entries(running.state)).toMatchObject({ references: 0, holds: 0, awaited: 0, live: 0 })
  })

  it('leaves nothing of an id that it has let go, however many lives that had', () => {
    const running = space(3, false)
    done(running, { kind: 'register', leaseId: kvm, names: 'all', priority: 'CPU' })
    const life = () => {
      done(running, { kind: 'attach_spid', setId, ioasid: asIoasid(1), spid: asSpid(1), device: '' })
      done(running, { kind: 'free', setId, ioasids: [asIoasid(1)], generation: null })
      done(running, { kind: 'acknowledge', leaseId: kvm, revision: running.state.revision })
      done(running, { kind: 'allocate', setId, count: 1, min: 1, max: 1, spids: null, privateData: null })
    }
    life()
    const before = entries(running.state)
    for (let count = 0; count < 1000; count++) life()
    expect(entries(running.state)).toEqual(before)
  })
})

describe('what is written down of ids', () => {
  it('that were bound and unbound together is written once', () => {
    const running = space(3, true)
    done(running, { kind: 'register', leaseId: kvm, names: 'all', priority: 'CPU' })
    done(running, { kind: 'free_all', setId })
    const written = running.state.table.pages.flatMap((page) => [...(page?.holds.values() ?? [])].flat())
    expect(written).toHaveLength(3)
    expect(new Set(written).size).toBe(1)
  })
})

describe('a binding', () => {
  it('by the unnamed device alone needs no list of devices', () => {
    expect(entries(space(3, true).state)).toMatchObject({ devices: 0 })
  })
})

/** The same state, with a table that may not be looked at. */
function blindfolded(state: State): State {
  const look = () => {
    throw new Error('an id was looked at')
  }
  return { ...state, table: new Proxy(state.table, { get: look, set: look, ownKeys: look }) }
}

describe('a registration over ten thousand bound ids', () => {
  it.each(NAMES)('visits none of them, %s', (_what, names) => {
    const { state } = space(10_000, true)
    const blind = blindfolded(state)
    const decision = decide(blind, { kind: 'register', leaseId: kvm, names, priority: 'IOMMU' })
    if (isFailure(decision)) throw new Error(decision.message)
    evolve(blind, { revision: asRevision(state.revision + 1), servingMs: 0, wallMs: 0, events: decision.events })
    expect(blind.references).toBe(10_000)
    expect(blind.leases.get(kvm)?.holding?.references).toBe(10_000)
    expect(state.table.pages.flatMap((page) => [...(page?.holds.keys() ?? [])])).toEqual([])
  })

  it.each(NAMES)('and the end of its lease visits none of them either, %s', (_what, names) => {
    const running = space(10_000, true)
    done(running, { kind: 'register', leaseId: kvm, names, priority: 'IOMMU' })
    const blind = blindfolded(running.state)
    const decision = decide(blind, { kind: 'revoke_lease', leaseId: kvm })
    if (isFailure(decision)) throw new Error(decision.message)
    const revision = asRevision(running.state.revision + 1)
    evolve(blind, { revision, servingMs: 0, wallMs: 0, events: decision.events })
    expect(blind.references).toBe(0)
  })

  it('settles one teardown without a look at the ids that stay bound', () => {
    const running = space(10_000, true)
    done(running, { kind: 'register', leaseId: kvm, names: 'all', priority: 'IOMMU' })
    for (const id of [7000, 7001]) done(running, { kind: 'detach_spid', setId, ioasid: asIoasid(id), device: '' })
    const { table } = running.state
    const pages = new Proxy(table.pages, {
      get: (target, key) => {
        if (key === '0' || key === '2') throw new Error(`page ${key} was looked at`)
        return Reflect.get(target, key)
      },
    })
    const state = { ...running.state, table: { ...table, pages } }
    const decision = decide(state, { kind: 'acknowledge', leaseId: kvm, revision: state.revision })
    if (isFailure(decision)) throw new Error(decision.message)
    evolve(state, { revision: asRevision(state.revision + 1), servingMs: 0, wallMs: 0, events: decision.events })
    expect(state.references).toBe(9998)
  })
})
