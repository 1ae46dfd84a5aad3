import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Config, loadConfig } from '../../server/config.ts'
import { createReload, logLevelPart, type ReloadablePart } from '../../server/reload.ts'
import { startDaemon, tempDir } from '../support/daemon.ts'

const HOST = { env: { HOME: '/home/ada' }, isRoot: false, isTerminal: false }
const directory = tempDir()
let files = 0

/** A reload of a file whose lines below `version: 1` can be changed; with what was logged. */
function startReload(
  lines: string,
  parts: readonly ReloadablePart[] = [],
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const path = join(directory, `${files++}.yaml`)
  const write = (text: string) => writeFileSync(path, `version: 1\n${text}\n`)
  write(lines)
  const host = { ...HOST, env: { ...HOST.env, ...env } }
  let reads = 0
  const load = () => {
    reads += 1
    return loadConfig(['--config', path, ...argv], host)
  }
  const loaded = load()
  if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
  const said: string[] = []
  const say = (level: string) => (_: object, message: string) => void said.push(`${level} ${message}`)
  const log = { level: loaded.config.log.level as string, info: say('info'), warn: say('warn'), error: say('error') }
  const options = { settings: loaded.settings, load, parts: [logLevelPart(log), ...parts], log }
  const { reload, addParts } = createReload(options)
  return {
    path,
    write,
    log,
    reload,
    addParts,
    get reads() {
      return reads - 1
    },
    /** What the next reload logs. */
    async says(): Promise<readonly string[]> {
      said.length = 0
      await reload()
      return said.map((line) => line.replaceAll(path, 'FILE'))
    },
  }
}

const restart = (flags: string) => `warn the daemon has to be restarted for changes of ${flags}`

describe('a reload', () => {
  it('takes the level of the log from the file at once, and back to the default', async () => {
    const world = startReload('log-level: warn')
    expect(world.log.level).toBe('warn')
    world.write('log-level: debug')
    expect(await world.says()).toEqual(['info reloaded'])
    expect(world.log.level).toBe('debug')
    world.write('')
    await world.reload()
    expect(world.log.level).toBe('info')
  })

  it.each([
    ['flag', ['--log-level', 'error'], {}],
    ['variable', [], { IOASIDD_LOG_LEVEL: 'error' }],
  ])('leaves a level that a %s has set', async (_, argv, env) => {
    const world = startReload('log-level: warn', [], argv, env)
    world.write('log-level: debug')
    expect(await world.says()).toEqual(['info reloaded'])
    expect(world.log.level).toBe('error')
  })

  it('names in one line the keys that need a restart, until they are as they were', async () => {
    const world = startReload('capacity: 64\nring: 1MiB')
    world.write('capacity: 128\nlease-grace: 7s\nlog-level: debug\nring: 1MiB')
    expect(await world.says()).toEqual([restart('capacity, lease-grace'), 'info reloaded'])
    expect(world.log.level).toBe('debug')
    expect(await world.says()).toEqual([restart('capacity, lease-grace'), 'info reloaded'])
    world.write('capacity: 64\nring: 1MiB')
    expect(await world.says()).toEqual(['info reloaded'])
  })

  it('takes another text of the same value for no change', async () => {
    const world = startReload('lease-grace: 60s\nreserved: 5-9,0\nlisten: 127.0.0.1:1')
    world.write('lease-grace: 1m\nreserved: 0,5-9\nlisten: [tcp://127.0.0.1:1]')
    expect(await world.says()).toEqual(['info reloaded'])
  })

  it('keeps everything where the file is wrong now, and says what is wrong', async () => {
    const taken: string[] = []
    const part = { name: 'policy', flags: ['policy'], apply: () => void taken.push('applied') }
    const world = startReload('log-level: warn', [part])
    world.write('log-level: debug\ncapcity: 3')
    expect(await world.says()).toEqual([
      "error nothing is reloaded, the configuration is wrong now: FILE:3: there is no flag 'capcity': did you mean capacity?",
    ])
    expect([world.log.level, taken]).toEqual(['warn', []])
    world.write(`ring: ${'['.repeat(100_000)}`)
    expect(await world.says()).toEqual([expect.stringMatching(/^error nothing is reloaded/)])
    world.write('log-level: debug')
    expect(await world.says()).toEqual(['info reloaded'])
    expect([world.log.level, taken]).toEqual(['debug', ['applied']])
  })

  it('gives every part the new configuration, and its flags need no restart', async () => {
    const seen: number[] = []
    const apply = async ({ limits }: Config) => void seen.push(limits.ringBytes)
    const world = startReload('ring: 1MiB', [{ name: 'ring', flags: ['ring'], apply }])
    world.write('ring: 2MiB')
    expect(await world.says()).toEqual(['info reloaded'])
    // Also where no flag has changed: a file that it names may have.
    await world.reload()
    expect(seen).toEqual([2 ** 21, 2 ** 21])
  })

  it('leaves what a part refuses as it was, and goes on with the others', async () => {
    const later: string[] = []
    const world = startReload('', [
      { name: 'certificates', flags: [], apply: () => Promise.reject(new Error('key.pem is empty')) },
      { name: 'policy', flags: [], apply: () => void later.push('applied') },
    ])
    expect(await world.says()).toEqual([
      'error certificates: not reloaded, what was there stays: key.pem is empty',
      'info reloaded',
    ])
    expect(later).toEqual(['applied'])
  })

  it('is one at a time, and one more for all who ask meanwhile', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let [now, most] = [0, 0]
    const apply = async () => {
      now += 1
      most = Math.max(most, now)
      await gate
      now -= 1
    }
    const world = startReload('', [{ name: 'slow', flags: [], apply }])
    const first = world.reload()
    await Promise.resolve()
    const others = [world.reload(), world.reload(), world.reload()]
    expect(world.reads).toBe(1)
    open()
    await Promise.all([first, ...others])
    expect([world.reads, most]).toEqual([2, 1])
  })

  it('that was asked for before a part was there is done again for it, and none where nobody asked', async () => {
    const seen: number[] = []
    const part: ReloadablePart = { name: 'ring', flags: [], apply: ({ limits }) => void seen.push(limits.ringBytes) }
    const quiet = startReload('ring: 1MiB')
    await quiet.addParts([part])
    expect([quiet.reads, seen]).toEqual([0, []])
    const asked = startReload('ring: 1MiB')
    asked.write('ring: 2MiB')
    await asked.reload()
    await asked.addParts([part])
    expect([asked.reads, seen]).toEqual([2, [2 ** 21]])
  })
})

it('SIGHUP makes the daemon read its file again, and does no harm where that is wrong', async () => {
  const path = join(directory, 'daemon.yaml')
  const lines = 'version: 1\nstore: memory\n'
  writeFileSync(path, `${lines}log-level: error\n`)
  const daemon = await startDaemon({ args: ['--config', path] })
  const reload = async (text: string, line: string) => {
    writeFileSync(path, text)
    daemon.signal('SIGHUP')
    await expect.poll(() => daemon.output.stderr, { timeout: 20_000 }).toContain(line)
  }
  await reload('version: 2\n', `the configuration is wrong now: ${path}:1: version does not take '2'`)
  expect(daemon.output.stderr).not.toContain('"info"')
  await reload(`${lines}log-level: info\n`, '"reloaded"')
  await reload(`${lines}log-level: info\nring: 1MiB\n`, 'has to be restarted for changes of ring')
  const { code, stderr } = await daemon.stop()
  expect(code).toBe(0)
  expect(stderr).toContain('told to stop')
})
