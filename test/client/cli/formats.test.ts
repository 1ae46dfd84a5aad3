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
const sets = [
  { set_id: '1', token: 'yes', quota: 16, allocated: 3, state: 'ACTIVE', lease_id: '4', create_revision: '9' },
]
const world = {
  answer: (path: string) => {
    if (path.endsWith('/ListIoasids')) return { infos }
    if (path.endsWith('/ListSets')) return { sets }
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

  it('has more columns of sets', async () => {
    const { out } = await once(world, 'set', 'list', '-o', 'wide')
    expect(`\n${out}`).toBe(`
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE   LEASE  CREATE_REVISION  TOKEN
 1     16          3        0      0  ACTIVE      4                9  yes
`)
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
