/**
 * An IOMMU driver: node iommu-driver.js ENDPOINT TOKEN HANDLE_FILE
 *
 * It binds the guest's page tables to host PASIDs of the VM, by the handle of the VM's set, which the VMM has put into a
 * file. It holds each id from its BIND on, and is told of a teardown when the CPU holders (KVM) are through with it; it
 * acknowledges when the context is cleared and the hardware has invalidated what it had cached.
 *
 * Standard input stands for VFIO (`bind GUEST_PASID HOST_PASID`, `unbind HOST_PASID`) and for the hardware
 * (`invalidation complete`).
 */
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'

const DEVICE = '0000:3b:00.0'
const [endpoint = '', token = '', handleFile = ''] = process.argv.slice(2)
const client = connect({ endpoint })
const hardware = new EventEmitter()

const table = await client.openPasidTable({
  tokens: [token],
  priority: 'IOMMU',
  name: `iommu driver ${token}`,
  onBind: (spid, ioasid) => console.log(`BIND ${spid}→${ioasid}: context ${ioasid} is present`),
  onUnbind: async (spid, ioasid) => {
    console.log(`UNBIND ${spid}→${ioasid}: context ${ioasid} is cleared, its translations are being invalidated`)
    await once(hardware, 'invalidation complete')
  },
})
console.log('ready')

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...rest] = line.split(' ')
  const [first = 0, second = 0] = rest.map(Number)
  if (verb === 'bind') await bind(first, second)
  else if (verb === 'unbind') await unbind(first)
  else hardware.emit(line)
}
await table.close()
await client.close()

/** Whether the id is the VM's at all is what the daemon checks. */
async function bind(spid: number, ioasid: number): Promise<void> {
  await client.attachSpid({ setHandle: readFileSync(handleFile, 'utf8'), ioasid, spid, device: DEVICE })
  console.log(`bound guest PASID ${spid} to host PASID ${ioasid} for ${DEVICE}`)
}

async function unbind(ioasid: number): Promise<void> {
  await client.detachSpid({ setHandle: readFileSync(handleFile, 'utf8'), ioasid, device: DEVICE })
  console.log(`unbound host PASID ${ioasid} for ${DEVICE}`)
}
