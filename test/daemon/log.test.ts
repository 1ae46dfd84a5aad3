import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'
import { connect } from '../support/wire.ts'

const MAIN = join(repositoryRoot, 'dist/server/main.js')
const ANSWER_MS = 1000
const STOP_MS = 5000

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A daemon whose standard error is a descriptor, or a socket of ours. */
async function start(stderr: number | 'pipe', ...args: string[]) {
  const flags = ['--listen', '127.0.0.1:0', '--store', 'memory', ...args]
  const child = spawn(process.execPath, [MAIN, ...flags], { stdio: ['ignore', 'pipe', stderr] })
  children.push(child)
  const { stdout } = child
  if (stdout === null) throw new Error('there is no standard output')
  const [line] = await once(stdout, 'data')
  const address = /^ready (\S+)/.exec(String(line))?.[1] ?? ''
  const stop = async () => {
    child.kill('SIGTERM')
    return await once(child, 'exit')
  }
  return { child, wire: connect(address), stop }
}

function fifo() {
  const path = join(tempDir(), 'log')
  expect(spawnSync('mkfifo', ['-m', '600', path]).status).toBe(0)
  // For both: so it can be opened before the other end is.
  const ours = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
  const theirs = openSync(path, constants.O_WRONLY)
  return { ours, theirs }
}

/** Until nothing more goes in or out. */
function exhaust(step: () => number): void {
  try {
    while (step() > 0);
  } catch (cause) {
    expect(cause).toMatchObject({ code: 'EAGAIN' })
  }
}

async function answersInTime({ wire }: Awaited<ReturnType<typeof start>>) {
  const began = performance.now()
  expect(await wire.call('grpc.health.v1.Health', 'Check', {})).toEqual({ status: 'SERVING' })
  expect(performance.now() - began).toBeLessThan(ANSWER_MS)
}

async function endsInTime(daemon: Awaited<ReturnType<typeof start>>) {
  daemon.wire.close()
  const began = performance.now()
  expect(await daemon.stop()).toEqual([0, null])
  expect(performance.now() - began).toBeLessThan(STOP_MS)
}

test('a pipe that nobody reads keeps the daemon neither from serving nor from ending', async () => {
  const { ours, theirs } = fifo()
  exhaust(() => writeSync(ours, 'x'.repeat(4096)))
  const daemon = await start(theirs)
  await answersInTime(daemon)
  for (let round = 0; round < 20; round++) {
    for (let time = 0; time < 10; time++) daemon.child.kill('SIGUSR1')
    await answersInTime(daemon)
  }
  await endsInTime(daemon)
  closeSync(theirs)
  closeSync(ours)
})

test('what waited for a reader is read by one who comes later', async () => {
  const { ours, theirs } = fifo()
  exhaust(() => writeSync(ours, 'x'.repeat(4096)))
  const daemon = await start(theirs)
  const piece = Buffer.alloc(65_536)
  let text = ''
  const read = () => {
    exhaust(() => {
      const length = readSync(ours, piece)
      text += piece.toString('utf8', 0, length)
      return length
    })
    return text
  }
  await expect.poll(read, { timeout: 20_000 }).toContain('"message":"serving"')
  await endsInTime(daemon)
  expect(read()).toMatch(/"message":"stopped"\}\n$/)
  closeSync(theirs)
  closeSync(ours)
})

test('a socket that nobody reads keeps the daemon neither from serving nor from ending', async () => {
  const daemon = await start('pipe')
  // More than the buffers of both ends take.
  for (let round = 0; round < 1000; round++) {
    daemon.child.kill('SIGUSR1')
    await daemon.wire.call('grpc.health.v1.Health', 'Check', {})
  }
  await answersInTime(daemon)
  let text = ''
  // Not before: it is to end without a reader.
  daemon.child.once('exit', () =>
    daemon.child.stderr?.on('data', (piece) => {
      text += piece
    }),
  )
  const closed = once(daemon.child, 'close')
  await endsInTime(daemon)
  await closed
  expect([text.includes('"serving"'), text.includes('"stopped"')]).toEqual([true, false])
})
