import { describe, expect, it } from 'vitest'
import { figure, isKept, rowOf } from './figures.ts'
import { parseH2load } from './load/h2load.ts'
import { fileSystemOf } from './machine.ts'
import type { Row } from './row.ts'
import { svg } from './svg.ts'
import { table } from './table.ts'

const row: Row = {
  name: 'allocate-unary',
  unit: 'times a no-op grpc-js server',
  target: { kind: 'at least', value: 0.9 },
  rounds: [0.91, 0.72, 0.95],
  figures: { 'ioasidd, calls/s': 14_021.4 },
}

describe('a row', () => {
  it('is kept by its median, whatever its worst round was', () => {
    expect(isKept(row)).toBe(true)
    expect(isKept({ ...row, rounds: [0.89, 0.72, 0.95] })).toBe(false)
    expect(isKept({ ...row, target: { kind: 'at most', value: 0.9 } })).toBe(false)
  })

  it('without a round keeps nothing, and without a target is there to be read', () => {
    expect(isKept({ ...row, rounds: [] })).toBe(false)
    const { target: _, ...aside } = row
    expect(isKept(aside)).toBeUndefined()
  })

  it('shows the figures of the round that is the median', () => {
    const rounds = [{ ratio: 3 }, { ratio: 1 }, { ratio: 2 }]
    const { figures } = rowOf(
      { name: 'x', unit: 'y' },
      rounds,
      ({ ratio }) => ratio,
      ({ ratio }) => ({ ratio }),
    )
    expect(figures).toEqual({ ratio: 2 })
  })
})

describe('the table', () => {
  it('is aligned, and says NO where a row misses', () => {
    expect(table([row, { name: 'restart', unit: 'ms', rounds: [1_234_567], figures: {} }])).toBe(
      [
        'row                median       spread  wanted  kept  unit                          figures of the median round',
        'allocate-unary       0.91  0.72 – 0.95  ≥ 0.9   yes   times a no-op grpc-js server  ioasidd, calls/s 14,021',
        'restart         1,234,567                             ms',
      ].join('\n'),
    )
    expect(table([{ ...row, rounds: [0.1] }])).toContain('NO')
  })

  it('has three digits of a figure that count', () => {
    expect([0.916, 13.37, 155.5, 14_021.4, Number.NaN].map(figure)).toEqual(['0.92', '13.4', '156', '14,021', '–'])
  })
})

describe('a plot', () => {
  const circles = (picture: string): readonly string[] =>
    [...picture.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => `${x} ${y}`)

  it('has equal factors at equal distances where the values span much', () => {
    const points = [1, 10, 100].map((x) => [x, 1] as const)
    const [a = 0, b = 0, c = 0] = circles(svg({ name: 'p', x: 'x', y: 'y', series: [{ name: 's', points }] })).map(
      Number.parseFloat,
    )
    expect(b - a).toBeCloseTo(c - b, 0)
  })

  it('has equal steps at equal distances where they do not, and its values from 0', () => {
    const points = [0, 50, 99].map((x) => [x, 2] as const)
    const picture = svg({ name: 'p', x: 'x', y: 'y', series: [{ name: 's', points }] })
    expect(circles(picture)[0]).toMatch(/^70\.0 /)
    expect(picture).toContain('text-anchor="end">0</text>')
  })

  it('stays a picture whatever it is given', () => {
    for (const points of [[], [[1, 1]], [[0, 0]], [[1, Number.NaN]]] as const) {
      const picture = svg({ name: 'a < b & c', x: 'x', y: 'y', series: [{ name: 's', points }] })
      expect(picture).toContain('a &lt; b &amp; c')
      expect(picture).not.toMatch(/NaN|Infinity|undefined/)
    }
  })
})

describe("h2load's last words", () => {
  const words = `finished in 312.08ms, 3500.00 req/s, 170.94KB/s
requests: 1050 total, 1150 started, 1050 done, 1050 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 1100 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 51.28KB (52514) total, 5.55KB (5680) headers (space savings 96.29%), 15.04KB (15400) data
                     min         max         mean         sd        +/- sd
time for request:    17.65ms     59.16ms     27.24ms      9.92ms    90.48%`

  it('are figures', () => {
    expect(parseH2load(words)).toEqual({ perSecond: 3500, answers: 1050, meanMs: 27.24, dataBytes: 15_400 })
    expect(parseH2load(words.replace('27.24ms', '272us')).meanMs).toBeCloseTo(0.272)
  })

  it('are an error where requests failed, and where they are something else', () => {
    expect(() => parseH2load(words.replace('0 failed', '3 failed'))).toThrow(/3 requests failed/)
    expect(() => parseH2load('could not connect')).toThrow(/it said: could not connect/)
  })
})

it('the file system of a directory is that of the longest mount that leads to it', () => {
  const mounts = '/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n/dev/vdb /tmpfoo xfs rw 0 0\n'
  expect(fileSystemOf('/tmp/a', mounts)).toBe('tmpfs (tmpfs)')
  expect(fileSystemOf('/tmpf', mounts)).toBe('ext4 (/dev/vda)')
  expect(fileSystemOf('/tmp', '')).toBe('unknown')
})
