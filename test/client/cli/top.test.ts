import { describe, expect, it } from 'vitest'
import type { Terminal } from '../../../client/cli/run.ts'
import { type TopFacts, topPage } from '../../../client/cli/top-page.ts'
import type { DaemonStatus, IoasidSet, LeaseInfo } from '../../../client/index.ts'
import { ioasidctl, once } from './fake-io.ts'

const status: DaemonStatus = {
  version: '0.1.0',
  spaceId: 's-1',
  capacity: 1_048_576,
  reserved: 512,
  available: 1_048_063,
  sets: 2,
  allocated: 10_486,
  freePending: 3,
  resting: 7,
  leases: 1,
  subscriptions: 4,
  revision: 1300n,
  compactRevision: 200n,
  requestWindowMs: 600_000,
  store: 'lmdb',
  role: 'LEADER',
  overruns: 5,
}
const set = (setId: bigint, token: string, allocated: number): IoasidSet => ({
  setHandle: '',
  setId,
  token,
  quota: 16,
  allocated,
  freePending: 0,
  bound: 2,
  state: 'ACTIVE',
  leaseId: undefined,
  createRevision: 1n,
  owner: '',
})
const lease: LeaseInfo = {
  leaseHandle: '',
  leaseId: 9n,
  name: 'kvm',
  ttlMs: 10_000,
  remainingMs: 8_000,
  onExpiry: 'HOLD',
  references: 12,
  sets: 1,
  state: 'ALIVE',
  hold: undefined,
  owner: '',
}
const facts: TopFacts = {
  status,
  changesPerSecond: 12.34,
  sets: [set(3n, 'vm-a', 10_000), set(12n, 'vm-b', 486)],
  leases: [lease],
  events: ['1300  BIND  vm-a  ioasid 7  spid 101', '1299  ALLOC  vm-a  ioasid 7'],
  stale: undefined,
}

describe('a page of top', () => {
  it('has the space, the sets with the most ids, leases and the latest events', () => {
    expect(`\n${topPage(facts, { columns: 80, rows: 24 }).join('\n')}\n`).toBe(`
ioasidd 0.1.0  lmdb  LEADER  revision 1300 (12.3/s)  kept after 200
[#.......................................] 1.0 %
ids      10486 of 1048576 allocated  3 pending  7 resting  1048063 to reserve
clients  2 sets  1 leases  4 subscriptions  5 overruns

ALLOCATED  PENDING  BOUND  QUOTA  STATE   SET  TOKEN
    10000        0      2     16  ACTIVE    3  vm-a
      486        0      2     16  ACTIVE   12  vm-b

REFERENCES  SETS  REMAINING_MS  ON_EXPIRY  STATE  LEASE  NAME
        12     1          8000  HOLD       ALIVE      9  kvm

LATEST EVENTS
1300  BIND  vm-a  ioasid 7  spid 101
1299  ALLOC  vm-a  ioasid 7
`)
  })

  it('fits every terminal, and on a small one shows what matters most', () => {
    const many = { ...facts, sets: Array.from({ length: 1000 }, (_, index) => set(BigInt(index), 'x'.repeat(255), 1)) }
    for (const size of [
      { columns: 80, rows: 24 },
      { columns: 200, rows: 60 },
      { columns: 20, rows: 5 },
      { columns: 1, rows: 1 },
    ]) {
      const page = topPage(many, size)
      expect(page.length).toBeLessThanOrEqual(size.rows)
      for (const line of page) expect(line.length).toBeLessThanOrEqual(size.columns)
    }
    expect(topPage(many, { columns: 80, rows: 24 })).toHaveLength(24)
    expect(topPage(many, { columns: 80, rows: 4 })[0]).toContain('revision 1300')
  })

  it('says that it is not of now when nobody answers', () => {
    const page = topPage({ ...facts, stale: 'UNAVAILABLE: nobody answers' }, { columns: 80, rows: 24 })
    expect(page).toContain('NOT OF NOW: UNAVAILABLE: nobody answers')
  })
})

const wireSets = [
  { set_id: '1', token: 'few', allocated: 1, state: 'ACTIVE' },
  { set_id: '2', token: 'many', allocated: 10, state: 'ACTIVE' },
]
const answer = (path: string) => {
  if (path.endsWith('/ListSets')) return { sets: wireSets }
  return path.endsWith('/GetStatus')
    ? { version: '1', revision: '5', capacity: 100, allocated: 11, role: 'LEADER' }
    : {}
}

describe('top', () => {
  it('prints one page where there is no terminal, the set with the most ids first', async () => {
    const { code, out } = await once({ answer }, 'top')
    expect(code).toBe(0)
    expect(out).not.toContain('\x1b')
    expect(out.indexOf('many')).toBeLessThan(out.indexOf('few'))
    const { out: json } = await once({ answer }, 'top', '-o', 'json')
    expect(JSON.parse(json)).toMatchObject({ status: { allocated: 11 }, sets: [{ token: 'many' }, { token: 'few' }] })
  })

  /** A terminal that is looked at so many times; `turn` is called before each look but the first. */
  function terminal(looks: number, turn: (look: number) => void, end: () => void): Terminal {
    let look = 0
    return {
      size: () => ({ columns: 80, rows: 10 + look }),
      wait: async () => {
        look += 1
        // What was told meanwhile is read.
        await new Promise((resolve) => setImmediate(resolve))
        if (look === looks) end()
        else turn(look)
        await new Promise((resolve) => setImmediate(resolve))
      },
    }
  }

  it('shows the page again and again on a terminal, with rates and events, and gives the screen back', async () => {
    let revision = 5
    const moving = (path: string) => {
      const told = answer(path)
      revision += path.endsWith('/GetStatus') ? 3 : 0
      return { ...told, revision: String(revision) }
    }
    const turn = () => {
      const notification = { type: 'ALLOC', revision: '6', token: 'vm-a', set_id: '1', ioasid: 7, generation: '6' }
      cli.streams[0]?.send({ notifications: [notification], revision: '6' })
    }
    const cli = ioasidctl({ answer: moving, terminal: terminal(3, turn, () => cli.interrupt.abort()) })
    expect(await cli.run('top')).toBe(130)
    const out = cli.out()
    expect(out.startsWith('\x1b[?1049h\x1b[?25l')).toBe(true)
    expect(out.endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
    const pages = out.split('\x1b[H').slice(1)
    expect(pages).toHaveLength(3)
    expect(pages[0]).not.toContain('/s)')
    expect(pages[1]).toMatch(/revision 11 \(\d+\.\d\/s\)/)
    expect(pages[2]).toContain('ALLOC')
    expect(cli.isClosed()).toBe(true)
    expect(cli.streams[0]?.isCancelled()).toBe(true)
  })
})
