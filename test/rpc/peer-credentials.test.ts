import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { placeOf, strangerAt } from '../../server/rpc/peer.ts'
import { loadPeerCredentials } from '../../server/rpc/peer-credentials.ts'

const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
const isRoot = process.getuid?.() === 0

/** Two processes of two users, where the tests may become another one. */
it('a process that connects by a Unix socket is who the kernel says it is', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-peer-'))
  chmodSync(directory, 0o755)
  const path = join(directory, 'x.sock')
  const identify = await loadPeerCredentials(log)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(path, resolve))
  chmodSync(path, 0o777)
  onTestFinished(() => {
    server.close()
    rmSync(directory, { recursive: true })
  })
  const own = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  for (const { uid, gid } of isRoot ? [{ uid: 4321, gid: 1234 }, own] : [own]) {
    const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve))
    const program = `require('node:net').connect(${JSON.stringify(path)})`
    const child = spawn(process.execPath, ['--eval', program], { stdio: 'inherit', ...(isRoot ? { uid, gid } : {}) })
    const socket = await accepted
    const peer = identify(socket)
    child.kill('SIGKILL')
    socket.destroy()
    expect(peer).toEqual({ identity: `uid:${uid}`, groups: [`gid:${gid}`], pid: child.pid, address: '' })
  }
})

it('a peer that has gone is nobody', async () => {
  const identify = await loadPeerCredentials(log)
  expect(identify(new Socket())).toEqual({ identity: '', groups: [], pid: undefined, address: '' })
})

it('a line of the log says which process it was, or where on the network', () => {
  const process = { identity: 'uid:1000', groups: ['gid:100'], pid: 4711, address: '' }
  expect(placeOf(process, 'unknown')).toBe('pid:4711 gid:100')
  expect(placeOf(strangerAt('127.0.0.1'), '127.0.0.1:40000')).toBe('127.0.0.1:40000')
})
