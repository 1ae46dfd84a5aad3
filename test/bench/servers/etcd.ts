import { fileURLToPath } from 'node:url'
import type { ServiceDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { benchDirectory, freePorts, startReference } from './processes.ts'

/** etcd as the reference: one member, no cluster, all settings as Debian's package has them, its data on the daemon's disk. */

/** As proto-loader gives it: what the wire needs of one method. */
export interface EtcdMethod<Request, Response> {
  readonly path: string
  readonly requestSerialize: (request: Request) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => Response
}

export interface PutRequest {
  readonly key: Uint8Array | string
  readonly value: Uint8Array | string
}

export interface TxnRequest {
  readonly compare: readonly { readonly key: Uint8Array; readonly target: 'CREATE'; readonly create_revision: number }[]
  readonly success: readonly { readonly request_put: PutRequest }[]
}

export interface WatchRequest {
  readonly create_request?: { readonly key: Uint8Array; readonly range_end?: Uint8Array; readonly watch_id?: number }
}

export interface WatchResponse {
  readonly header: { readonly revision: number } | null
  readonly watch_id: number
  readonly created: boolean
  readonly canceled: boolean
  readonly cancel_reason: string
  readonly events: readonly {
    readonly type: 'PUT' | 'DELETE'
    readonly kv: { readonly key: Buffer; readonly value: Buffer; readonly mod_revision: number }
  }[]
}

interface Written {
  readonly header: { readonly revision: number } | null
}

// From the built bench to the source: the build copies no proto of a test.
const PROTO = fileURLToPath(new URL('../../../../test/bench/servers/etcd.proto', import.meta.url))
const loaded = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true, oneofs: true })

function method<Request, Response>(service: string, name: string): EtcdMethod<Request, Response> {
  const definition = (loaded[`etcdserverpb.${service}`] as ServiceDefinition | undefined)?.[name]
  if (definition === undefined) throw new Error(`etcd.proto has no ${service}.${name}`)
  return definition
}

/** For who serialises by himself, or loads etcd otherwise than by grpc-js. */
export const ETCD_METHODS = {
  put: method<PutRequest, Written>('KV', 'Put'),
  txn: method<TxnRequest, Written & { readonly succeeded: boolean }>('KV', 'Txn'),
  watch: method<WatchRequest, WatchResponse>('Watch', 'Watch'),
}

/** Etcd's create-if-absent: the key is put unless it is there. */
export function createIfAbsent(key: Uint8Array, value: Uint8Array | string): TxnRequest {
  return {
    compare: [{ key, target: 'CREATE', create_revision: 0 }],
    success: [{ request_put: { key, value } }],
  }
}

/** The end of the range of all keys that begin with `prefix`, as etcd wants it; the last byte is below 0xFF. */
export function prefixEnd(prefix: string): Uint8Array {
  const end = Buffer.from(prefix)
  end.writeUInt8(end.readUInt8(end.length - 1) + 1, end.length - 1)
  return end
}

/** How often another program may take a port before etcd does. */
const ATTEMPTS = 3

/** Starts etcd with its data in a directory of its own; stop ends it and removes that. */
export async function startEtcd(): Promise<{
  readonly address: string
  readonly pid: number
  readonly stop: () => Promise<void>
}> {
  for (let attempt = 1; ; attempt += 1) {
    const directory = benchDirectory()
    try {
      const [client = 0, peer = 0] = await freePorts(2)
      const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
      const args = ['--name', 'bench', '--data-dir', directory.path, '--logger', 'zap', '--log-outputs', 'stderr']
      args.push('--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl)
      args.push('--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl)
      args.push('--initial-cluster', `bench=${peerUrl}`)
      const etcd = await startReference('etcd', args, (output) => output.includes('serving client traffic'))
      const stop = async (): Promise<void> => {
        await etcd.stop()
        directory.remove()
      }
      return { address: `127.0.0.1:${client}`, pid: etcd.pid, stop }
    } catch (error) {
      directory.remove()
      if (attempt === ATTEMPTS || !String(error).includes('address already in use')) throw error
    }
  }
}
