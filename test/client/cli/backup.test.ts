import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFile } from '../../../client/cli/files.ts'
import { backupOf, scratch } from '../../support/backups.ts'
import { createSet, run } from '../../support/engine.ts'
import { serve } from '../../support/rpc.ts'
import { settle } from '../manual-clock.ts'
import { ioasidctl, once } from './fake-io.ts'
import { answer, backupBytes } from './golden-daemon.ts'

const inspect = (bytes: Uint8Array) => once({ files: { it: bytes } }, 'backup', 'inspect', 'it')

describe('backup inspect', () => {
  it('reads what the daemon writes, and never prints the key', async () => {
    const { engine } = await run()
    for (let set = 0; set < 3; set++) await createSet(engine, `vm-${set}`)
    const bytes = await backupOf(engine)
    const { code, out } = await once({ files: { it: bytes } }, 'backup', 'inspect', 'it', '-o', 'json')
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      file: 'it',
      bytes: bytes.length,
      spaceId: 'space-a',
      revision: 3,
      entries: 3,
    })
    const [key = ''] = /"handleKey":"[^"]+"/.exec(bytes.toString('latin1')) ?? []
    expect(key).not.toBe('')
    expect(out).not.toContain(key.slice(14, 30))
  })

  it('ends with 1 and says where, for a changed byte or a cut anywhere', async () => {
    for (let at = 0; at < backupBytes.length; at += at < 600 ? 13 : 997) {
      const damaged = Buffer.from(backupBytes)
      damaged[at] = (damaged[at] ?? 0) ^ 1
      expect(await inspect(damaged), `byte ${at}`).toMatchObject({
        code: 1,
        err: expect.stringMatching(/^error: it: /),
      })
      expect(await inspect(backupBytes.subarray(0, at)), `cut at ${at}`).toMatchObject({ code: 1, out: '' })
    }
    const cut = await inspect(backupBytes.subarray(0, backupBytes.length - 1))
    expect(cut.err).toMatch(/^error: it: it is cut off in frame \d+ at byte \d+\.\n$/)
    const more = await inspect(Buffer.concat([backupBytes, Buffer.from('x')]))
    expect(more.err).toBe(`error: it: something follows its end at byte ${backupBytes.length}.\n`)
    expect((await inspect(Buffer.from('no backup at all'))).err).toBe('error: it: it is no backup of ioasidd.\n')
  })

  it('of a file that is not there is a wrong use', async () => {
    expect(await once({}, 'backup', 'inspect', 'gone')).toMatchObject({
      code: 2,
      err: "error: 'gone' cannot be read: ENOENT: no such file or directory.\n",
    })
  })
})

describe('backup save', () => {
  it('leaves no file where the backup did not come to its end', async () => {
    const cli = ioasidctl({ answer })
    const code = cli.run('backup', 'save', 'new.backup')
    await settle()
    cli.streams[0]?.send({ data: backupBytes.subarray(0, 500) })
    cli.streams[0]?.end(Object.assign(new Error('14 UNAVAILABLE: It ends.'), { code: 14, details: 'It ends.' }))
    expect(await code).toBe(4)
    expect(cli.saved.size).toBe(0)
  })

  it('leaves no file where the stream ends well, and what it brought is not whole', async () => {
    const cli = ioasidctl({ answer })
    const code = cli.run('backup', 'save', 'new.backup')
    await settle()
    cli.streams[0]?.send({ data: backupBytes.subarray(0, -9) })
    cli.streams[0]?.end()
    expect(await code).toBe(1)
    expect(cli.err()).toMatch(/^error: new\.backup: it is cut off in frame/)
    expect(cli.saved.size).toBe(0)
  })

  it('does not ask the daemon where the file is there', async () => {
    const world = { answer, files: { 'host.backup': 'mine' } }
    const { code, err, calls } = await once(world, 'backup', 'save', 'host.backup')
    expect({ code, err, calls }).toEqual({
      code: 2,
      err: "error: 'host.backup' cannot be written: it is there already, and --force would replace it.\n",
      calls: [],
    })
  })

  it('saves what a real daemon has', async () => {
    const served = await serve()
    onTestFinished(served.stop)
    await createSet(served.engine, 'vm-a')
    const cli = ioasidctl({ connectTo: served.address })
    expect(await cli.run('backup', 'save', 'new.backup', '-q')).toBe(0)
    expect(cli.out()).toBe('new.backup\n')
    expect(cli.saved.get('new.backup')?.equals(await backupOf(served.engine))).toBe(true)
  })
})

describe('a new file', () => {
  it('is there when it is whole, for its owner alone', async () => {
    const directory = scratch()
    const path = join(directory, 'a')
    const file = await createFile(path, false)
    await file.write(Buffer.from('one '))
    await file.write(Buffer.from('two'))
    expect(existsSync(path)).toBe(false)
    await file.commit()
    await file.discard()
    expect(readFileSync(path, 'utf8')).toBe('one two')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['a'])
  })

  it('leaves nothing behind when it is given up', async () => {
    const directory = scratch()
    const file = await createFile(join(directory, 'a'), false)
    await file.write(Buffer.from('one'))
    await file.discard()
    await file.discard()
    expect(readdirSync(directory)).toEqual([])
  })

  it('takes the place of another one only where that was asked for', async () => {
    const directory = scratch()
    const path = join(directory, 'a')
    const late = await createFile(path, false)
    writeFileSync(path, 'mine')
    await expect(createFile(path, false)).rejects.toThrow('it is there already')
    await expect(late.commit()).rejects.toThrow('EEXIST')
    await late.discard()
    expect(readFileSync(path, 'utf8')).toBe('mine')
    const file = await createFile(path, true)
    await file.write(Buffer.from('new'))
    await file.commit()
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readdirSync(directory)).toEqual(['a'])
  })
})
