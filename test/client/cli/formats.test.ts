import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { once } from './fake-io.ts'

const infos = [
  {
    ioasid: 7,
    set_id: '1',
    token: 'vm-a',
    spid: 101,
    state: 'ACTIVE',
    references: '1',
    generation: '12',
    bind_revision: '13',
    devices: ['', 'nic'],
    private_data: Buffer.from([1, 255]),
  },
  { ioasid: 1043, set_id: '1', token: 'vm-a', state: 'IDLE', references: '0', generation: '9007199254740993' },
]
const owner = 'spiffe://fleet/vmm'
const sets = [
  { set_id: '1', token: 'yes', quota: 16, allocated: 3, state: 'ACTIVE', lease_id: '4', create_revision: '9', owner },
  { set_id: '12', token: 'no', quota: 0, allocated: 0, state: 'ACTIVE', create_revision: '10', owner: 'uid:0' },
  { set_id: '13', token: '', quota: 0, allocated: 0, state: 'ACTIVE', create_revision: '11' },
]
const terms = { ttl_ms: '10000', remaining_ms: '500', on_expiry: 'RELEASE', state: 'ALIVE' }
const leases = [
  { lease_id: '4', name: 'kvm', ...terms, hold: { priority: 'CPU', tokens: ['yes'], register_revision: '5' }, owner },
  { lease_id: '12', name: 'nic', ...terms },
]
const world = {
  answer: (path: string) => {
    if (path.endsWith('/ListIoasids')) return { infos }
    if (path.endsWith('/ListSets')) return { sets }
    if (path.endsWith('/GetSet')) return { set: sets[0] }
    if (path.endsWith('/ListLeases')) return { leases }
    if (path.endsWith('/GetLease')) return { lease: leases[0] }
    return { version: '0.1.0', space_id: 's-1', revision: '12', role: 'LEADER' }
  },
}

describe('-o wide', () => {
  it('has more columns of ids', async () => {
    const { out } = await once(world, 'list', '--token', 'vm-a', '-o', 'wide')
    expect(`\n${out}`).toBe(`
IOASID  SPID  STATE   REFERENCES        GENERATION  SET  BIND_REVISION  DATA_BYTES  DEVICES  TOKEN
     7   101  ACTIVE           1                12    1             13           2  -,nic    vm-a
  1043     -  IDLE             0  9007199254740993    1              -           -  -        vm-a
`)
  })

  it('has numbers on the right, and on the right nothing where there is none', async () => {
    const { out } = await once({ answer: () => ({ infos: infos.slice(1) }) }, 'list', '--token', 'vm-a', '-o', 'wide')
    expect(`\n${out}`).toBe(`
IOASID  SPID  STATE  REFERENCES        GENERATION  SET  BIND_REVISION  DATA_BYTES  DEVICES  TOKEN
  1043     -  IDLE            0  9007199254740993    1              -           -  -        vm-a
`)
  })

  it('has more columns of sets, with who owns them', async () => {
    const { out } = await once(world, 'set', 'list', '-o', 'wide')
    expect(`\n${out}`).toBe(`
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE   LEASE  CREATE_REVISION  OWNER               TOKEN
 1     16          3        0      0  ACTIVE      4                9  spiffe://fleet/vmm  yes
12      0          0        0      0  ACTIVE      -               10  uid:0               no
13      0          0        0      0  ACTIVE      -               11  -                   -
`)
    const one = await once(world, 'set', 'get', '--token', 'yes', '-o', 'wide', '--no-headers')
    expect(one.out).toBe('1  16  3  0  0  ACTIVE  4  9  spiffe://fleet/vmm  yes\n')
  })

  it('has more columns of leases, with who owns them', async () => {
    const { out } = await once(world, 'lease', 'list', '-o', 'wide')
    expect(`\n${out}`).toBe(`
ID  STATE  TTL_MS  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  ACKNOWLEDGED  HOLDS  OWNER               NAME
 4  ALIVE   10000           500  RELEASE             0     0  CPU                  0  yes    spiffe://fleet/vmm  kvm
12  ALIVE   10000           500  RELEASE             0     0  -                    -  -      -                   nic
`)
    const one = await once(world, 'lease', 'get', '--lease', 'key', '-o', 'wide', '--no-headers')
    expect(one.out).toContain('  spiffe://fleet/vmm  kvm\n')
  })

  it('shows no letter of an owner that a terminal would take for an order', async () => {
    const hostile = { ...sets[0], owner: 'cn:\x1b[2Jroot\nid\x9b1m' }
    const { out } = await once({ answer: () => ({ sets: [hostile] }) }, 'set', 'list', '-o', 'wide', '--no-headers')
    expect(out).toBe('1  16  3  0  0  ACTIVE  4  9  cn:\uFFFD[2Jroot\uFFFDid\uFFFD1m  yes\n')
  })

  it('is a table like any other where there is no more to tell', async () => {
    const { out } = await once(world, 'status', '-o', 'wide')
    expect(out).toBe((await once(world, 'status')).out)
  })
})

describe('-o yaml', () => {
  it('is what JSON is, and numbers of 64 bits are strings', async () => {
    for (const command of [['list', '--token', 'vm-a'], ['set', 'list'], ['status']]) {
      const { code, out } = await once(world, ...command, '-o', 'yaml')
      expect(code).toBe(0)
      expect(parse(out)).toEqual(JSON.parse((await once(world, ...command, '-o', 'json')).out))
    }
    const { out } = await once(world, 'set', 'list', '-o', 'yaml')
    expect(out).toMatch(/^- setHandle: ""\n {2}setId: "1"\n {2}token: yes\n {2}quota: 16\n/)
  })

  it('is what an error is told in, too', async () => {
    const { code, err } = await once(
      { answer: () => Promise.reject(new Error('no')) },
      'status',
      '-o',
      'yaml',
      '--deadline',
      '1ms',
    )
    expect(code).not.toBe(0)
    expect(parse(err)).toHaveProperty('error.code')
  })
})
