import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { rawPeer } from './raw-peer.ts'
import { startTarget, type Target } from './target.ts'

const MAX_FDS = 120

let target: Target
beforeAll(async () => {
  target = await startTarget({ maxFds: MAX_FDS })
})
afterAll(() => target.stop())

it('a daemon that runs out of descriptors goes on serving who is connected, and others when there are some again', async () => {
  const { wire } = target
  const createSet = (token: string) => wire.call('ioasid.v1.SetService', 'CreateSet', { token })
  const peers = await Promise.all(Array.from({ length: 2 * MAX_FDS }, () => rawPeer(target)))
  await sleep(500)
  expect(target.fds()).toBeGreaterThan(MAX_FDS - 5)
  // It also reaches its disk.
  for (let round = 0; round < 5; round++) await createSet(`set-${round}`)
  for (const peer of peers) peer.vanish()
  await target.settled(MAX_FDS / 2)
  const late = await rawPeer(target)
  await sleep(200)
  expect(late.received.size).toBeGreaterThan(0)
  late.vanish()
  expect(target.complaints()).toEqual([])
})
