import { describe, expect, it } from 'vitest'
import { decide } from '../../server/core/decide.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asSetId } from '../../server/core/ids.ts'
import { BEFORE_ALL, type IdCursor, listIoasids } from '../../server/core/query.ts'
import type { State } from '../../server/core/state.ts'
import { start, submit } from '../support/space.ts'

const setId = asSetId(1)
const IDS = 3000
const PAGE = 100

/** The same state, and how often pages of ids were looked at in it. */
function watched(state: State) {
  const seen = { looks: 0 }
  const pages = new Proxy(state.table.pages, {
    get: (target, key) => {
      seen.looks += 1
      return Reflect.get(target, key)
    },
  })
  return { seen, state: { ...state, table: { ...state.table, pages } } }
}

/** How often pages of ids were looked at while a list was read to its end. */
function looksOfList(): { readonly looks: number; readonly listed: number } {
  const running = start({ capacity: IDS + 1 })
  submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
  submit(running, { kind: 'allocate', setId, count: IDS, min: 0, max: IDS, spids: null, privateData: null })
  const { seen, state } = watched(running.state)
  let listed = 0
  let after: IdCursor | undefined = BEFORE_ALL
  while (after !== undefined) {
    const page = listIoasids(state, { setId }, after, PAGE)
    if (isFailure(page)) throw new Error(page.message)
    listed += page.items.length
    const last = page.items.at(-1)
    after = page.more && last !== undefined ? { generation: last.generation, ioasid: last.ioasid } : undefined
  }
  return { looks: seen.looks, listed }
}

describe('a list of ids', () => {
  it('begins each page where the last one ended, without a walk over what was listed before', () => {
    const { looks, listed } = looksOfList()
    expect(listed).toBe(IDS)
    expect(looks).toBeLessThan(3 * IDS)
  })
})

describe('an Allocate that only rest keeps from succeeding', () => {
  it('looks no further along what rests than the id that would be enough, where it names no range', () => {
    const running = start({ capacity: IDS + 1, reuseDelayMs: 1000 })
    const allocate = { kind: 'allocate', setId, min: 1, max: IDS, spids: null, privateData: null } as const
    submit(running, { kind: 'create_set', token: 'vm-a', quota: 0, leaseId: null })
    submit(running, { ...allocate, count: IDS })
    submit(running, { kind: 'free_all', setId })
    const { seen, state } = watched(running.state)
    expect(decide(state, { ...allocate, count: 2 })).toMatchObject({ metadata: { resting: `${IDS}` } })
    expect(seen.looks).toBeLessThan(10)
  })
})
