import { type Client, connect } from '../../../client/index.ts'
import { serviceDefinition } from '../../../proto/load.ts'
import type { Load } from '../load/load.ts'
import { startBenchDaemon } from './daemon.ts'

const { Allocate } = serviceDefinition('ioasid.v1.IoasidService')

export const ALLOCATE_PATH = Allocate.path

/** Enough that no round fills it up, and quotas play no part. */
export const ROOMY = ['--store', 'lmdb', '--capacity', '16777216']

/** A daemon with one set, to allocate from. */
export interface DaemonSet {
  readonly address: string
  readonly client: Client
  readonly setHandle: string
  /** Allocate of so many ids a call. */
  readonly allocate: (count: number) => Load
  /** Empties the set, so that rounds do not add up; how many ids that were. */
  readonly freeAll: () => Promise<number>
  readonly stop: () => Promise<void>
}

/** The set's token is `loaded`. */
export async function startDaemonSet(args: readonly string[] = ROOMY): Promise<DaemonSet> {
  const daemon = await startBenchDaemon(args)
  const client = connect({ endpoint: daemon.address, coalesce: false, deadlineMs: 60_000 })
  const stop = async (): Promise<void> => {
    await client.close()
    await daemon.stop()
  }
  try {
    const { setHandle } = (await client.createSet({ token: 'loaded' })).set
    return {
      address: daemon.address,
      client,
      setHandle,
      allocate: (count) => allocateLoad(setHandle, count),
      freeAll: async () => (await client.freeAll({ setHandle })).reclaimed,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Without a request_id, which neither etcd nor the no-op server has: the same body for each call. */
export function allocateRequest(setHandle: string, count: number): Buffer {
  return Allocate.requestSerialize({ set_handle: setHandle, ...(count > 1 && { count }) })
}

export function allocateLoad(setHandle: string, count: number): Load {
  const request = allocateRequest(setHandle, count)
  return {
    path: Allocate.path,
    request: () => request,
    isGood: (answer) => Allocate.responseDeserialize(answer).ioasids.length === count,
  }
}
