import { describe, expect, it } from 'vitest'
import { once } from './fake-io.ts'

const env = { IOASIDCTL_SET_HANDLE: 'key-to-a', IOASIDCTL_LEASE_HANDLE: 'key-to-kvm' }
const leases = [
  {
    lease_id: '5',
    name: 'kvm',
    ttl_ms: '30000',
    remaining_ms: '29950',
    on_expiry: 'RELEASE',
    references: '3',
    sets: 1,
    state: 'ALIVE',
  },
  { lease_id: '12', name: '', ttl_ms: '500', remaining_ms: '0', on_expiry: 'HOLD', references: '1', state: 'HELD' },
]
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

function daemon(path: string, { set_handle }: Record<string, unknown>): unknown {
  switch (path.split('/').at(-1)) {
    case 'CreateSet':
      return { set: { set_id: '1', token: 'vm-a', state: 'ACTIVE', set_handle: 'key-to-a' }, revision: '1' }
    case 'GrantLease':
      return { lease: { ...leases[0], lease_handle: 'key-to-kvm' }, revision: '3' }
    case 'KeepLeaseAlive':
    case 'GetLease':
      return { lease: { ...leases[0], lease_handle: 'key-to-kvm' }, revision: '3' }
    case 'ListLeases':
      return { leases }
    case 'Acquire':
      return { references: '2', revision: '16' }
    case 'Release':
      return { references: '0', reclaimed: true, revision: '17' }
    case 'GetIoasid':
    case 'FindBySpid':
      return { info: { ...pending, holders: set_handle === 'key-to-a' ? holders : [] }, revision: '16' }
    default:
      return { revision: '15' }
  }
}

const world = { env, answer: daemon }

const printed: [string[], string][] = [
  [
    ['lease', 'grant', 'kvm', '--ttl', '30s'],
    `
ID  NAME  TTL_MS  ON_EXPIRY  HANDLE
 5  kvm    30000  RELEASE    key-to-kvm
`,
  ],
  [['lease', 'grant', '--ttl', '30s', '-q'], '\nkey-to-kvm\n'],
  [
    ['lease', 'keep-alive'],
    `
ID  NAME  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS
 5  kvm   ALIVE   30000         29950  RELEASE             3     1
`,
  ],
  [
    ['lease', 'get', '-o', 'json'],
    `
{
  "leaseHandle": "key-to-kvm",
  "leaseId": "5",
  "name": "kvm",
  "ttlMs": 30000,
  "remainingMs": 29950,
  "onExpiry": "RELEASE",
  "references": 3,
  "sets": 1,
  "state": "ALIVE"
}
`,
  ],
  [
    ['lease', 'list'],
    `
ID  NAME  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS
 5  kvm   ALIVE   30000         29950  RELEASE             3     1
12  -     HELD      500             0  HOLD                1     0
`,
  ],
  [['lease', 'list', '-q'], '\n5\n12\n'],
  [['lease', 'revoke'], '\nREVISION\n      15\n'],
  [['lease', 'revoke', '-o', 'jsonl'], '\n{"revision":"15"}\n'],
  [
    ['acquire', '7', '--token', 'vm-a'],
    `
IOASID  REFERENCES  REVISION
     7           2        16
`,
  ],
  [['acquire', '7', '-q'], '\n7\n'],
  [
    ['release', '7', '--token', 'vm-a'],
    `
IOASID  REFERENCES  RECLAIMED  REVISION
     7           0  yes              17
`,
  ],
  [['release', '7', '-o', 'jsonl'], '\n{"ioasid":7,"references":0,"revision":"17","reclaimed":true}\n'],
  [
    ['get', '7', '--set-handle', 'key-to-a'],
    `
IOASID  SPID  STATE         REFERENCES  GENERATION  SET  TOKEN
     7   101  FREE_PENDING           4          12    1  vm-a
not free yet: 4 references left
  lease 5 (kvm): 3 references since revision 13, 2h 5m ago (2026-01-02T00:58:56.000Z)
  lease 12: 1 reference since revision 14, 0s ago (2026-01-02T03:04:08.000Z), has yet to acknowledge revision 15
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

const wrong: [string[], RegExp][] = [
  [['lease', 'grant', 'kvm'], /--ttl/],
  [['lease', 'grant', '--ttl', '30'], /--ttl .* 1ms to 24h/],
  [['lease', 'grant', '--ttl', '30s', '--on-expiry', 'keep'], /Allowed choices are release, hold/],
  [['acquire', '--lease', 'x'], /missing required argument 'ioasid'/],
  [['release', 'seven', '--lease', 'x'], /ioasid.* whole number from 0 to 4294967295/],
  [['acquire', '7', '--token', 'vm-a', '--set-handle', 'x'], /not both/],
]

describe('ioasidctl, of holders,', () => {
  it.each(printed)('%j prints what people and scripts can read', async (argv, expected) => {
    const { code, out, err, isClosed } = await once(world, ...argv)
    expect(`\n${out}`).toBe(expected)
    expect({ code, err, isClosed }).toEqual({ code: 0, err: '', isClosed: true })
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
    const { out } = await once({ env, answer }, 'get', '7', '--set-handle', 'key-to-a')
    expect(out).toContain(`revision 13, ${text} ago (`)
  })

  it('asks for what its arguments say', async () => {
    const asked = async (...argv: string[]) => (await once(world, ...argv)).calls[0]?.request
    expect(await asked('lease', 'grant', 'kvm', '--ttl', '1m', '--on-expiry', 'hold')).toMatchObject({
      name: 'kvm',
      ttl_ms: '60000',
      on_expiry: 'HOLD',
    })
    expect(await asked('lease', 'grant', '--ttl', '500ms')).toMatchObject({ name: '', on_expiry: 'RELEASE' })
    expect(await asked('lease', 'revoke')).toMatchObject({ lease_handle: 'key-to-kvm' })
    expect(await asked('lease', 'revoke', '--lease', 'other')).toMatchObject({ lease_handle: 'other' })
    expect(await asked('acquire', '7')).toMatchObject({ set_ref: 'set_handle', lease_handle: 'key-to-kvm', ioasid: 7 })
    expect(await asked('release', '7', '--token', 'b', '--lease', 'x')).toMatchObject({ token: 'b', lease_handle: 'x' })
    expect(await asked('set', 'create', 'vm-a', '--lease', 'x')).toMatchObject({ token: 'vm-a', lease_handle: 'x' })
    // Not that of the environment.
    expect(await asked('set', 'create', 'vm-a')).not.toHaveProperty('lease_handle')
  })

  it.each(wrong)('is told what would be right of %j, and nothing is sent', async (argv, sentence) => {
    const { code, out, err, calls } = await once({ env: { IOASIDCTL_SET_HANDLE: 'a' } }, ...argv)
    expect({ code, out, calls }).toEqual({ code: 2, out: '', calls: [] })
    expect(err).toMatch(sentence)
  })

  it('wants a lease to be named where one is needed', async () => {
    const needing = [
      ['lease', 'keep-alive'],
      ['lease', 'revoke'],
      ['lease', 'get'],
      ['acquire', '7'],
      ['release', '7'],
    ]
    for (const argv of needing) {
      const { code, err, calls } = await once({ env: { IOASIDCTL_SET_HANDLE: 'a' } }, ...argv)
      expect({ argv, code, calls }).toEqual({ argv, code: 2, calls: [] })
      expect(err).toContain('IOASIDCTL_LEASE_HANDLE')
    }
  })
})
