import { spawnSync } from 'node:child_process'

/** A program that is no part of Node, and how Debian's users get it. */
export interface Program {
  readonly name: string
  readonly install: string
}

export const ETCD: Program = { name: 'etcd', install: 'apt-get install etcd-server' }
export const H2LOAD: Program = { name: 'h2load', install: 'apt-get install nghttp2-client' }
export const CC: Program = { name: 'cc', install: 'apt-get install gcc libc6-dev' }

export function isThere({ name }: Program): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status === 0
}
