import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Of the built programs; this file may be one of them, or the source of one. */
const isBuilt = import.meta.url.endsWith('.js')
const dist = fileURLToPath(new URL(isBuilt ? '../..' : '../../dist', import.meta.url))

export const DAEMON = join(dist, 'server/main.js')
export const WORKER = join(dist, 'test/history/worker.js')
