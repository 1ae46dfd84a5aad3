import { describe, expect, it } from 'vitest'
import { once } from './fake-io.ts'

const env = { IOASIDCTL_SET_HANDLE: 'key-to-a' }
const sets = [
  { set_id: '1', token: 'vm-a', quota: 16, allocated: 3, free_pending: 0, bound: 2, state: 'ACTIVE' },
  { set_id: '12', token: '', quota: 0, allocated: 1024, free_pending: 7, bound: 0, state: 'DRAINING' },
]
const infos = [
  { ioasid: 7, set_id: '1', token: 'vm-a', spid: 101, state: 'ACTIVE', references: '1', generation: '12' },
  { ioasid: 1043, set_id: '1', token: 'vm-a', state: 'IDLE', references: '0', generation: '9007199254740993' },
]

function daemon(path: string, request: Record<string, unknown>): unknown {
  switch (path.split('/').at(-1)) {
    case 'CreateSet':
      return { set: { ...sets[0], set_handle: 'key-to-a' }, revision: '1' }
    case 'AdjustQuota':
    case 'DeleteSet':
      return { set: { ...sets[0], set_handle: 'key-to-a' }, revision: '9' }
    case 'GetSet':
      return { set: sets[0] }
    case 'ListSets':
      return { sets }
    case 'Allocate':
      return { ioasids: [7, 1043], revision: '12' }
    case 'Free':
      return {
        results: [
          { ioasid: 7, state: 'FREE_PENDING', references: '2' },
          { ioasid: 1043, state: 'FREE', references: '0' },
        ],
        revision: '13',
      }
    case 'GetIoasid':
    case 'FindBySpid':
      return { info: { ...infos[0], private_data: Buffer.from([1, 255]) }, revision: '12' }
    case 'ListIoasids':
      return request['page_token'] === ''
        ? { infos: infos.slice(0, 1), next_page_token: 'p' }
        : { infos: infos.slice(1) }
    default:
      return { revision: '15' }
  }
}

const world = { env, answer: daemon }

const printed: [string[], string][] = [
  [['set', 'create', 'vm-a', '-q'], '\nkey-to-a\n'],
  [['set', 'create', '-o', 'name'], '\nkey-to-a\n'],
  [
    ['set', 'list', '--no-headers'],
    `
 1  16     3  0  2  ACTIVE    vm-a
12   0  1024  7  0  DRAINING  -
`,
  ],
  [['set', 'list', '-o', 'name'], '\nvm-a\n#12\n'],
  [
    ['set', 'adjust', '--quota', '16', '--no-headers'],
    `
1  16  3  0  2  ACTIVE  vm-a
`,
  ],
  [['set', 'delete', '--force', '-q'], '\nvm-a\n'],
  [['alloc', '--spids', '101,102', '-q'], '\n7\n1043\n'],
  [['alloc', '-o', 'jsonl'], '\n{"ioasids":[7,1043],"revision":"12"}\n'],
  [['detach', '7', '--device', 'nic', '-o', 'jsonl'], '\n{"ioasid":7,"device":"nic","revision":"15"}\n'],
  [['get', '--spid', '101', '-q'], '\n7\n'],
]

