import { connect } from 'node:http2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { grpcMessage } from './frames.ts'
import { startTarget, type Target } from './target.ts'

let target: Target
beforeAll(async () => {
  target = await startTarget()
})
afterAll(() => target.stop())

it('what a peer sends as metadata does not get into the log, and no line of the log is of another form', async () => {
  const session = connect(`http://${target.address}`)
  for (let round = 0; round < 10; round++) {
    const stream = session.request({
      ':method': 'POST',
      ':path': '/ioasid.v1.AdminService/GetStatus',
      'content-type': 'application/grpc',
      te: 'trailers',
      // Not ASCII: grpc-js drops it, and says so where nobody told it to.
      'x-odd': 'é',
    })
    stream.end(grpcMessage(Buffer.alloc(0)))
    stream.resume()
    await new Promise((resolve) => stream.once('close', resolve))
  }
  session.destroy()
  await target.status()
  expect(target.complaints()).toEqual([])
})
