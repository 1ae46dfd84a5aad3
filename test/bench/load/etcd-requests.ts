import { ETCD_METHODS, prefixEnd, type WatchRequest } from '../servers/etcd.ts'
import type { Calls } from './calls.ts'
import type { StreamRequest } from './watchers.ts'

/** Requests to etcd as bytes, and the number of the field that tells a watcher of events. */
export const EVENTS_FIELD = 11

const VALUE = Buffer.from('a value of 24 bytes, say')

/** One stream with a watch of all keys that begin so, for each. */
export function watchPrefixes(prefixes: readonly string[]): StreamRequest {
  return watch(prefixes.map((prefix) => ({ key: Buffer.from(prefix), range_end: prefixEnd(prefix) })))
}

/** One stream with a watch of each key. */
export function watchKeys(keys: readonly string[]): StreamRequest {
  return watch(keys.map((key) => ({ key: Buffer.from(key) })))
}

function watch(watches: readonly Required<WatchRequest>['create_request'][]): StreamRequest {
  const { path, requestSerialize } = ETCD_METHODS.watch
  const messages = watches.map((create_request) => requestSerialize({ create_request }))
  return { path, messages }
}

/** Puts a key whenever it is called. */
export function put(calls: Calls, key: string): () => Promise<Buffer> {
  const { path, requestSerialize } = ETCD_METHODS.put
  const request = requestSerialize({ key: Buffer.from(key), value: VALUE })
  return () => calls.call(path, request)
}

/** Puts keys in one Txn, which is one revision, whenever it is called; etcd takes up to 128. */
export function putTogether(calls: Calls, keys: readonly string[]): () => Promise<Buffer> {
  const { path, requestSerialize } = ETCD_METHODS.txn
  const success = keys.map((key) => ({ request_put: { key: Buffer.from(key), value: VALUE } }))
  const request = requestSerialize({ compare: [], success })
  return () => calls.call(path, request)
}