describe('ioasidctl', () => {
  it.each(printed)('%j prints what people and scripts can read', async (argv, expected) => {
    const { code, out, err, isClosed } = await once(world, ...argv)
    expect(`\n${out}`).toBe(expected)
    expect({ code, err, isClosed }).toEqual({ code: 0, err: '', isClosed: true })
  })

  it('prints a list as a line for each with jsonl', async () => {
    const { out } = await once(world, 'list', '--token', 'vm-a', '-o', 'jsonl')
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).ioasid),
    ).toEqual([7, 1043])
  })

  it('keeps columns straight whatever the sets are named', async () => {
    const tokens = ['日本語', '👩‍👩‍👧‍👦', 'x'.repeat(255)]
    const { out } = await once(
      { answer: () => ({ sets: tokens.map((token) => ({ ...sets[0], token })) }) },
      'set',
      'list',
    )
    const [head = '', ...rows] = out.trimEnd().split('\n')
    const before = ' 1     16          3        0      2  ACTIVE  '
    expect(rows).toEqual(tokens.map((token) => before + token))
    expect(head.indexOf('TOKEN')).toBe(before.length)
  })

  it('asks for what its arguments say', async () => {
    const asked = async (...argv: string[]) => (await once(world, ...argv)).calls[0]?.request
    expect(await asked('set', 'create', '--quota', '0x10')).toMatchObject({ token: '', quota: 16 })
    expect(await asked('set', 'list', '--prefix', 'vm-')).toMatchObject({ token_prefix: 'vm-' })
    expect(await asked('set', 'delete')).toMatchObject({ set_handle: 'key-to-a', force: false })
    expect(await asked('alloc', '--set-handle', 'other', '--count', '3', '--min', '5', '--max', '9')).toMatchObject({
      set_handle: 'other',
      count: 3,
      min: 5,
      max: 9,
    })
    expect(await asked('alloc', '--spids', '101,0')).toMatchObject({ spids: [101, 0] })
    expect(await asked('free', '7', '8', '--generation', '12')).toMatchObject({ ioasids: [7, 8], generation: '12' })
    expect(await asked('attach', '7', '--spid', '0', '--device', 'nic')).toMatchObject({ spid: 0, device: 'nic' })
    expect(await asked('get', '7')).not.toHaveProperty('set_handle')
    expect(await asked('get', '--spid', '5', '--token', 'b')).toMatchObject({ set_ref: 'token', token: 'b', spid: 5 })
    expect(await asked('list')).toMatchObject({ set_ref: 'set_handle', set_handle: 'key-to-a' })
    expect(await asked('list', '--token', 'b')).toMatchObject({ set_ref: 'token', token: 'b' })
  })

  it('sends private data as it was given, or as a file has it', async () => {
    const asked = async (...argv: string[]) =>
      (await once({ ...world, files: { queue: '\0é' } }, ...argv)).calls[0]?.request
    const bytes = (hex: string) => ({ private_data: Buffer.from(hex, 'hex') })
    expect(await asked('data', 'attach', '7', '--hex', '01Ff')).toMatchObject({ ioasid: 7, ...bytes('01ff') })
    expect(await asked('data', 'attach', '7', '--file', 'queue')).toMatchObject(bytes('00c3a9'))
    expect(await asked('data', 'attach', '7', '--hex', 'ab'.repeat(4096))).toMatchObject(bytes('ab'.repeat(4096)))
    expect(await asked('data', 'detach', '7')).toMatchObject({ set_handle: 'key-to-a', ioasid: 7 })
    expect(await asked('alloc', '--data', '00')).toMatchObject(bytes('00'))
    expect(await asked('alloc')).not.toHaveProperty('private_data')
  })

  it('sends no file that is no private data, and says why', async () => {
    const attach = (file: string, text: string) =>
      once({ ...world, files: { [file]: text } }, 'data', 'attach', '7', '--file', file)
    const says = (file: string, bytes: number) =>
      `error: --file: '${file}' has ${bytes} bytes; 1 to 4096 are allowed.\n`
    expect(await attach('none', '')).toMatchObject({ code: 2, err: says('none', 0), calls: [] })
    expect(await attach('long', 'x'.repeat(4097))).toMatchObject({ code: 2, err: says('long', 4097), calls: [] })
    expect(await attach('most', 'x'.repeat(4096))).toMatchObject({ code: 0, err: '' })
  })

  it('knows its own version without a daemon', async () => {
    const { code, out, calls } = await once({}, 'version')
    expect({ code, calls }).toEqual({ code: 0, calls: [] })
    expect(out).toMatch(/^version {2}\d+\.\d+\.\d+\n$/)
  })
})
