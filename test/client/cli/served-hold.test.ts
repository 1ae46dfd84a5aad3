import { createReadStream } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { createFile } from '../../../client/cli/files.ts'
import { main } from '../../../client/cli/program.ts'
import { connect } from '../../../client/index.ts'
import { serve } from '../../support/rpc.ts'
import { gate } from '../table.ts'

it('ioasidctl watch --hold keeps an id until it has printed its teardown, and get says what is awaited', async () => {
  const served = await serve()
  onTestFinished(served.stop)
  const env: Record<string, string> = { IOASIDCTL_ENDPOINT: served.address }
  const start = (written: () => Promise<void>, ...argv: string[]) => {
    const user = new AbortController()
    let out = ''
    let err = ''
    const code = main(argv, {
      out: (text) => {
        out += text
      },
      written,
      err: (text) => {
        err += text
      },
      env,
      connect: async (options) => connect(options),
      readFile: async () => new Uint8Array(),
      readPieces: (path) => createReadStream(path),
      createFile,
      interrupted: user.signal,
      nowMs: () => 0,
      monotonicMs: () => 0,
      terminal: undefined,
      progress: undefined,
    })
    return { code, user, out: () => out, err: () => err }
  }
  const ctl = async (...argv: string[]) => {
    const { code, out, err } = start(async () => {}, ...argv)
    await code
    // The daemon's time is its own affair.
    return `${out()}${err()}`.replace(/, 0s ago \(.*?\)/g, '')
  }

  const lines = gate()
  let isSlow = false
  const watching = start(
    async () => {
      if (isSlow) await lines.passed
    },
    ...['watch', '--token', 'vm-a', '--hold', '--priority', 'CPU'],
  )
  await expect.poll(watching.err).toBe('holding as CPU by lease 1\nwatching after revision 2\n')
  env['IOASIDCTL_SET_HANDLE'] = (await ctl('set', 'create', 'vm-a', '-q')).trim()
  await ctl('alloc', '--spids', '101')
  await expect.poll(watching.out).toContain('BIND        vm-a  ioasid 1  spid 101\n')
  expect(await ctl('get', '1', '--no-headers')).toBe(`1  101  ACTIVE  1  4  1  vm-a
held: 1 reference
  lease 1 (ioasidctl watch): 1 reference
    since revision 4
`)
  isSlow = true
  await ctl('free', '1')
  await expect.poll(watching.out).toContain('FREE        vm-a  ioasid 1\n')
  expect(await ctl('get', '1', '--no-headers')).toBe(`1  101  FREE_PENDING  1  4  1  vm-a
not free yet: 1 reference left
  lease 1 (ioasidctl watch): 1 reference, has yet to acknowledge revision 5
    since revision 4
`)
  lines.pass()
  await expect.poll(() => ctl('get', '1')).toContain('IOASID_NOT_FOUND')
  expect((await ctl('lease', 'list', '--no-headers')).replace(/ +/g, ' ')).toBe(
    '1 ALIVE 10000 RELEASE 0 0 CPU ioasidctl watch\n',
  )
  watching.user.abort()
  expect(await watching.code).toBe(130)
  expect(await ctl('lease', 'list', '-q')).toBe('')
})
