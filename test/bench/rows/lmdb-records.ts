import { open } from 'lmdb'

/**
 * The reference of the restart bench: `write DIR COUNT BYTES` makes a database of so many records, `read DIR` opens it, reads
 * all of them and prints how many there are and how many ms it took.
 */

const KEY_BYTES = 8
const PUTS_AT_ONCE = 10_000

const openRecords = (path: string) =>
  open<Uint8Array, Uint8Array>({ path, noSubdir: false, encoding: 'binary', keyEncoding: 'binary' })

async function write(path: string, count: number, bytes: number): Promise<void> {
  const records = openRecords(path)
  for (let first = 0; first < count; first += PUTS_AT_ONCE) {
    await records.batch(() => {
      for (let number = first; number < Math.min(count, first + PUTS_AT_ONCE); number++) {
        const key = Buffer.alloc(KEY_BYTES)
        key.writeBigUInt64BE(BigInt(number))
        void records.put(key, Buffer.alloc(bytes, number))
      }
    })
  }
  await records.close()
}

async function read(path: string): Promise<void> {
  const startMs = performance.now()
  const records = openRecords(path)
  let count = 0
  for (const { value } of records.getRange()) if (value.length > 0) count += 1
  const tookMs = performance.now() - startMs
  await records.close()
  console.log(`${count} ${tookMs}`)
}

const [verb, path, count, bytes] = process.argv.slice(2)
if (verb === 'write' && path !== undefined) await write(path, Number(count), Number(bytes))
else if (verb === 'read' && path !== undefined) await read(path)
else throw new Error('usage: lmdb-records write DIR COUNT BYTES, or read DIR')
