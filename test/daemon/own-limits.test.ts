import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ServiceError } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDaemon, type TestDaemon, tempDir } from '../support/daemon.ts'
import { readRefusal, refusalOf } from '../support/rpc.ts'
import { connect, type Wire } from '../support/wire.ts'

const SETS = 'ioasid.v1.SetService'
const uid = process.getuid?.() ?? 0
const socket = join(tempDir(), 'ioasidd.sock')
const policy = join(tempDir(), 'policy.yaml')
const wires: Wire[] = []
const wireTo = (address: string) => {
  const wire = connect(address)
  wires.push(wire)
  return wire
}

let daemon: TestDaemon
beforeAll(async () => {
  writeFileSync(policy, `version: 1\ngrants: [{ to: 'uid:${uid}', own: ['*'], subscribe: ['*'] }]\n`)
  const limits = ['--max-own-calls', '2', '--max-own-requests', '1', '--max-own-sets', '1']
  daemon = await startDaemon({
    listen: [`unix://${socket}`, '127.0.0.1:0'],
    args: ['--store', 'memory', '--policy-file', policy, ...limits],
  })
})
afterAll(async () => {
  for (const wire of wires) wire.close()
  await daemon.stop()
})

test('with a policy a user of this host has the calls of the flag under way, and a listener elsewhere its own', async () => {
  const wire = wireTo(`unix://${socket}`)
  const subscribe = () => wire.open('ioasid.v1.NotificationService', 'Subscribe', { all: true, now: true })
  const streams = [subscribe(), subscribe()]
  for (const stream of streams) expect(await stream.next()).toMatchObject({ kind: 'HEADER' })
  const third = subscribe()
  expect(await third.next()).toBeUndefined()
  const facts = { reason: 'TOO_MANY', metadata: { what: 'own_calls', limit: '2', retry_after_ms: '100' } }
  expect(readRefusal((await third.ended) as ServiceError)).toMatchObject(facts)
  expect(await refusalOf(wire.call(SETS, 'ListSets', {}))).toMatchObject(facts)
  const elsewhere = wireTo(daemon.addresses[1] ?? '')
  expect(await elsewhere.call('grpc.health.v1.Health', 'Check', {})).toEqual({ status: 'SERVING' })
  expect(await refusalOf(elsewhere.call(SETS, 'ListSets', {}))).toMatchObject({ reason: 'NO_IDENTITY' })
  for (const stream of streams) stream.cancel()
  // That they have ended travels.
  const isServed = () =>
    wire.call(SETS, 'ListSets', {}).then(
      () => true,
      () => false,
    )
  while (!(await isServed()));
})

test('with a policy a user has the sets and the requests a second of the flags, after a burst of a whole Batch', async () => {
  const wire = wireTo(`unix://${socket}`)
  const { set } = (await wire.call(SETS, 'CreateSet', { token: 'vm' })) as { set: { set_handle: string } }
  expect(await refusalOf(wire.call(SETS, 'CreateSet', {}))).toMatchObject({
    metadata: { what: 'own_sets', limit: '1' },
  })
  const { set_handle } = set
  const batch = (count: number) =>
    wire.call('ioasid.v1.IoasidService', 'Batch', {
      items: Array.from({ length: count }, () => ({ allocate: { set_handle } })),
    })
  await batch(900)
  const refusal = await refusalOf(batch(900))
  expect(refusal).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'own_requests', limit: '1' } })
  expect(refusal.retryMs).toBeGreaterThan(700_000)
  expect(refusal.retryMs).toBeLessThanOrEqual(900_000)
  expect(await wire.call(SETS, 'GetSet', { set_handle })).toMatchObject({ set: { allocated: 900 } })
})
