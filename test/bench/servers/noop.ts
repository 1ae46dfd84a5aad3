import { fileURLToPath } from 'node:url'
import { startReference } from './processes.ts'

/** Beside the built bench. */
const SERVER = fileURLToPath(new URL('./noop-server.js', import.meta.url))

/** noop-server.ts in a process of its own. */
export async function startNoop(): Promise<{ readonly address: string; readonly stop: () => Promise<void> }> {
  const { output, stop } = await startReference(process.execPath, [SERVER], (said) => said.includes('\n'))
  const [, address] = /^ready (\S+)\n/.exec(output) ?? []
  if (address !== undefined) return { address, stop }
  await stop()
  throw new Error(`the no-op server said '${output}' in place of where it serves`)
}
