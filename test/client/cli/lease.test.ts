import { describe, expect, it } from 'vitest'
import { grpcError } from '../grpc-error.ts'
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
  [['lease', 'grant', '--ttl', '30s', '-q'], '\nkey-to-kvm\n'],
  [
    ['lease', 'list', '-o', 'wide'],
    `
ID  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  ACKNOWLEDGED  HOLDS                    OWNER  NAME
 5  ALIVE   30000         29950  RELEASE             3     1  CPU                 15  vm-a vm-b #7 and 2 more  -      kvm
12  HELD      500             0  HOLD                1     0  -                    -  -                        -      -
`,
  ],
  [['lease', 'list', '-q'], '\n5\n12\n'],
  [['lease', 'revoke', '-o', 'jsonl'], '\n{"revision":"15"}\n'],
  [['lease', 'revoke', '--lease-id', '12', '-q'], '\n15\n'],
  [['set', 'delete', '--set-id', '5', '--force', '-q'], '\nvm-b\n'],
  [['acquire', '7', '-q'], '\n7\n'],
  [['release', '7', '-o', 'jsonl'], '\n{"ioasid":7,"references":0,"revision":"17","reclaimed":true}\n'],
]

it.each([
  ['lease grant --ttl 1ms', '1'],
  ['watch --all --hold --ttl 100ms', '100'],
])('%s: the refusal of the daemon names the flag', async (line, ms) => {
  const description = `${ms}; 500 to 86400000 are allowed.`
  const violations = [{ field: 'ttl_ms', description }]
  const rich = { reason: 'INVALID_FIELD', metadata: { field: 'ttl_ms' }, violations }
  const refused = grpcError('INVALID_ARGUMENT', `ttl_ms: ${description}`, rich)
  const of = async (...more: string[]) =>
    await once({ answer: () => Promise.reject(refused) }, ...line.split(' '), ...more)
  const message = `--ttl, in ms: ${description}`
  expect(await of()).toMatchObject({ code: 2, err: `error: INVALID_FIELD: ${message}\n  field=ttl_ms\n` })
  const { code, err } = await of('-o', 'json')
  expect({ code, ...JSON.parse(err) }).toMatchObject({
    code: 2,
    error: { reason: 'INVALID_FIELD', code: 'INVALID_ARGUMENT', message, violations },
  })
})

it('another refusal of a lease is told as it is', async () => {
  const refused = grpcError('INVALID_ARGUMENT', 'name: no.', { reason: 'INVALID_FIELD' })
  const { code, err } = await once({ answer: () => Promise.reject(refused) }, 'lease', 'grant', '--ttl', '1s')
  expect({ code, err }).toEqual({ code: 2, err: 'error: INVALID_FIELD: name: no.\n' })
})

describe('ioasidctl, of holders,', () => {
  it.each(printed)('%j prints what people and scripts can read', async (argv, expected) => {
    const { code, out, err, isClosed } = await once(world, ...argv)
    expect(`\n${out}`).toBe(expected)
    expect({ code, err, isClosed }).toEqual({ code: 0, err: '', isClosed: true })
  })

  it('shows the sets of every hold', async () => {
    const list = async (hold: object) =>
      (await once({ answer: () => ({ leases: [{ ...leases[0], hold }] }) }, 'lease', 'list', '-o', 'wide')).out
    expect(await list({ priority: 'DEVICE', all: true })).toMatch(/DEVICE +0 {2}every set {2}- {6}kvm\n$/)
    expect(await list({ priority: 'IOMMU', tokens: ['vm-a'] })).toMatch(/IOMMU +0 {2}vm-a {3}- {6}kvm\n$/)
    expect(await list({ priority: 'IOMMU', set_ids: ['7', '8', '9'] })).toMatch(/ {2}#7 #8 #9 {2}- {6}kvm\n$/)
  })

  it('asks for what its arguments say', async () => {
    const asked = async (...argv: string[]) => (await once(world, ...argv)).calls[0]?.request
    expect(await asked('lease', 'grant', 'kvm', '--ttl', '1m', '--on-expiry', 'hold')).toMatchObject({
      name: 'kvm',
      ttl_ms: '60000',
      on_expiry: 'HOLD',
    })
    expect(await asked('lease', 'grant', '--ttl', '500ms')).toMatchObject({ name: '', on_expiry: 'RELEASE' })
    for (const [text, on_expiry] of [
      ['HOLD', 'HOLD'],
      ['Release', 'RELEASE'],
    ] as const) {
      expect(await asked('lease', 'grant', '--ttl', '1s', '--on-expiry', text)).toMatchObject({ on_expiry })
    }
    expect(await asked('lease', 'revoke')).toMatchObject({ lease_handle: 'key-to-kvm' })
    expect(await asked('lease', 'revoke', '--lease-id', '12')).toMatchObject({ lease_id: '12' })
    expect(await asked('set', 'delete', '--set-id', '5', '--force')).toMatchObject({ set_id: '5' })
    expect(await asked('lease', 'revoke', '--lease', 'other')).toMatchObject({ lease_handle: 'other' })
    expect(await asked('acquire', '7')).toMatchObject({ set_ref: 'set_handle', lease_handle: 'key-to-kvm', ioasid: 7 })
    expect(await asked('release', '7', '--token', 'b', '--lease', 'x')).toMatchObject({ token: 'b', lease_handle: 'x' })
    expect(await asked('set', 'create', 'vm-a', '--lease', 'x')).toMatchObject({ token: 'vm-a', lease_handle: 'x' })
    const bySpid = await once(
      { env, answer: () => ({ info: { ioasid: 7, state: 'ACTIVE' } }) },
      'acquire',
      '--spid',
      '0',
    )
    expect(bySpid.calls).toMatchObject([
      { path: '/ioasid.v1.IoasidService/FindBySpid', request: { spid: 0, acquire_for_lease: 'key-to-kvm' } },
    ])
    // Not that of the environment.
    expect(await asked('set', 'create', 'vm-a')).not.toHaveProperty('lease_handle')
  })
})
