/**
 * A KVM-like consumer: node kvm.js ENDPOINT TOKEN
 *
 * It knows nothing but its VM's token and keeps that VM's guest-to-host PASID table, which ENQCMD is translated by, from
 * the stream alone: it needs no set yet, outlives restarts of the daemon, and never sees another VM's ids.
 */
import { connect } from '../index.ts'

const [endpoint = '', token = ''] = process.argv.slice(2)
const client = connect({ endpoint })
const table = new Map<number, number>()

const show = (change: string) => {
  const rows = [...table].sort(([a], [b]) => a - b).map(([spid, ioasid]) => `${spid}→${ioasid}`)
  console.log(`${change.padEnd(22)} table: ${rows.join(' ') || 'empty'}`)
}

let isAway = false

const subscription = client.subscribe({
  tokens: [token],
  types: ['BIND', 'UNBIND'],
  start: 'snapshot',
  heartbeatMs: 500,
  onLost: 'snapshot',
  onInterrupted: ({ cursor }) => {
    if (!isAway) console.log(`the daemon is away; will resume after revision ${cursor?.revision ?? 0n}`)
    isAway = true
  },
})
for await (const item of subscription) {
  isAway = false
  if (item.kind === 'snapshotBegin') table.clear()
  if (item.kind === 'snapshotEnd') show('ready')
  if (item.kind !== 'snapshot' && item.kind !== 'revision') continue
  for (const event of item.notifications) {
    if (event.type === 'BIND') table.set(event.spid, event.ioasid)
    else if (event.type === 'UNBIND') table.delete(event.spid)
    else continue
    show(`${event.type} ${event.spid}→${event.ioasid}`)
  }
}
