import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { repositoryRoot } from '../../support/repository.ts'

/** Debian's Prometheus in a process of its own, on a port and a directory of its own, with the alerts that are shipped. */
export interface Prometheus {
  /** The alerts that fire now: `IoasiddDown 127.0.0.1:9464`. */
  firing(): Promise<readonly string[]>
  /** Resolves when every target was scraped. */
  scraped(): Promise<void>
  /** What it has said. */
  readonly said: () => string
  kill(): Promise<void>
}

/** Twice a second instead of every 15 s; and what has to last for minutes has to be there twice. */
const INTERVAL = '500ms'
const SHORTENED = 'for: 500ms'

export async function startPrometheus(directory: string, targets: readonly string[]): Promise<Prometheus> {
  const shipped = readFileSync(join(repositoryRoot, 'server/observability/alerts.yaml'), 'utf8')
  writeFileSync(join(directory, 'alerts.yaml'), shipped.replace(/^( +)for: \w+$/gm, `$1${SHORTENED}`))
  const config = {
    global: { scrape_interval: INTERVAL, scrape_timeout: INTERVAL, evaluation_interval: INTERVAL },
    rule_files: ['alerts.yaml'],
    scrape_configs: [{ job_name: 'ioasidd', static_configs: [{ targets }] }],
  }
  writeFileSync(join(directory, 'prometheus.yaml'), stringify(config))
  const address = `127.0.0.1:${await freePort()}`
  const flags = [
    `--config.file=${join(directory, 'prometheus.yaml')}`,
    `--storage.tsdb.path=${join(directory, 'tsdb')}`,
    `--web.listen-address=${address}`,
  ]
  const child = spawn('prometheus', flags, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  const killed = () => child.kill('SIGKILL')
  process.once('exit', killed)

  const ask = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://${address}/api/v1/${path}`)
    return ((await response.json()) as { data: unknown }).data
  }
  return {
    firing: async () => {
      const { alerts } = (await ask('alerts')) as { alerts: readonly Alert[] }
      const firing = alerts.filter(({ state }) => state === 'firing')
      return firing.map(({ labels: { alertname, instance } }) => `${alertname} ${instance}`).sort()
    },
    scraped: async () => {
      for (;;) {
        const found = await ask('targets').catch(() => undefined)
        const active = (found as { activeTargets?: readonly { health: string }[] } | undefined)?.activeTargets ?? []
        if (active.length === targets.length && active.every(({ health }) => health === 'up')) return
        if (child.exitCode !== null) throw new Error(`prometheus ended: ${said}`)
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
    },
    said: () => said,
    kill: async () => {
      process.off('exit', killed)
      killed()
      await ended
    },
  }
}

interface Alert {
  readonly state: string
  readonly labels: { readonly alertname: string; readonly instance: string }
}

/** Prometheus does not say which port it got: one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('TCP has a port')
  return address.port
}
