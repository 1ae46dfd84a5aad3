import { afterEach, describe, expect, it } from 'vitest'
import { ANYONE } from '../../server/core/caller.ts'
import { backupOf } from '../support/backups.ts'
import { command, createSet, must } from '../support/engine.ts'
import { settle } from '../support/manual-clock.ts'
import { type Served, type ServeOptions, serve } from '../support/rpc.ts'
import { reasonOf, type WireStream } from '../support/wire.ts'

const running: Served[] = []
afterEach(() => {
  for (const served of running.splice(0)) served.stop()
})

async function start(options: ServeOptions = {}) {
  const served = await serve({ ...options, space: { capacity: 1 << 20 } })
  running.push(served)
  const setId = await createSet(served.engine, 'vm')
  /** Pages of the id table, each 200 KiB of a backup. */
  const fill = async (pages: number) => {
    for (let page = 0; page < pages; page++) {
      const min = page * 4096 + 1
      must(await served.engine.submit({ ...command.allocate(setId), min, max: min }, undefined))
    }
  }
  const open = () => served.wire.open('ioasid.v1.AdminService', 'Backup', {})
  return { ...served, setId, fill, open }
}

async function readAll(stream: WireStream): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let message = await stream.next(); message !== undefined; message = await stream.next()) {
    pieces.push(message['data'] as Buffer)
  }
  return Buffer.concat(pieces)
}

async function reasonOfEnd(stream: WireStream): Promise<string | undefined> {
  while ((await stream.next()) !== undefined);
  const error = await stream.ended
  return error === undefined ? undefined : reasonOf(error)
}

describe('Backup', () => {
  it('is the file, in pieces, and ends with OK', async () => {
    const { engine, fill, open } = await start()
    await fill(3)
    const stream = open()
    const bytes = await readAll(stream)
    expect(await stream.ended).toBeUndefined()
    expect(bytes.equals(await backupOf(engine))).toBe(true)
    expect(bytes.length).toBeGreaterThan(3 * 200_000)
  })

  it('is for administrators', async () => {
    const { open } = await start({ isAdmin: false })
    expect(await reasonOfEnd(open())).toBe('NOT_PERMITTED')
  })

  it('ends when its reader is an administrator no more', async () => {
    let isAdmin = true
    const caller = {
      ...ANYONE,
      get isAdmin() {
        return isAdmin
      },
    }
    const { fill, open } = await start({ caller })
    await fill(60)
    const stream = open()
    await stream.next()
    isAdmin = false
    expect(await reasonOfEnd(stream)).toBe('NOT_PERMITTED')
  })

  it('is one of two at most, and the next one when one has come to its end or its reader has left', async () => {
    const { fill, open, wire } = await start()
    await fill(60)
    const first = open()
    const second = open()
    await Promise.all([first.next(), second.next()])
    expect(await reasonOfEnd(open())).toBe('TOO_MANY')
    first.cancel()
    await readAll(second)
    for (let tries = 0; tries < 2; tries++) expect((await readAll(open())).length).toBeGreaterThan(60 * 200_000)
    await wire.call('ioasid.v1.AdminService', 'GetStatus', {})
  })

  it('of a reader that stops keeps nobody waiting, and ends after --snapshot-timeout', async () => {
    const { engine, clock, setId, fill, open, wire, errors } = await start({ snapshotTimeoutMs: 60_000 })
    await fill(100)
    const stopped = open()
    await stopped.next()
    // Until neither window nor queue takes any more.
    for (let turn = 0; turn < 20; turn++) await settle(20)
    must(await engine.submit(command.allocate(setId), undefined))
    await wire.call('ioasid.v1.AdminService', 'GetStatus', {})
    expect((await readAll(open())).length).toBeGreaterThan(100 * 200_000)
    clock.advance(60_001)
    await settle(20)
    expect(await reasonOfEnd(stopped)).toBe('OVERLOADED')
    expect(errors).toEqual([])
  })

  it('ends with a daemon that shuts down, and is not taken for whole', async () => {
    const { engine, fill, open } = await start()
    await fill(100)
    const stream = open()
    await stream.next()
    await engine.drain({ reason: 'DRAINING', message: 'It ends.', metadata: {} })
    expect(await reasonOfEnd(stream)).toBe('DRAINING')
  })
})
