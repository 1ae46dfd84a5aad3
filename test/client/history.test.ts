import { expect, it, onTestFinished } from 'vitest'
import { makeClient } from '../../client/client.ts'
import { connect, IoasidError } from '../../client/index.ts'
import { serve } from '../support/rpc.ts'
import { fakeTransport } from './fake-transport.ts'
import { manualClock } from './manual-clock.ts'

const time = { seconds: '1700000000', nanos: 5_000_000 }
const life = { token: 'vm', set_id: '1', generation: '2', from_revision: '2', from_time: time }
const binding = (spid: number) => ({ spid, from_revision: '3', from_time: time, to_revision: '4', to_time: time })

function pagesOf(...pages: object[][]) {
  const { transport, calls } = fakeTransport((_path, request) => {
    const page = Number(request['page_token'] || 0)
    return { lives: pages[page], next_page_token: page + 1 < pages.length ? String(page + 1) : '' }
  })
  return { client: makeClient(() => transport, manualClock().clock, {}), calls }
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

it('a life that comes in pieces on several pages is told as one', async () => {
  const ended = { ...life, to_revision: '9', to_time: time, ended_by: 'OWNER' }
  const older = { ...life, generation: '1', from_revision: '1', bindings: [binding(8)] }
  const { client } = pagesOf(
    [{ ...life, bindings: [binding(7), binding(6)] }],
    [{ ...ended, bindings: [binding(5)] }, older],
  )
  const lives = await all(client.getHistory(4711))
  expect(lives.map(({ bindings }) => bindings.map(({ spid }) => spid))).toEqual([[7, 6, 5], [8]])
  expect(lives.map(({ endedBy }) => endedBy)).toEqual(['OWNER', undefined])
  expect(lives[0]?.to).toEqual({ revision: 9n, time: new Date(1_700_000_000_005) })
})

it('by whom an id was allocated, freed, bound and unbound is told, and nothing of what nobody knows', async () => {
  const by = { allocated_by: 'uid:1000', freed_by: 'uid:0' }
  const bindings = [{ ...binding(8), bound_by: 'uid:1000', unbound_by: 'uid:0' }, binding(7)]
  const { client } = pagesOf([
    { ...life, ...by, bindings },
    { ...life, generation: '1' },
  ])
  const told = await all(client.getHistory(4711))
  expect(told.map(({ allocatedBy, freedBy }) => [allocatedBy, freedBy])).toEqual([
    ['uid:1000', 'uid:0'],
    ['', ''],
  ])
  expect(told[0]?.bindings.map(({ boundBy, unboundBy }) => [boundBy, unboundBy])).toEqual([
    ['uid:1000', 'uid:0'],
    ['', ''],
  ])
})

it('what is no id or no revision is refused before it is sent', async () => {
  const { client, calls } = pagesOf([])
  expect(() => client.getHistory(-1)).toThrow(IoasidError)
  await expect(client.compact(-1n)).rejects.toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'revision' } })
  expect(calls).toEqual([])
})

it('the daemon tells who had an id, until it is told to forget it', async () => {
  const served = await serve()
  onTestFinished(served.stop)
  const client = connect({ endpoint: served.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  const { ioasids } = await client.allocate({ setHandle: set.setHandle, spids: [101] })
  const [ioasid = 0] = ioasids
  const { revision } = await client.free({ setHandle: set.setHandle, ioasids })
  const [told] = await all(client.getHistory(ioasid))
  expect(told).toMatchObject({ token: 'vm-a', endedBy: 'OWNER', to: { revision }, bindings: [{ spid: 101 }] })
  // The clock of this daemon stands still.
  expect(told?.from.time).toEqual(new Date(1_700_000_001_000))
  expect(await client.compact(revision)).toEqual({ revision, compactRevision: revision })
  expect(await all(client.getHistory(ioasid))).toEqual([])
  await client.close()
})
