import { createIfAbsent, ETCD_METHODS } from '../servers/etcd.ts'
import type { Load } from './load.ts'

/** What etcd is asked to do where the daemon allocates. Every request has a key of its own. */

let keys = 0

/** As an allocator on top of etcd would take an id: a key that must not be there yet, with who has it. */
export function createLoad(): Load {
  const { path, requestSerialize, responseDeserialize } = ETCD_METHODS.txn
  return {
    path,
    request: () => requestSerialize(createIfAbsent(nextKey(), 'loaded')),
    isGood: (answer) => responseDeserialize(answer).succeeded,
  }
}

export function putLoad(): Load {
  const { path, requestSerialize, responseDeserialize } = ETCD_METHODS.put
  return {
    path,
    request: () => requestSerialize({ key: nextKey(), value: Buffer.from('loaded') }),
    isGood: (answer) => responseDeserialize(answer).header !== null,
  }
}

/** Puts in one Txn: as many as etcd takes by default are 128. */
export function putManyLoad(count: number): Load {
  const { path, requestSerialize, responseDeserialize } = ETCD_METHODS.txn
  const put = () => ({ request_put: { key: nextKey(), value: Buffer.from('loaded') } })
  return {
    path,
    request: () => requestSerialize({ compare: [], success: Array.from({ length: count }, put) }),
    isGood: (answer) => responseDeserialize(answer).succeeded,
  }
}

function nextKey(): Buffer {
  keys += 1
  return Buffer.from(`ioasid/${keys}`)
}
