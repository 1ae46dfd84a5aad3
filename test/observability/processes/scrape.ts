import type { TestDaemon } from '../../support/daemon.ts'

/** Where a daemon with `--metrics-listen 127.0.0.1:0` serves its metrics, as its log says. */
export async function metricsOf({ output }: Pick<TestDaemon, 'output'>): Promise<string> {
  const line = output.stderr.split('\n').find((text) => text.includes('"metrics are served"')) ?? '{}'
  const { address } = JSON.parse(line) as { address?: string }
  if (address === undefined) throw new Error(`no line says where metrics are served: ${output.stderr}`)
  return address
}

export async function get(address: string, path: string, accept = '*/*') {
  const response = await fetch(`http://${address}${path}`, { headers: { accept } })
  return { status: response.status, body: await response.text() }
}
