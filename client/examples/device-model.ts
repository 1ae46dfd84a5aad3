/**
 * A device model: node device-model.js ENDPOINT TOKEN [TTL_MS]
 *
 * It puts the host PASID that the guest means into the queue of a device. It finds it by the guest's number in the VM's
 * set and takes a reference in the same step, so that nobody else gets the id while the queue may use it; it drops the
 * reference when the queue is cleared.
 *
 * A line on standard input says what the guest does with the queue: `program GUEST_PASID`, `clear`. Its end stands for
 * the end of the VM.
 */
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'

const [endpoint = '', token = '', ttlMs = '10000'] = process.argv.slice(2)
const client = connect({ endpoint })
const lease = await client.openLease({
  ttlMs: Number(ttlMs),
  name: `device model ${token}`,
  onLost: (error) => {
    throw error // nothing protects the id any more: the device is reset when this process ends
  },
})
const leaseHandle = lease.handle
/** The host PASID in the device's queue. */
let queued: number | undefined
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, spid] = line.split(' ')
  if (verb === 'program' && queued === undefined) await program(Number(spid))
  else if (verb === 'clear' && queued !== undefined) await clear(queued)
  else console.log(`cannot '${line}' now`)
}
await lease.revoke()
await client.close()

async function program(spid: number): Promise<void> {
  const { info } = await client.findBySpid({ token, spid, acquireForLease: leaseHandle })
  queued = info.ioasid
  console.log(`the queue has host PASID ${info.ioasid}`)
}

async function clear(ioasid: number): Promise<void> {
  queued = undefined
  console.log('the queue is cleared')
  const { references } = await client.release({ token, ioasid, leaseHandle })
  console.log(`released host PASID ${ioasid}: references ${references}`)
}
