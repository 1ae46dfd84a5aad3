import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { parse, stringify } from 'yaml'
import { createExposition } from '../../../server/observability/exposition.ts'
import { tempDir } from '../../support/daemon.ts'
import { repositoryRoot } from '../../support/repository.ts'
import { everyFamily } from '../every-family.ts'

const alertsFile = join(repositoryRoot, 'server/observability/alerts.yaml')
const dashboard: unknown = JSON.parse(readFileSync(join(repositoryRoot, 'server/observability/dashboard.json'), 'utf8'))

interface Rule {
  readonly alert: string
  readonly expr: string
  readonly labels: { readonly severity: string }
  readonly annotations: Readonly<Record<string, string>>
}
const { groups } = parse(readFileSync(alertsFile, 'utf8')) as { groups: { rules: Rule[] }[] }
const rules = groups.flatMap((group) => group.rules)

function promtool(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  return { status, said: stdout + stderr }
}

/** Names that a query may use: those of the daemon, and `up`, which Prometheus makes. */
let names: ReadonlySet<string>
beforeAll(async () => {
  const { text } = await createExposition().write(await everyFamily(), 'text')
  const found = [...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name],
  )
  names = new Set(['up', ...found])
})

/** What of an expression looks like the name of one of the daemon's metrics. */
function namesIn(expr: string): readonly string[] {
  return expr.match(/\b(ioasidd_\w+|nodejs_\w+|process_\w+|up)\b/g) ?? []
}

const unknownIn = (exprs: readonly string[]) => exprs.flatMap(namesIn).filter((name) => !names.has(name))

describe('the alerts', () => {
  it('are valid, and behave as their story says', () => {
    expect(promtool('check', 'rules', alertsFile)).toMatchObject({ status: 0 })
    const tested = promtool('test', 'rules', join(repositoryRoot, 'test/observability/alerts.story.yaml'))
    expect(tested.said).toContain('SUCCESS')
    expect(tested.status).toBe(0)
  })

  it('use only metrics that there are', () => {
    expect(unknownIn(rules.map(({ expr }) => expr))).toEqual([])
    expect(rules.length).toBeGreaterThan(9)
  })

  it('each say what is wrong, what it means and what to do', () => {
    for (const { labels, annotations } of rules) {
      expect(['critical', 'warning']).toContain(labels.severity)
      expect(Object.keys(annotations).sort()).toEqual(['description', 'runbook', 'summary'])
    }
  })

  it('each have a part of the story', () => {
    const story = readFileSync(join(repositoryRoot, 'test/observability/alerts.story.yaml'), 'utf8')
    for (const { alert } of rules) expect(story).toContain(`alertname="${alert}"`)
  })
})

interface Panel {
  readonly type: string
  readonly title: string
  readonly datasource?: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
}

describe('the dashboard', () => {
  const { uid, title, panels, templating } = dashboard as {
    uid: string
    title: string
    panels: readonly Panel[]
    templating: { list: readonly { name: string; type: string }[] }
  }
  const targets = panels.flatMap((panel) => panel.targets ?? [])

  it('has a uid, and its data source is chosen by who looks at it', () => {
    expect({ uid, title }).toEqual({ uid: 'ioasidd', title: 'ioasidd' })
    expect(templating.list).toContainEqual(expect.objectContaining({ name: 'datasource', type: 'datasource' }))
    const uids = [...panels, ...targets].flatMap(({ datasource }) => datasource?.uid ?? [])
    expect(new Set(uids)).toEqual(new Set([`\${${'datasource'}}`]))
  })

  it('has panels that show something and do not lie over each other', () => {
    const shown = panels.filter(({ type }) => type !== 'row')
    for (const { title: name, targets: own = [] } of shown) expect([name, own.length]).not.toEqual([name, 0])
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)}/${y + Math.floor(cell / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
  })

  it('uses only metrics that there are, all of the daemon’s own but its version, in queries that Prometheus takes', () => {
    const exprs = targets.map(({ expr }) => expr)
    expect(unknownIn(exprs)).toEqual([])
    const used = new Set(exprs.flatMap(namesIn))
    const own = [...names].filter((name) => name.startsWith('ioasidd_') && !/_(sum|count)$/.test(name))
    expect(own.filter((name) => !used.has(name))).toEqual(['ioasidd_build_info', 'ioasidd_store_up'])

    const plain = (expr: string) => expr.replaceAll('$__rate_interval', '5m').replaceAll('$instance', '.*')
    const file = join(tempDir(), 'dashboard-rules.yaml')
    const records = exprs.map((expr, index) => ({ record: `panel:${index}`, expr: plain(expr) }))
    writeFileSync(file, stringify({ groups: [{ name: 'dashboard', rules: records }] }))
    expect(promtool('check', 'rules', file)).toMatchObject({ status: 0 })
  })
})
