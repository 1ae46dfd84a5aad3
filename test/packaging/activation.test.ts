import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'
import { environment, execStart, readUnit } from '../support/unit-file.ts'

/** The service as systemd would start it, by systemd's own stand-in for socket units and with somebody who hears its words. */

const TIMEOUT_MS = 30_000
const service = readUnit('ioasidd.service')

interface Started {
  readonly child: ChildProcess
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<number | null>
}

function start(command: string, args: readonly string[]): Started {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  return { child, output, ended }
}

/** Prints each datagram that it gets, as JSON: Node has no such sockets. */
const RECEIVER = `
import json, socket, sys
name = sys.argv[1]
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind('\\0' + name[1:] if name.startswith('@') else name)
print('bound', flush=True)
while True:
    print(json.dumps(receiver.recv(4096).decode()), flush=True)
`

async function notifySocket(name: string) {
  const { output } = start('/usr/bin/python3', ['-c', RECEIVER, name])
  await expect.poll(() => output.stdout, { timeout: TIMEOUT_MS }).toMatch(/^bound\n/)
  const messages = (): string[] =>
    output.stdout
      .split('\n')
      .slice(1, -1)
      .map((line) => JSON.parse(line))
  return {
    name,
    /** All but the watchdog's, which come as they come. */
    said: () => messages().filter((message) => message !== 'WATCHDOG=1'),
    watched: () => messages().filter((message) => message === 'WATCHDOG=1').length,
  }
}

/** Runs the ExecStart of the service with its variables, but for where the data are, when somebody connects to a socket. */
function activate(sockets: readonly string[], names: string, variables: Readonly<Record<string, string>>): Started {
  const env = { ...environment(service), IOASIDD_DATA_DIR: join(tempDir(), 'data'), ...variables }
  return start('systemd-socket-activate', [
    ...sockets.flatMap((address) => ['--listen', address]),
    `--fdname=${names}`,
    ...Object.entries(env).flatMap(([name, value]) => ['--setenv', `${name}=${value}`]),
    ...execStart(service, { node: process.execPath, package: repositoryRoot }),
  ])
}

test('a client that is there before the daemon is served, and systemd hears how it goes until the end', async () => {
  const path = join(tempDir(), 'ioasidd.sock')
  const systemd = await notifySocket(join(tempDir(), 'notify'))
  const { child, output, ended } = activate([path], 'local', { NOTIFY_SOCKET: systemd.name, WATCHDOG_USEC: '2000000' })
  await expect.poll(() => existsSync(path), { timeout: TIMEOUT_MS }).toBe(true)
  expect(systemd.said()).toEqual([])

  const client = connect({ endpoint: `unix://${path}`, deadlineMs: TIMEOUT_MS })
  const { set } = await client.createSet({ token: 'vm-a' })
  expect((await client.allocate({ setHandle: set.setHandle })).ioasids).toHaveLength(1)
  expect(output.stdout).toBe(`ready unix://${path}\n`)
  const ready = `READY=1\nSTATUS=serving on unix://${path}`
  await expect.poll(systemd.said, { timeout: TIMEOUT_MS }).toEqual([ready])
  await expect.poll(systemd.watched, { timeout: TIMEOUT_MS }).toBeGreaterThan(0)

  // As ExecReload= does it.
  expect(service.values('ExecReload')).toEqual(['/bin/kill -HUP $MAINPID'])
  child.kill('SIGHUP')
  const reloading = expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/)
  await expect.poll(systemd.said, { timeout: TIMEOUT_MS }).toEqual([ready, reloading, ready])

  await client.close()
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  const stopping = 'STOPPING=1\nSTATUS=draining'
  await expect.poll(systemd.said, { timeout: TIMEOUT_MS }).toEqual([ready, reloading, ready, stopping])
  // It is systemd's.
  expect(existsSync(path)).toBe(true)
})

test('sockets are told apart by name, each with its own rights, and an abstract name is heard on too', async () => {
  const path = join(tempDir(), 'ioasidd.sock')
  const tcp = `127.0.0.1:${await freePort()}`
  const systemd = await notifySocket(`@ioasidd-test-${process.pid}`)
  activate([path, tcp], 'local:remote', {
    NOTIFY_SOCKET: systemd.name,
    IOASIDD_LISTEN: 'fd://remote,fd://local',
    IOASIDD_NO_ADMIN: 'fd://remote',
  })
  await expect.poll(() => existsSync(path), { timeout: TIMEOUT_MS }).toBe(true)
  const client = connect({ endpoint: tcp, deadlineMs: TIMEOUT_MS })
  await client.createSet({ token: 'vm-a' })
  await expect(client.getStatus()).rejects.toThrow()
  await client.close()
  const local = connect({ endpoint: `unix://${path}`, deadlineMs: TIMEOUT_MS })
  await expect(local.getStatus()).resolves.toMatchObject({ sets: 1 })
  await local.close()
  await expect
    .poll(systemd.said, { timeout: TIMEOUT_MS })
    .toEqual([`READY=1\nSTATUS=serving on ${tcp}, unix://${path}`])
})

test('a socket that was not handed over is a wrong configuration, which a restart does not mend', () => {
  const [command = '', ...args] = execStart(service, { node: process.execPath, package: repositoryRoot })
  const env = { ...environment(service), IOASIDD_DATA_DIR: join(tempDir(), 'data') }
  let failure: unknown
  try {
    execFileSync(command, args, { env, stdio: 'pipe' })
  } catch (cause) {
    failure = cause
  }
  expect(failure).toMatchObject({ status: 2, stderr: expect.any(Buffer) })
  expect(String(failure)).toContain("does not take 'fd://': no socket was handed over")
  expect(service.values('RestartPreventExitStatus')).toEqual(['2'])
})

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
