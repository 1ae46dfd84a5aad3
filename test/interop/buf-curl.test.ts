import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { shellBlock } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)

test('buf curl makes a set, allocates, binds and sees it in the stream, by reflection alone', async () => {
  const daemon = await startDaemon()
  const curl = async (method: string, request: object): Promise<string> => {
    const url = `http://${daemon.address}/ioasid.v1.${method}`
    const args = [
      'buf',
      'curl',
      '--protocol',
      'grpc',
      '--http2-prior-knowledge',
      '--data',
      JSON.stringify(request),
      url,
    ]
    return (await run('npx', args, { cwd: repositoryRoot })).stdout
  }
  const call = async (method: string, request: object) => JSON.parse(await curl(method, request))

  const { set } = await call('SetService/CreateSet', { token: 'vm-a', quota: 4 })
  const setHandle = set.setHandle
  expect(await call('IoasidService/Allocate', { setHandle })).toEqual({ ioasids: [1], revision: '2' })
  await call('IoasidService/AttachSpid', { setHandle, ioasid: 1, spid: 101 })
  expect((await call('IoasidService/FindBySpid', { token: 'vm-a', spid: 101 })).info.ioasid).toBe(1)

  // A stream has no end of its own: the daemon's is one, and what it told before stands.
  const watching = curl('NotificationService/Subscribe', { tokens: ['vm-a'], afterRevision: '0' }).catch(
    ({ stdout }: { stdout: string }) => stdout,
  )
  await expect.poll(async () => (await call('AdminService/GetStatus', {})).subscriptions, { timeout: 20_000 }).toBe(1)
  await daemon.stop()
  const messages = (await watching)
    .replaceAll('\n}\n{', '\n}\n\u0000{')
    .split('\u0000')
    .map((text) => JSON.parse(text))
  const told = messages.flatMap(({ notifications = [] }) => notifications.map(({ type }: { type: string }) => type))
  expect(told).toEqual(['SET_ALLOC', 'ALLOC', 'BIND'])
})

test('the README command for tools that reflect works', async () => {
  const daemon = await startDaemon()
  const command = shellBlock('npx buf curl').replace('127.0.0.1:PORT', daemon.address)
  const { stdout } = await run('bash', ['-euc', command], { cwd: repositoryRoot })
  expect(JSON.parse(stdout)).toMatchObject({ capacity: 1_048_576, store: 'lmdb' })
  await daemon.stop()
})
