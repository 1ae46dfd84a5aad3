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
    hold: {
      priority: 'CPU',
      tokens: ['vm-a', 'vm-b'],
      set_ids: ['7', '9', '11'],
      register_revision: '4',
      acknowledged_revision: '15',
    },
  },
  { lease_id: '12', name: '', ttl_ms: '500', remaining_ms: '0', on_expiry: 'HOLD', references: '1', state: 'HELD' },
]
function daemon(path: string): unknown {
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
    case 'ForceDeleteSet':
      return { set: { set_id: '5', token: 'vm-b', state: 'GONE' }, revision: '18' }
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
ID  NAME  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  ACKNOWLEDGED  HOLDS
 5  kvm   ALIVE   30000         29950  RELEASE             3     1  CPU                 15  vm-a vm-b #7 and 2 more
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
  "state": "ALIVE",
  "hold": {
    "priority": "CPU",
    "tokens": [
      "vm-a",
      "vm-b"
    ],
    "setIds": [
      "7",
      "9",
      "11"
    ],
    "all": false,
    "registerRevision": "4",
    "acknowledgedRevision": "15"
  }
}
`,
  ],
  [
    ['lease', 'list'],
    `
ID  NAME  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  ACKNOWLEDGED  HOLDS
 5  kvm   ALIVE   30000         29950  RELEASE             3     1  CPU                 15  vm-a vm-b #7 and 2 more
12  -     HELD      500             0  HOLD                1     0  -                    -  -
`,
  ],
  [['lease', 'list', '-q'], '\n5\n12\n'],
  [['lease', 'revoke'], '\nREVISION\n      15\n'],
  [['lease', 'revoke', '-o', 'jsonl'], '\n{"revision":"15"}\n'],
  [['lease', 'revoke', '--lease-id', '12', '-q'], '\n15\n'],
  [['set', 'delete', '--set-id', '5', '--force', '-q'], '\nvm-b\n'],
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
]

const wrong: [string[], RegExp][] = [
  [['lease', 'grant', 'kvm'], /--ttl/],
  [['lease', 'grant', '--ttl', '30'], /--ttl .* 1ms to 24h/],
  [['lease', 'grant', '--ttl', '30s', '--on-expiry', 'keep'], /Allowed choices are release, hold/],
  [['lease', 'revoke', '--lease', 'x', '--lease-id', '12'], /not both/],
  [['lease', 'revoke', '--lease-id', 'kvm'], /--lease-id .* whole number from 0 to 18446744073709551615/],
  [['set', 'delete', '--set-id', '5'], /--set-id .* --force/],
  [['set', 'delete', '--set-id', '5', '--force', '--set-handle', 'x'], /not both/],
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

  it('shows the sets of every hold', async () => {
    const list = async (hold: object) =>
      (await once({ answer: () => ({ leases: [{ ...leases[0], hold }] }) }, 'lease', 'list')).out
    expect(await list({ priority: 'DEVICE', all: true })).toMatch(/DEVICE +0 {2}every set\n$/)
    expect(await list({ priority: 'IOMMU', tokens: ['vm-a'] })).toMatch(/IOMMU +0 {2}vm-a\n$/)
    expect(await list({ priority: 'IOMMU', set_ids: ['7', '8', '9'] })).toMatch(/ {2}#7 #8 #9\n$/)
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
    expect(await asked('lease', 'revoke', '--lease-id', '12')).toMatchObject({ lease_id: '12' })
    expect(await asked('set', 'delete', '--set-id', '5', '--force')).toMatchObject({ set_id: '5' })
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
