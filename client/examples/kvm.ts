/**
 * A KVM-like consumer: node kvm.js ENDPOINT TOKEN [TTL_MS]
 *
 * It knows nothing but its VM's token and keeps the table of guest to host PASIDs that the CPU translates ENQCMD by. It
 * needs no set yet, outlives restarts of the daemon, and never sees another VM's ids. Each id is held from its BIND on;
 * it is acknowledged when its entry is cleared and every vCPU has left the guest once, so that none submits with it.
 *
 * A line on standard input stands for "all vCPUs have left", its end for the end of the VM.
 */
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'

const [endpoint = '', token = '', ttlMs = '10000'] = process.argv.slice(2)
const client = connect({ endpoint })
const input = createInterface({ input: process.stdin })
const vcpus = input[Symbol.asyncIterator]()
const shutdown = new AbortController()
input.once('close', () => shutdown.abort())
const translations = new Map<number, number>()
let isAway = false

const table = await client.openPasidTable({
  tokens: [token],
  priority: 'CPU',
  name: `kvm ${token}`,
  ttlMs: Number(ttlMs),
  onBind: (spid, ioasid) => {
    translations.set(spid, ioasid)
    show(`BIND ${spid}→${ioasid}`)
  },
  onUnbind: async (spid, ioasid) => {
    translations.delete(spid)
    show(`UNBIND ${spid}→${ioasid}`)
    await vcpus.next()
  },
  signal: shutdown.signal,
  onInterrupted: ({ cursor }) => {
    if (!isAway) console.log(`the daemon is away; will resume after revision ${cursor?.revision ?? 0n}`)
    isAway = true
  },
})
show('ready')
await table.closed
await client.close()

function show(change: string): void {
  isAway = false
  const rows = [...translations].sort(([a], [b]) => a - b).map(([spid, ioasid]) => `${spid}→${ioasid}`)
  console.log(`${change.padEnd(22)} table: ${rows.join(' ') || 'empty'}`)
}
