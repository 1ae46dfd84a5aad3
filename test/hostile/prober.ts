import { connect } from '../support/wire.ts'

/**
 * A good client in a process of its own, so that it does not wait for the attackers: told an address and a set's handle, it
 * reads and changes something again and again, and whenever it is asked hands over how long each call took, in ms.
 */
const [address = '', setHandle = ''] = process.argv.slice(2)
const wire = connect(address)
const PAUSE_MS = 2

let took: number[] = []
process.on('message', () => {
  process.send?.(took)
  took = []
})
process.once('disconnect', () => process.exit(0))

async function timed<Result>(call: Promise<Result>): Promise<Result> {
  const startMs = performance.now()
  const result = await call
  took.push(performance.now() - startMs)
  return result
}

for (;;) {
  const { ioasids } = await timed(wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle: setHandle }))
  await timed(wire.call('ioasid.v1.SetService', 'GetSet', { set_handle: setHandle }))
  await timed(wire.call('ioasid.v1.IoasidService', 'Free', { set_handle: setHandle, ioasids }))
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
}
