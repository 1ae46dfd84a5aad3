/**
 * A VMM: node vmm.js ENDPOINT TOKEN [HANDLE_FILE [TTL_MS]]
 *
 * It owns the set of its VM, and takes it down when the guest stops. The set belongs to a lease, so that its PASIDs come
 * back if the VMM dies. The set's handle goes, by a file that nobody else may read, to who binds for this VM: the IOMMU
 * driver. A daemon that is away is waited for; no step happens twice, because each has its own request_id in the SDK.
 *
 * A line on standard input says what the guest needs: `allocate`, `allocate 101 102` (bound to these guest PASIDs at
 * once), `free 7`. Its end stands for the end of the guest.
 */
import { writeFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect } from '../index.ts'

const [endpoint = '', token = '', handleFile = '', ttlMs = '10000'] = process.argv.slice(2)
const client = connect({ endpoint, deadlineMs: 30_000 })
const lease = await client.openLease({
  ttlMs: Number(ttlMs),
  name: `vmm ${token}`,
  onLost: (error) => {
    throw error // the set is gone with it: a guest cannot go on
  },
})
const { set } = await client.createSet({ token, quota: 16, leaseHandle: lease.handle })
const { setHandle } = set
if (handleFile !== '') writeFileSync(handleFile, setHandle, { mode: 0o600 })
console.log(`made set ${set.setId} with a quota of ${set.quota}`)

/** Of each id the life that is meant, so that a late retry cannot free its next one. */
const generations = new Map<number, bigint>()

for await (const line of createInterface({ input: process.stdin })) {
  const [verb = '', ...rest] = line.split(' ')
  const numbers = rest.map(Number)
  if (verb === 'allocate') await allocate(numbers)
  else if (verb === 'free') for (const ioasid of numbers) await free(ioasid)
  else console.log(`what is '${verb}'?`)
}
await client.deleteSet({ setHandle, force: true })
console.log('the guest has stopped: its set is deleted')
await lease.revoke()
await client.close()

async function allocate(spids: readonly number[]): Promise<void> {
  const { ioasids, revision } = await client.allocate({ setHandle, spids: spids.length === 0 ? undefined : spids })
  for (const [index, ioasid] of ioasids.entries()) {
    generations.set(ioasid, revision)
    const spid = spids[index]
    console.log(`allocated host PASID ${ioasid}${spid === undefined ? '' : `, bound to guest PASID ${spid}`}`)
  }
}

async function free(ioasid: number): Promise<void> {
  const { results } = await client.free({ setHandle, ioasids: [ioasid], generation: generations.get(ioasid) })
  for (const { state, references } of results) {
    console.log(`freed host PASID ${ioasid}: references ${references}, ${state}`)
  }
}
