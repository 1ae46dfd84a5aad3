import { describe, expect, it } from 'vitest'
import { once } from './fake-io.ts'

const pending = {
  ioasid: 7,
  set_id: '1',
  token: 'vm-a',
  spid: 101,
  state: 'FREE_PENDING',
  references: '4',
  generation: '12',
  bind_revision: '12',
}
/** Seconds since 1970 of a time before the fake world's, 2026-01-02T03:04:05Z. */
const before = (seconds: number) => ({ seconds: String(Date.parse('2026-01-02T03:04:05Z') / 1000 - seconds) })
const holders = [
  { lease_id: '5', name: 'kvm', count: 3, since_revision: '13', since_time: before(7_509) },
  { lease_id: '12', name: '', count: 1, since_revision: '14', since_time: before(-3), awaiting_revision: '15' },
]

/** Without the set's handle it names nobody. */
const world = {
  answer: (_path: string, { set_handle }: Record<string, unknown>) => ({
    info: { ...pending, holders: set_handle === 'key-to-a' ? holders : [] },
  }),
}

const printed: [string[], string][] = [
  [
    ['get', '7', '--set-handle', 'key-to-a'],
    `
IOASID  SPID  STATE         REFERENCES  GENERATION  SET  TOKEN
     7   101  FREE_PENDING           4          12    1  vm-a
not free yet: 4 references left
  lease 5 (kvm): 3 references, has yet to release them
    since revision 13, 2h 5m ago (2026-01-02T00:58:56.000Z)
  lease 12: 1 reference, has yet to acknowledge revision 15
    since revision 14, 0s ago (2026-01-02T03:04:08.000Z)
`,
  ],
  [
    ['get', '7', '--no-headers'],
    `
7  101  FREE_PENDING  4  12  1  vm-a
not free yet: 4 references left; with --set-handle it is shown who holds them
`,
  ],
  [['get', '7', '--set-handle', 'key-to-a', '-q'], '\n7\n'],
]

describe('ioasidctl get', () => {
  it.each(printed)('%j says why a freed id is not free yet', async (argv, expected) => {
    const { code, out, err } = await once(world, ...argv)
    expect(`\n${out}`).toBe(expected)
    expect({ code, err }).toEqual({ code: 0, err: '' })
  })

  it('shows of an id that is not freed who holds it, where the daemon tells', async () => {
    const answer = () => ({ info: { ...pending, state: 'ACTIVE', references: '1', holders: holders.slice(0, 1) } })
    const { out } = await once({ answer }, 'get', '7', '--no-headers')
    expect(out).toBe(`7  101  ACTIVE  1  12  1  vm-a
held: 1 reference
  lease 5 (kvm): 3 references
    since revision 13, 2h 5m ago (2026-01-02T00:58:56.000Z)
`)
    const untold = await once({ answer: () => ({ info: { ...pending, state: 'ACTIVE' } }) }, 'get', '7', '--no-headers')
    expect(untold.out).toBe('7  101  ACTIVE  4  12  1  vm-a\n')
  })

  it('shows who holds a pending id in JSON, as the daemon tells it', async () => {
    const { out } = await once(world, 'get', '7', '--set-handle', 'key-to-a', '-o', 'json')
    expect(JSON.parse(out)).toMatchObject({
      state: 'FREE_PENDING',
      holders: [
        { leaseId: '5', name: 'kvm', count: 3, sinceRevision: '13', sinceTime: '2026-01-02T00:58:56.000Z' },
        { leaseId: '12', count: 1, awaitingRevision: '15' },
      ],
    })
  })

  it.each([
    [0, '0s'],
    [59, '59s'],
    [60, '1m 0s'],
    [3_599, '59m 59s'],
    [86_399, '23h 59m'],
    [90_000, '1d 1h'],
    [31_536_000, '365d 0h'],
  ])('says of %d seconds that they are %s', async (seconds, text) => {
    const holder = { ...holders[0], since_time: before(seconds) }
    const answer = () => ({ info: { ...pending, holders: [holder] } })
    const { out } = await once({ answer }, 'get', '7', '--set-handle', 'key-to-a')
    expect(out).toContain(`revision 13, ${text} ago (`)
  })
})
