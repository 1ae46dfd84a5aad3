import { expect, it } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { connect } from '../support/wire.ts'

it('what is under way at SIGTERM is answered, and everybody who comes later is told to come back', async () => {
  const daemon = await startDaemon()
  const wire = connect(daemon.address)
  const { set } = (await wire.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm' })) as {
    set: { set_handle: string }
  }
  const allocate = () => wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle: set.set_handle })
  await allocate()
  const calls = Array.from({ length: 300 }, allocate)
  // The first of them is answered: all of them have arrived.
  await calls[0]
  const ended = daemon.stop()
  const outcomes = await Promise.allSettled(calls)
  const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))
  expect(refused).toEqual([])
  expect(await ended).toMatchObject({ code: 0 })
  wire.close()
})
