import { execFile, spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ServerCredentials } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../../../client/index.ts'
import { ca, client, otherCa, server } from '../../support/certificates.ts'
import { tempDir } from '../../support/daemon.ts'
import { repositoryRoot } from '../../support/repository.ts'
import { serve } from '../../support/rpc.ts'
import { startFake } from '../grpc-daemon.ts'

const MAIN = join(repositoryRoot, 'dist/ioasidctl/main.js')

/** ioasidctl as a process of its own, under bash: for what only a process has, its standard output and error. */
function shell(line: string) {
  const script = `set -o pipefail; ioasidctl() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('ioasidctl as a process', () => {
  it('fails where what it prints is lost, for it may be a handle', () => {
    const { status, stderr } = shell('ioasidctl version >/dev/full')
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^error: the output is lost: .*\n$/),
    })
  })

  it('ends without a word when its reader has seen enough', () => {
    expect(shell('ioasidctl --help | true')).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it('keeps its exit code where nobody can be told of the error', () => {
    expect(shell('ioasidctl frobnicate 2>/dev/full').status).toBe(2)
    expect(shell('ioasidctl frobnicate 2>&1 | true').status).toBe(2)
  })
})

describe('ioasidctl over TLS, as a process,', () => {
  async function setUp() {
    const secret = ServerCredentials.createSsl(
      Buffer.from(ca),
      [{ private_key: Buffer.from(server.key), cert_chain: Buffer.from(server.cert) }],
      true,
    )
    const getStatus = (_call: unknown, answer: (error: null, value: object) => void) =>
      answer(null, { version: '1.2.3', role: 'LEADER' })
    const daemon = await startFake('127.0.0.1:0', { getStatus }, secret)
    onTestFinished(daemon.stop)
    const directory = tempDir()
    const files = { ca, 'other-ca': otherCa, cert: client.cert, key: client.key }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
    const ctl = (env: Record<string, string>, ...argv: string[]) =>
      new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
        const args = [MAIN, '--endpoint', `127.0.0.1:${daemon.port}`, ...argv, 'status', '-o', 'json']
        const options = { cwd: directory, env: { ...process.env, ...env } }
        execFile(process.execPath, args, options, (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : error.code, stdout, stderr }),
        )
      })
    return { ctl, port: daemon.port }
  }

  it('reads its files, and Node has nothing to say', async () => {
    const { ctl } = await setUp()
    const answered = { code: 0, stdout: expect.stringContaining('"version": "1.2.3"'), stderr: '' }
    expect(await ctl({}, '--cacert', 'ca', '--cert', 'cert', '--key', 'key')).toEqual(answered)
    const env = { IOASIDCTL_CACERT: 'ca', IOASIDCTL_CERT: 'cert', IOASIDCTL_KEY: 'key' }
    expect(await ctl(env, '--server-name', 'localhost')).toEqual(answered)
  })

  it('says which file cannot be read, and why nothing is connected', async () => {
    const { ctl, port } = await setUp()
    const unread = await ctl({}, '--cacert', '.')
    expect(unread).toMatchObject({ code: 2, stdout: '' })
    expect(JSON.parse(unread.stderr).error).toEqual({
      reason: 'USAGE',
      message: "--cacert: '.' cannot be read: EISDIR: illegal operation on a directory.",
    })
    const { code, stderr } = await ctl({}, '--cacert', 'other-ca', '--deadline', '500ms')
    expect({ code, error: JSON.parse(stderr).error }).toMatchObject({
      code: 4,
      error: {
        code: 'UNAVAILABLE',
        message:
          `No connection to 127.0.0.1:${port}: the daemon's certificate is not trusted: ` +
          'self-signed certificate in certificate chain.',
      },
    })
  })
})

describe('a watch that holds, as a process,', () => {
  /** Before a daemon with a bound id. */
  async function watch(endOfLine: string) {
    const served = await serve()
    const client = connect({ endpoint: served.address })
    onTestFinished(async () => {
      await client.close()
      served.stop()
    })
    const { setHandle } = (await client.createSet({ token: 'vm-a' })).set
    await client.allocate({ setHandle, spids: [101] })
    const command = `'${process.execPath}' '${MAIN}' --endpoint ${served.address} watch --token vm-a --hold -q`
    const shell = spawn('bash', ['-c', `set -o pipefail; ${command}${endOfLine}`], { detached: true })
    onTestFinished(() => {
      // With all that it has started; where that has ended, there is nothing to end.
      if (shell.exitCode === null && shell.pid !== undefined) process.kill(-shell.pid, 'SIGKILL')
    })
    let stdout = ''
    shell.stdout.on('data', (data) => {
      stdout += data
    })
    const code = new Promise<number | null>((resolve) => shell.once('close', resolve))
    return { client, setHandle, shell, code, stdout: () => stdout }
  }

  it('lets go of its ids when it is told to end', async () => {
    const { client, shell, code, stdout } = await watch(' & trap "kill -TERM $!" TERM; wait; wait $!')
    await expect.poll(stdout, { timeout: 20_000 }).toContain('BIND')
    expect(await client.getStatus()).toMatchObject({ leases: 1, subscriptions: 1 })
    shell.kill('SIGTERM')
    expect(await code).toBe(130)
    expect(await client.getStatus()).toMatchObject({ leases: 0 })
  })

  it('lets go of its ids when its reader has seen enough', async () => {
    const { client, setHandle, shell, code, stdout } = await watch(' | head -n 1')
    let quota = 100
    // It learns that nobody reads when it has something to say.
    const change = async () => {
      quota += 1
      await client.adjustQuota({ setHandle, quota })
      return shell.exitCode
    }
    await expect.poll(change, { timeout: 20_000 }).toBe(0)
    await code
    expect(stdout()).toMatch(/SET_ALLOC/)
    expect(await client.getStatus()).toMatchObject({ leases: 0 })
  })

  it('lets go of its ids where what it prints is lost, and fails', async () => {
    const { client, code } = await watch(' >/dev/full')
    expect(await code).toBe(1)
    expect(await client.getStatus()).toMatchObject({ leases: 0 })
  })
})
