import { describe, expect, it } from 'vitest'
import { moment } from '../../../client/cli/arguments.ts'
import { once } from './fake-io.ts'

const time = (text: string) => ({ seconds: String(Date.parse(`2026-01-02T${text}Z`) / 1000), nanos: 500_000_000 })
const lives = [
  {
    token: 'vm-b',
    set_id: '12',
    generation: '400',
    from_revision: '400',
    from_time: time('02:10:00'),
    bindings: [{ spid: 7, from_revision: '401', from_time: time('02:11:00') }],
  },
  {
    token: 'vm-a',
    set_id: '3',
    generation: '12',
    from_revision: '12',
    from_time: time('01:00:00'),
    to_revision: '99',
    to_time: time('02:00:00'),
    ended_by: 'OPERATOR',
    allocated_by: 'dns:vmm.example',
    freed_by: 'uid:0',
    bindings: [
      {
        spid: 101,
        from_revision: '20',
        from_time: time('01:30:00'),
        to_revision: '99',
        to_time: time('02:00:00'),
        bound_by: 'dns:vmm.example',
        unbound_by: 'uid:0',
      },
      { spid: 5, from_revision: '13', from_time: time('01:00:00'), to_revision: '19', to_time: time('01:20:00') },
    ],
  },
]
const world = {
  answer: (path: string, request: Record<string, unknown>) => {
    if (path.endsWith('/Compact')) return { revision: '120', compact_revision: request['revision'] }
    return request['page_token'] === '' ? { lives: lives.slice(0, 1), next_page_token: 'p' } : { lives: lives.slice(1) }
  },
}

