import { openLmdbStore } from '../../../server/store/lmdb.ts'

/** Opens the store in a directory, says so, and keeps it until it is killed. */
const [dataDir = ''] = process.argv.slice(2)
await openLmdbStore({ dataDir, genesis: { spaceId: 'test', handleKey: new Uint8Array(32) } })
process.stdout.write('held\n')
setInterval(() => {}, 1000)
