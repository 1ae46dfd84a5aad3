import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect as connectSocket } from 'node:net'
import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runDaemon, startDaemon, tempDir } from '../support/daemon.ts'
import { connect } from '../support/wire.ts'

const MEMORY = ['--store', 'memory']
const isServing = async (address: string) => {
  const wire = connect(address)
  expect(await wire.call('grpc.health.v1.Health', 'Check', {})).toEqual({ status: 'SERVING' })
  wire.close()
}

function refused(path: string) {
  return runDaemon(['--listen', `unix://${path}`, ...MEMORY]).then(({ code, stderr }) => {
    return { code, sentence: stderr.trimEnd().split('\n').at(-1) }
  })
}

describe('a Unix socket', () => {
  it('is for owner and group, in a directory that is made where it is missing, and gone in the end', async () => {
    const path = `${tempDir()}/run/ioasidd.sock`
    const daemon = await startDaemon({ listen: [`unix://${path}`], args: MEMORY })
    expect(statSync(path).mode & 0o777).toBe(0o660)
    expect(statSync(dirname(path)).mode & 0o022).toBe(0)
    await isServing(daemon.address)
    await daemon.stop()
    expect(existsSync(path)).toBe(false)
  })

  it('that a killed daemon left behind is replaced', async () => {
    const path = `${tempDir()}/ioasidd.sock`
    const daemon = await startDaemon({ listen: [`unix://${path}`], args: MEMORY })
    await daemon.kill()
    expect(existsSync(path)).toBe(true)
    const again = await daemon.restart()
    await isServing(again.address)
    await again.stop()
  })

  it('that is served is left to who serves it', async () => {
    const path = `${tempDir()}/ioasidd.sock`
    const daemon = await startDaemon({ listen: [`unix://${path}`], args: MEMORY })
    expect(await refused(path)).toEqual({
      code: 1,
      sentence: `ioasidd: cannot listen on unix://${path}: another process serves it.`,
    })
    await isServing(daemon.address)
    await daemon.stop()
  })

  it('takes the place of nothing but a socket', async () => {
    const path = `${tempDir()}/precious`
    writeFileSync(path, 'data')
    expect(await refused(path)).toMatchObject({ code: 1, sentence: expect.stringContaining('is no socket') })
    expect(statSync(path).size).toBe(4)
  })

  it('does not stand where everybody could replace it', async () => {
    const directory = `${tempDir()}/open`
    mkdirSync(directory)
    chmodSync(directory, 0o777)
    const { code, sentence } = await refused(`${directory}/x.sock`)
    expect({ code, sentence }).toEqual({ code: 1, sentence: expect.stringContaining('everybody may write') })
  })

  it('needs a directory that is there but for its last part', async () => {
    expect(await refused(`${tempDir()}/a/b/x.sock`)).toMatchObject({
      code: 1,
      sentence: expect.stringContaining('ENOENT'),
    })
  })
})

describe('connections', () => {
  it('above --max-connections are closed, and those that there are live on', async () => {
    const daemon = await startDaemon({ args: [...MEMORY, '--max-connections', '1'] })
    const [host = '', port = ''] = daemon.address.split(':')
    const wire = connect(daemon.address)
    await wire.call('grpc.health.v1.Health', 'Check', {})
    const second = connectSocket(Number(port), host)
    await new Promise((resolve) => second.once('close', resolve).on('error', () => undefined))
    await wire.call('grpc.health.v1.Health', 'Check', {})
    wire.close()
    await daemon.stop()
  })

  it('that speak no HTTP/2 cost nobody else anything', async () => {
    const daemon = await startDaemon({ args: MEMORY })
    const [host = '', port = ''] = daemon.address.split(':')
    for (const noise of [
      'GET / HTTP/1.1\r\n\r\n',
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\xff\xff\xff\xff',
      '\x16\x03\x01',
    ]) {
      const socket = connectSocket(Number(port), host)
      socket.on('error', () => undefined)
      socket.end(noise, 'latin1')
      await new Promise((resolve) => socket.resume().once('close', resolve))
    }
    await isServing(daemon.address)
    expect(await daemon.stop()).toMatchObject({ code: 0 })
  })
})
