import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../../../client/index.ts'
import { repositoryRoot } from '../../support/repository.ts'
import { serve } from '../../support/rpc.ts'

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
