import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { runDaemon, startDaemon, tempDir } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'
import { reasonOf, connect as wireTo } from '../support/wire.ts'

const CTL = join(repositoryRoot, 'dist/ioasidctl/main.js')
const DAEMON = join(repositoryRoot, 'dist/server/main.js')

interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

function node(...args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (data) => {
    said.stdout += data
  })
  child.stderr.on('data', (data) => {
    said.stderr += data
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...said })))
}

/** An answered change. */
interface Answered {
  readonly requestId: string
  readonly revision: bigint
  readonly ioasids: readonly number[]
  readonly setHandle: string
}

/** A tenant that allocates, binds some of it and frees some, until it is told to stop. */
async function tenant(client: Client, name: string, ledger: Answered[], isOver: () => boolean): Promise<void> {
  const { set } = await client.createSet({ token: name })
  for (let round = 0; !isOver(); round++) {
    const requestId = `${name}/${round}`
    const { ioasids, revision } = await client.allocate({
      setHandle: set.setHandle,
      spids: [round + 1, round + 100_001],
      requestId,
    })
    ledger.push({ requestId, revision, ioasids, setHandle: set.setHandle })
  }
}

test('every answered change up to the revision of a backup under load is there after the restore, and none above', async () => {
  const daemon = await startDaemon({ args: ['--history', '400', '--snapshot-every', '200'] })
  const directory = tempDir()
  const clients = Array.from({ length: 4 }, () => connect({ endpoint: daemon.address }))
  const ledger: Answered[] = []
  let isOver = false
  const load = clients.map((client, index) => tenant(client, `vm-${index}`, ledger, () => isOver))
  await expect.poll(() => ledger.length, { timeout: 30_000 }).toBeGreaterThan(100)
  const before = ledger.length
  const file = join(directory, 'backup')
  const saved = await node(CTL, '--endpoint', daemon.address, 'backup', 'save', file, '-o', 'json')
  expect(saved).toMatchObject({ code: 0, stderr: '' })
  const { revision, spaceId } = JSON.parse(saved.stdout)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(await node(CTL, 'backup', 'inspect', file, '-o', 'json')).toEqual(saved)
  const later = ledger.length + 20
  await expect.poll(() => ledger.length, { timeout: 30_000 }).toBeGreaterThan(later)
  isOver = true
  await Promise.all(load)
  await Promise.all(clients.map((client) => client.close()))
  await daemon.kill()

  const dataDir = join(directory, 'data')
  const restored = await runDaemon(['restore', file, '--data-dir', dataDir])
  expect(restored).toMatchObject({ code: 0, stderr: '' })
  expect(restored.stdout).toContain(`restored revision ${revision} of space ${spaceId}`)
  expect(await runDaemon(['verify', '--data-dir', dataDir])).toMatchObject({ code: 0, stderr: '' })

  const again = await startDaemon({ dataDir })
  const client = connect({ endpoint: again.address })
  const status = await client.getStatus()
  expect(status).toMatchObject({ revision: BigInt(revision) })
  expect(status.spaceId).not.toBe(spaceId)
  const kept = ledger.filter((answered) => answered.revision <= BigInt(revision))
  expect(kept.length).toBeGreaterThanOrEqual(before)
  expect(kept.length).toBeLessThan(ledger.length)
  for (const { requestId, revision: first, ioasids, setHandle } of kept) {
    for (const ioasid of ioasids)
      expect(await client.getIoasid({ ioasid, setHandle })).toMatchObject({ generation: first })
    const [, round = ''] = requestId.split('/')
    const spids = [Number(round) + 1, Number(round) + 100_001]
    expect(await client.allocate({ setHandle, spids, requestId })).toEqual({ ioasids, revision: first })
  }
  expect((await client.getStatus()).revision).toBe(BigInt(revision))
  expect(status.allocated).toBe(kept.length * 2)
  // A cursor of the history that was lost.
  const wire = wireTo(again.address)
  const lost = wire.open('ioasid.v1.NotificationService', 'Subscribe', {
    all: true,
    after_revision: revision,
    space_id: spaceId,
  })
  while ((await lost.next()) !== undefined);
  const error = await lost.ended
  expect(error === undefined ? undefined : reasonOf(error)).toBe('HISTORY_CHANGED')
  wire.close()
  await client.close()
  await again.stop()
}, 180_000)

test('a restore that is killed at any moment leaves nothing that a daemon starts from, and can be done again', async () => {
  const directory = tempDir()
  const daemon = await startDaemon()
  const client = connect({ endpoint: daemon.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  for (let page = 0; page < 40; page++) await client.allocate({ setHandle: set.setHandle, min: page * 4096 + 1 })
  const file = join(directory, 'backup')
  expect(await node(CTL, '--endpoint', daemon.address, 'backup', 'save', file)).toMatchObject({ code: 0 })
  await client.close()
  await daemon.stop()

  const bytes = readFileSync(file)
  let interrupted = 0
  for (const share of [0, 0.2, 0.6, 0.99]) {
    const dataDir = join(directory, `data-${share}`)
    // As much as it is given is read; then it waits for more, and is killed.
    const child = spawn(process.execPath, [DAEMON, 'restore', '-', '--data-dir', dataDir], {
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    child.stdin.on('error', () => undefined)
    await new Promise((resolve) => child.stdin.write(bytes.subarray(0, Math.floor(bytes.length * share) + 1), resolve))
    await expect.poll(() => existsSync(join(dataDir, 'restoring')), { timeout: 30_000 }).toBe(true)
    child.kill('SIGKILL')
    await ended
    interrupted += 1
    const started = await runDaemon(['--listen', '127.0.0.1:0', '--data-dir', dataDir])
    expect(started).toMatchObject({ code: 1, stdout: '' })
    expect(started.stderr).toContain('has a restore that did not come to its end: restore into it again, or remove it')
    expect(await runDaemon(['restore', file, '--data-dir', dataDir])).toMatchObject({ code: 0 })
    expect(readdirSync(dataDir).sort()).toEqual(['data.mdb', 'ioasidd.lock'])
    expect(await runDaemon(['verify', '--data-dir', dataDir])).toMatchObject({ code: 0 })
  }
  expect(interrupted).toBe(4)
}, 180_000)

test('a directory that a daemon has is neither verified nor restored into', async () => {
  const daemon = await startDaemon()
  const held = `is in use by process ${daemon.pid}`
  expect(await runDaemon(['verify', '--data-dir', daemon.dataDir])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(held),
  })
  expect(await runDaemon(['restore', CTL, '--data-dir', daemon.dataDir])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not empty ("data.mdb")'),
  })
  expect(await runDaemon(['frobnicate'])).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/there is no command 'frobnicate': it takes .*restore, verify/),
  })
  await daemon.stop()
})
