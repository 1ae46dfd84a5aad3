import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Client, connect } from '../../client/index.ts'
import { TABLES } from '../../server/store/kv.ts'
import { restoreLmdb } from '../../server/store/lmdb.ts'
import { scratch, storeIn, verify } from '../support/backups.ts'
import { repositoryRoot } from '../support/repository.ts'
import { serve } from '../support/rpc.ts'

/** fixtures/README.md says what they are. */
const FIXTURES = ['format-1', 'format-1-arrays', 'format-2']
const path = (file: string) => join(repositoryRoot, 'test/store/fixtures', file)

/** What the daemon of then said. */
interface Said {
  readonly status: object
  readonly sets: readonly object[]
  readonly ioasids: readonly object[]
  readonly lease: object
  readonly lives: Readonly<Record<string, readonly object[]>>
  readonly answers: readonly {
    readonly method: Extract<keyof Client, string>
    readonly request: object
    readonly answer: object
  }[]
}

function saidBy(name: string): Said {
  return JSON.parse(readFileSync(path(`${name}.json`), 'utf8'), (_key, value) => {
    if (value?.bigint !== undefined) return BigInt(value.bigint)
    if (value?.date !== undefined) return new Date(value.date)
    return value?.bytes === undefined ? value : new Uint8Array(Buffer.from(value.bytes, 'base64'))
  })
}

/** A data directory as it was left then. */
async function leftBy(name: string): Promise<string> {
  const dataDir = join(scratch(), 'data')
  const lines = gunzipSync(readFileSync(path(`${name}.jsonl.gz`)))
    .toString()
    .trimEnd()
    .split('\n')
  const changes = lines.map((line) => {
    const [table, key, value] = JSON.parse(line) as readonly [string, string, string]
    const known = TABLES.find((name) => name === table)
    if (known === undefined) throw new Error(`${name} has a table ${table}`)
    return { table: known, key: Buffer.from(key, 'base64'), value: Buffer.from(value, 'base64') }
  })
  await restoreLmdb(dataDir, async (kv) => {
    await kv.write(changes)
    return true
  })
  return dataDir
}

/** Today's daemon on it, with a client. */
async function open(dataDir: string) {
  const served = await serve({ store: await storeIn(dataDir) })
  const client = connect({ endpoint: served.address, coalesce: false })
  onTestFinished(async () => {
    await client.close()
    served.stop()
  })
  return client
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}

describe.each(FIXTURES)('data of %s', (name) => {
  const said = saidBy(name)

  it('are as they were: sets, ids, leases, and who had an id when', async () => {
    const client = await open(await leftBy(name))
    expect(await client.getStatus()).toMatchObject(said.status)
    expect(await all(client.listSets())).toMatchObject(said.sets)
    const [setHandle = ''] = said.answers.flatMap(({ answer }) => {
      const { set } = answer as { set?: { token: string; setHandle: string } }
      return set?.token === 'vm-a' ? [set.setHandle] : []
    })
    expect(await all(client.listIoasids({ setHandle }))).toMatchObject(said.ioasids)
    expect(await all(client.listLeases())).toMatchObject([said.lease])
    for (const [ioasid, lives] of Object.entries(said.lives)) {
      expect(await all(client.getHistory(Number(ioasid))), `IOASID ${ioasid}`).toMatchObject(lives)
    }
  })

  it('give every request that is sent again its answer, and change nothing by it', async () => {
    const client = await open(await leftBy(name))
    const { revision } = await client.getStatus()
    expect(said.answers.length).toBeGreaterThan(10)
    for (const { method, request, answer } of said.answers) {
      const again = client[method] as (request: object) => Promise<object>
      expect(await again(request), method).toMatchObject(answer)
    }
    expect((await client.getStatus()).revision).toBe(revision)
  })

  it('are whole, before and after the upgrade, and go on', async () => {
    const dataDir = await leftBy(name)
    expect(await verify(dataDir)).toMatchObject({ exitCode: 0 })
    const store = await storeIn(dataDir)
    const served = await serve({ store })
    const client = connect({ endpoint: served.address })
    const { set } = await client.createSet({ token: 'vm-new' })
    await client.allocate({ setHandle: set.setHandle, count: 5, requestId: 'new' })
    await client.close()
    served.stop()
    await served.engine.drain({ reason: 'DRAINING', message: 'It ends.', metadata: {} })
    await store.close()
    expect(await verify(dataDir)).toMatchObject({ exitCode: 0, output: expect.stringContaining('3 sets, 1 leases') })
    const again = await open(dataDir)
    expect(await again.getSet({ token: 'vm-new' })).toMatchObject({ allocated: 5 })
  })
})
