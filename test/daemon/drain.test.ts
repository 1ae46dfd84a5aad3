import { once } from 'node:events'
import { connect } from 'node:http2'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { grpcMessage } from '../hostile/frames.ts'
import { startDaemon } from '../support/daemon.ts'

it('what is under way at SIGTERM comes to its end, though its reader takes a while', async () => {
  const daemon = await startDaemon()
  const session = connect(`http://${daemon.address}`, { settings: { initialWindowSize: 0 } })
  const call = session.request({
    ':method': 'POST',
    ':path': '/ioasid.v1.AdminService/GetStatus',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  call.end(grpcMessage(Buffer.alloc(0)))
  let bytes = 0
  call.on('data', (chunk) => {
    bytes += chunk.length
  })
  const trailers = once(call, 'trailers')
  // It is answered, and there is no room for the answer.
  await once(call, 'response')
  const ended = daemon.stop()
  await sleep(200)
  session.settings({ initialWindowSize: 65_535 })
  const [{ 'grpc-status': status }] = await trailers
  expect({ status, isWhole: bytes > 5 }).toEqual({ status: '0', isWhole: true })
  session.close()
  expect(await ended).toMatchObject({ code: 0 })
})
