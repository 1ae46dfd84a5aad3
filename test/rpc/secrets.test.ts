import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusalOf, type Served, serve } from '../support/rpc.ts'

let served: Served
let handle: string
let other: string
const data = Buffer.from('mine')

beforeAll(async () => {
  served = await serve({ isAdmin: false })
  const create = async (token: string) =>
    ((await served.set('CreateSet', { token, request_id: token })) as { set: { set_handle: string } }).set.set_handle
  handle = await create('vm')
  other = await create('other')
  await served.ioasid('Allocate', { set_handle: handle, spids: [7], private_data: data })
})
afterAll(() => served.stop())

describe('a set handle', () => {
  it('is in the answer to CreateSet, and in the answer to the same request again', async () => {
    expect(handle).toMatch(/^set-[\w-]{32}$/)
    expect(await served.set('CreateSet', { token: 'vm', request_id: 'vm' })).toMatchObject({
      set: { set_handle: handle },
    })
  })

  it('is shown to who presents it, and to nobody else', async () => {
    expect(await served.set('GetSet', { set_handle: handle })).toMatchObject({ set: { set_handle: handle } })
    expect(await served.set('GetSet', { token: 'vm' })).toMatchObject({ set: { set_handle: '', token: 'vm' } })
    expect(await served.set('AdjustQuota', { set_handle: handle, quota: 9 })).toMatchObject({
      set: { set_handle: handle },
    })
    const seen = [
      await served.set('ListSets', {}),
      await served.ioasid('GetIoasid', { ioasid: 1 }),
      await served.ioasid('FindBySpid', { token: 'vm', spid: 7 }),
      await served.ioasid('ListIoasids', { token: 'vm' }),
    ]
    expect(JSON.stringify(seen)).not.toContain('set-')
  })

  it('is in no notification and no snapshot', async () => {
    const stream = served.wire.open('ioasid.v1.NotificationService', 'Subscribe', {
      set_handles: [handle],
      snapshot: true,
    })
    const messages = [await stream.next(), await stream.next(), await stream.next()]
    expect(messages.at(-1)).toMatchObject({ kind: 'SNAPSHOT_END' })
    expect(JSON.stringify(messages)).not.toContain('set-')
    stream.cancel()
  })
})

describe('private data', () => {
  it('are for who presents the handle of the set', async () => {
    const own = { set_handle: handle }
    expect(await served.ioasid('GetIoasid', { ...own, ioasid: 1 })).toMatchObject({ info: { private_data: data } })
    expect(await served.ioasid('FindBySpid', { ...own, spid: 7 })).toMatchObject({ info: { private_data: data } })
    expect(await served.ioasid('ListIoasids', own)).toMatchObject({ infos: [{ private_data: data }] })
  })

  it('are not there for anybody else', async () => {
    const { info: got } = (await served.ioasid('GetIoasid', { ioasid: 1 })) as { info: object }
    const { info: empty } = (await served.ioasid('GetIoasid', { ioasid: 1, set_handle: '' })) as { info: object }
    const { info: found } = (await served.ioasid('FindBySpid', { token: 'vm', spid: 7 })) as { info: object }
    const { infos } = (await served.ioasid('ListIoasids', { token: 'vm' })) as { infos: object[] }
    for (const info of [got, empty, found, ...infos]) {
      expect(info).toMatchObject({ ioasid: 1, token: 'vm', spid: 7, devices: [''], state: 'ACTIVE' })
      expect(info).not.toHaveProperty('private_data')
    }
  })

  it('of another set are WRONG_SET, whatever the id is', async () => {
    expect(await refusalOf(served.ioasid('GetIoasid', { ioasid: 1, set_handle: other }))).toMatchObject({
      status: 'PERMISSION_DENIED',
      reason: 'WRONG_SET',
    })
  })

  it('are kept without the message that they came in', async () => {
    const bulk = Array.from({ length: 2000 }, (_, index) => 100_000 + index)
    await served.ioasid('Allocate', { set_handle: other, spids: [1], private_data: Buffer.from('x') })
    await refusalOf(served.ioasid('Allocate', { set_handle: other, spids: bulk, private_data: Buffer.from('x') }))
    const kept = await served.engine.read((state) => ({
      bytes: state.table.pages.flatMap((page) =>
        [...(page?.data.values() ?? [])].map(({ buffer }) => buffer.byteLength),
      ),
    }))
    expect(kept).toEqual({ bytes: [4, 1] })
  })
})