describe('history', () => {
  it('prints each life and its bindings, newest first, with -o wide all that is known of them', async () => {
    const { code, out, calls } = await once(world, 'history', '4711', '-o', 'wide')
    expect(code).toBe(0)
    expect(calls.map(({ request }) => request)).toMatchObject([{ ioasid: 4711 }, { ioasid: 4711, page_token: 'p' }])
    expect(`\n${out}`).toBe(`
WHAT     FROM                      TO                        REVISION  SPID  ENDED_BY  SET  FROM_BY          TO_BY  TOKEN
life     2026-01-02T02:10:00.500Z  -                              400     -  -          12  -                -      vm-b
binding  2026-01-02T02:11:00.500Z  -                              401     7  -          12  -                -      vm-b
life     2026-01-02T01:00:00.500Z  2026-01-02T02:00:00.500Z        12     -  OPERATOR    3  dns:vmm.example  uid:0  vm-a
binding  2026-01-02T01:30:00.500Z  2026-01-02T02:00:00.500Z        20   101  -           3  dns:vmm.example  uid:0  vm-a
binding  2026-01-02T01:00:00.500Z  2026-01-02T01:20:00.500Z        13     5  -           3  -                -      vm-a
`)
  })

  it('prints a life a line as JSON, and tokens alone when it is to be quiet', async () => {
    const { out } = await once(world, 'history', '4711', '-o', 'jsonl')
    expect(out.split('\n').map((line) => (line === '' ? '' : JSON.parse(line).token))).toEqual(['vm-b', 'vm-a', ''])
    expect(JSON.parse(out.split('\n')[1] ?? '')).toEqual({
      token: 'vm-a',
      setId: '3',
      generation: '12',
      from: { revision: '12', time: '2026-01-02T01:00:00.500Z' },
      to: { revision: '99', time: '2026-01-02T02:00:00.500Z' },
      endedBy: 'OPERATOR',
      allocatedBy: 'dns:vmm.example',
      freedBy: 'uid:0',
      bindings: [
        {
          spid: 101,
          from: { revision: '20', time: '2026-01-02T01:30:00.500Z' },
          to: { revision: '99', time: '2026-01-02T02:00:00.500Z' },
          boundBy: 'dns:vmm.example',
          unboundBy: 'uid:0',
        },
        {
          spid: 5,
          from: { revision: '13', time: '2026-01-02T01:00:00.500Z' },
          to: { revision: '19', time: '2026-01-02T01:20:00.500Z' },
          boundBy: '',
          unboundBy: '',
        },
      ],
    })
    expect((await once(world, 'history', '4711', '-q')).out).toBe('vm-b\nvm-a\n')
  })

  it('says who had it at a moment, and by whom', async () => {
    const { code, out } = await once(world, 'history', '4711', '--at', '2026-01-02T01:45:00Z', '--no-headers')
    expect(code).toBe(0)
    expect(`\n${out}`).toBe(`
life     2026-01-02T01:00:00Z  2026-01-02T02:00:00Z    -  OPERATOR  vm-a
binding  2026-01-02T01:30:00Z  2026-01-02T02:00:00Z  101  -         vm-a
vm-a: allocated by dns:vmm.example, freed by uid:0
vm-a, SPID 101: bound by dns:vmm.example, unbound by uid:0
`)
    const nobody = await once(world, 'history', '4711', '--at', '2026-01-02T02:05:00Z')
    expect(nobody).toMatchObject({ code: 3, out: '' })
    expect(nobody.err).toBe('error: nobody is on record for IOASID 4711 at 2026-01-02T02:05:00.000Z.\n')
  })

  it('says nothing of what nobody knows', async () => {
    const { out } = await once(world, 'history', '4711', '--at', '2026-01-02T01:10:00Z', '--no-headers')
    expect(out.split('\n').slice(2)).toEqual(['vm-a: allocated by dns:vmm.example, freed by uid:0', ''])
    const { out: unknown } = await once(world, 'history', '4711', '--at', '2026-01-02T02:12:00Z', '--no-headers')
    expect(unknown.split('\n').map((line) => line.split(' ')[0])).toEqual(['life', 'binding', ''])
  })

  it('shows no letter of an identity that a terminal would take for an order', async () => {
    const life = { ...lives[0], allocated_by: 'cn:a\x1b[2J' }
    const { out } = await once({ answer: () => ({ lives: [life] }) }, 'history', '4711', '--at', '2026-01-02T02:12:00Z')
    expect(out).toContain('vm-b: allocated by cn:a\uFFFD[2J\n')
  })

  it('finds by a time of its table, which is to the second, what has begun within it', async () => {
    const at = async (time: string) => (await once(world, 'history', '4711', '--at', time, '-q')).out
    expect(await at('2026-01-02T01:00:00Z')).toBe('vm-a\n')
    expect(await at('2026-01-02T01:00:00.500Z')).toBe('vm-a\n')
    expect(await at('2026-01-02T01:00:00.499Z')).toBe('')
    expect(await at('2026-01-02T02:00:00Z')).toBe('vm-a\n')
    expect(await at('2026-01-02T02:00:00.500Z')).toBe('')
  })

  it('takes a time of day as the last one that has been, on the clock of who asks', () => {
    const now = new Date(2026, 10, 22, 14, 4, 59)
    expect(moment('14:04')(now.getTime())).toBe(new Date(2026, 10, 22, 14, 4).getTime())
    expect(moment('14:05')(now.getTime())).toBe(new Date(2026, 10, 21, 14, 5).getTime())
    expect(moment('4:04:59')(now.getTime())).toBe(new Date(2026, 10, 22, 4, 4, 59).getTime())
  })

  it('takes a time without a zone as one of who asks, and a day as its beginning', () => {
    expect(moment('2026-11-22 14:05')(0)).toBe(new Date(2026, 10, 22, 14, 5).getTime())
    expect(moment('2026-11-22')(0)).toBe(new Date(2026, 10, 22).getTime())
    expect(moment('2024-02-29T14:05:06.5+01:00')(0)).toBe(Date.UTC(2024, 1, 29, 13, 5, 6, 500))
  })
})

it('compact asks for what its argument says', async () => {
  const { calls } = await once(world, 'compact', '0x64')
  expect(calls).toMatchObject([{ request: { revision: '100' } }])
})
