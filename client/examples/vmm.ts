/**
 * A VMM: node vmm.js ENDPOINT TOKEN
 *
 * It owns the set of its VM: allocates host PASIDs, binds the guest's PASIDs to them, and takes all down when the guest
 * stops. It pauses where its standard input is read: a line lets it go on, so that a story can be told around it. A
 * daemon that is away is waited for; no step happens twice, because each has its own request_id in the SDK.
 */
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'

const [endpoint = '', token = ''] = process.argv.slice(2)
const client = connect({ endpoint, deadlineMs: 30_000 })
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const pause = async () => void (await lines.next())

const { set } = await client.createSet({ token, quota: 16 })
const { setHandle } = set
console.log(`made set ${set.setId} with a quota of ${set.quota}`)

await pause()
const first = await client.allocate({ setHandle })
for (const ioasid of first.ioasids) {
  await client.attachSpid({ setHandle, ioasid, spid: 101 })
  console.log(`bound guest PASID 101 to host PASID ${ioasid}`)
}

await pause()
const more = await client.allocate({ setHandle, spids: [102, 103] })
console.log(`bound guest PASIDs 102 and 103 to host PASIDs ${more.ioasids.join(' and ')}`)

await pause()
for (const ioasid of more.ioasids.slice(0, 1)) {
  await client.detachSpid({ setHandle, ioasid })
  await client.free({ setHandle, ioasids: [ioasid], generation: more.revision })
  console.log(`unbound guest PASID 102 and freed host PASID ${ioasid}`)
}

await pause()
await client.deleteSet({ setHandle, force: true })
console.log('the guest has stopped: set deleted, its PASIDs are free')
await client.close()
