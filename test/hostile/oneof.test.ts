import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Caller, createCaller } from './caller.ts'
import { METHODS, type RpcMethod } from './methods.ts'
import { bytesField, varintField } from './protobuf.ts'
import { startTarget, type Target } from './target.ts'
import { createWorld, type World } from './world.ts'

/**
 * No encoder writes two members of a oneof. Protobuf's rule is that the last one counts; to refuse the message is clean as
 * well. To act on the first one is neither: two readers of the same bytes would then do different things.
 */
let target: Target
let caller: Caller
let world: World
beforeAll(async () => {
  target = await startTarget({ args: ['--store', 'memory'] })
  caller = createCaller(target.address)
  world = await createWorld(target, 'vm')
})
afterAll(async () => {
  caller.close()
  await target.stop()
})

async function codeOf(name: string, message: Buffer): Promise<number | undefined> {
  const method = METHODS.find((each) => each.name === name) ?? unknownMethod(name)
  const { path } = method
  const rest = { headers: {}, body: undefined, isEnded: true, expect: undefined, kind: 'oneof' }
  const outcome = await caller.send({ ...rest, method, path, message })
  return outcome.kind === 'status' ? outcome.code : undefined
}

function unknownMethod(name: string): RpcMethod {
  throw new Error(`there is no ${name}`)
}

describe('of a oneof with two members the last one counts, or the message is refused', () => {
  it('where a set is named twice', async () => {
    const handle = bytesField(1, world.setHandle)
    expect(await codeOf('GetSet', handle)).toBe(status.OK)
    const last = await codeOf('GetSet', Buffer.concat([handle, bytesField(2, 'nobody')]))
    expect([status.NOT_FOUND, status.INVALID_ARGUMENT]).toContain(last)
  })

  it('where the last name of a set is no UTF-8', async () => {
    const twice = Buffer.concat([bytesField(1, world.setHandle), bytesField(2, Buffer.from([0xff]))])
    expect(await codeOf('GetSet', twice)).toBe(status.INVALID_ARGUMENT)
  })

  it('where an item of a Batch is two requests', async () => {
    const before = await target.status()
    const allocate = bytesField(1, Buffer.concat([bytesField(1, world.setHandle), varintField(2, 3)]))
    const freeNothing = bytesField(2, bytesField(1, world.setHandle))
    await codeOf('Batch', bytesField(1, Buffer.concat([allocate, freeNothing])))
    expect(await target.status()).toMatchObject({ allocated: before['allocated'], revision: before['revision'] })
  })
})
