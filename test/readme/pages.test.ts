import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../client/index.ts'
import { startDaemon, tempDir } from '../support/daemon.ts'
import { fenced } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

/** The pages for writers of consumers and for operators: what they show works. */

const run = promisify(execFile)
const page = (path: string) => readFileSync(join(repositoryRoot, path), 'utf8')

test('links of the pages lead somewhere', () => {
  const folders = ['', 'client/', 'server/', 'proto/', 'test/']
  for (const path of [...folders.map((folder) => `${folder}README.md`), '.github/SECURITY.md']) {
    for (const [, target = ''] of page(path).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)) {
      if (target.startsWith('http')) continue
      expect(existsSync(join(repositoryRoot, dirname(path), target)), `${path}: ${target}`).toBe(true)
    }
  }
})

test('the consumer of fifteen lines keeps its table, and has no more lines', async () => {
  const [program = ''] = fenced(page('client/README.md'), 'ts')
  expect(program.trim().split('\n').length).toBeLessThanOrEqual(15)
  const daemon = await startDaemon()
  const directory = tempDir()
  mkdirSync(join(directory, 'node_modules'))
  symlinkSync(repositoryRoot, join(directory, 'node_modules/ioasidd'))
  // As a reader would look at it: the table after each change.
  const shown = program
    .replace('table.set(spid, ioasid)', "console.log('table', ...table.set(spid, ioasid))")
    .replace('table.delete(spid)', "console.log('table', table.delete(spid), table.size)")
  expect(shown).not.toBe(program)
  writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
  const script = join(directory, 'consumer.ts')
  writeFileSync(script, shown)
  const built = join(directory, 'consumer.js')
  const { transpileModule, ModuleKind, ScriptTarget } = await import('typescript')
  const options = { module: ModuleKind.ESNext, target: ScriptTarget.ES2022 }
  writeFileSync(built, transpileModule(shown, { compilerOptions: options }).outputText)
  const consumer = spawn(process.execPath, [built, 'vm-a', daemon.address], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void consumer.kill('SIGKILL'))
  let said = ''
  consumer.stdout.on('data', (data) => {
    said += data
  })
  await expect.poll(() => said, { timeout: 20_000 }).toBe('ready\n')
  const client = connect({ endpoint: daemon.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  const { ioasids } = await client.allocate({ setHandle: set.setHandle, spids: [101] })
  await client.detachSpid({ setHandle: set.setHandle, ioasid: ioasids[0] ?? 0 })
  await expect.poll(() => said, { timeout: 20_000 }).toBe('ready\ntable [ 101, 1 ]\ntable true 0\n')
  await client.close()
  await daemon.stop()
})

test('the operator learns how it is, who had an id, and why it is not free', async () => {
  const daemon = await startDaemon({ listen: [`unix://${join(tempDir(), 'ioasidd.sock')}`] })
  const client = connect({ endpoint: daemon.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  const { ioasids } = await client.allocate({ setHandle: set.setHandle, count: 2, spids: [101, 102] })
  const lease = await client.openLease({ ttlMs: 60_000, name: 'kvm' })
  await client.acquire({ leaseHandle: lease.handle, token: 'vm-a', ioasid: ioasids[0] ?? 0 })
  await client.free({ setHandle: set.setHandle, ioasids })
  const text = page('server/README.md')
  const shell = async (command: string) => {
    expect(text).toContain(command)
    // What has just been: the minute in which it began is over for nobody who asks at its beginning.
    const line = command.replace('4711', String(ioasids[0])).replace('14:05', new Date().toISOString())
    const ioasidctl = `ioasidctl() { '${process.execPath}' dist/ioasidctl/main.js "$@"; }`
    const env = { ...process.env, IOASIDCTL_ENDPOINT: daemon.address }
    return (await run('bash', ['-euc', `${ioasidctl}\n${line}`], { cwd: repositoryRoot, env })).stdout
  }
  expect(await shell('ioasidctl health')).toBe('status  SERVING\n')
  expect(await shell('ioasidctl status')).toMatch(/^free pending +1$/m)
  expect(await shell('ioasidctl top')).toContain('vm-a')
  expect(await shell('ioasidctl history 4711')).toMatch(/^life .* OWNER .* vm-a$/m)
  expect(await shell('ioasidctl history 4711 --at 14:05')).toMatch(/^life .* OWNER .* vm-a$/m)
  const uid = `uid:${process.getuid?.()}`
  expect(await shell('ioasidctl history 4711 -o wide')).toMatch(new RegExp(`^life .* ${uid} +${uid} +vm-a$`, 'm'))
  expect(await shell('ioasidctl get 4711')).toMatch(/FREE_PENDING[\s\S]*lease 1 \(kvm\)/)
  await lease.revoke()
  await client.close()
  await daemon.stop()
})

test('a tenant with a certificate of the CA that the page makes is served over TLS', async () => {
  const [issue = '', serve = ''] = fenced(page('server/README.md'), 'sh').filter((block) => /openssl|7600/.test(block))
  const [start = '', call = ''] = serve.trim().split('\n')
  const directory = tempDir()
  await run('bash', ['-euc', issue], { cwd: directory })
  const flags = start.replace(/^.* 127\.0\.0\.1:7600 /, '').split(' ')
  const args = flags.map((flag) => (flag.startsWith('--') ? flag : join(directory, flag)))
  const daemon = await startDaemon({ args: ['--store', 'memory', ...args] })
  const program = join(repositoryRoot, 'dist/ioasidctl/main.js')
  const line = call.replace(':7600', daemon.address.slice(daemon.address.indexOf(':')))
  const script = `ioasidctl() { '${process.execPath}' '${program}' "$@"; }\n${line}`
  expect((await run('bash', ['-euc', script], { cwd: directory })).stdout).toBe('status  SERVING\n')
  await daemon.stop()
})

test('every command of the pages is run by a test', () => {
  const commands = fenced(page('server/README.md'), 'sh').flatMap((block) => block.trim().split(/(?<!\\)\n/))
  expect(commands).toEqual([
    // With a socket and a directory of its own: the README's tests.
    'npm start -- --listen unix:///run/ioasidd/ioasidd.sock --data-dir /var/lib/ioasidd',
    ...['ca', 'server', 'vm-a'].map((name) =>
      expect.stringMatching(new RegExp(`^openssl req .* -keyout ${name}.key `)),
    ),
    expect.stringMatching(/^npm start -- --listen 127\.0\.0\.1:7600 --cert-file /),
    'ioasidctl --endpoint localhost:7600 --cacert ca.crt --cert vm-a.crt --key vm-a.key health',
    'ioasidctl health',
    'ioasidctl status',
    'ioasidctl top',
    'ioasidctl history 4711',
    'ioasidctl history 4711 --at 14:05',
    'ioasidctl history 4711 -o wide',
    'ioasidctl get 4711',
    // Those of the host: test/packaging/host.test.ts.
    ...fenced(page('server/README.md'), 'sh')
      .filter((block) => /npm install --omit|systemctl/.test(block))
      .flatMap((block) => block.trim().split('\n')),
  ])
  expect(fenced(page('client/README.md'), 'sh')).toEqual([])
})
