import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { Command, SetRef } from '../../server/core/command.ts'
import type { Priority } from '../../server/core/event.ts'

/**
 * What clients write down, a line of JSON each, before a request leaves and when its answer is there: a client that is
 * killed leaves what it asked for. Times are of CLOCK_MONOTONIC, which all processes of a host share.
 */
export type Line =
  | { readonly t: 'ask'; readonly id: string; readonly at: number; readonly ask: Ask }
  /** The same request once more, with the same request_id, since nobody answered. */
  | { readonly t: 'again'; readonly id: string; readonly at: number }
  | { readonly t: 'end'; readonly id: string; readonly at: number; readonly outcome: Outcome }
  | { readonly t: 'stream'; readonly id: string; readonly at: number; readonly stream: StreamAsk }
  | { readonly t: 'item'; readonly id: string; readonly at: number; readonly item: Item }

export type Ask =
  | { readonly kind: 'change'; readonly requestId: string | undefined; readonly command: Command }
  | { readonly kind: 'read'; readonly read: Read }

/** setId: presented as a handle, so that what only the owner sees is in the answer. */
export type Read =
  | { readonly kind: 'set' | 'ids'; readonly ref: SetRef }
  | { readonly kind: 'id'; readonly ioasid: number; readonly setId: number | undefined }
  | { readonly kind: 'spid'; readonly ref: SetRef; readonly spid: number }
  | { readonly kind: 'lease'; readonly leaseId: number }
  | { readonly kind: 'status' }

export type Outcome =
  /** revision: of every change, and of a read that has one. */
  | { readonly kind: 'answer'; readonly answer: object; readonly revision: number | undefined }
  | { readonly kind: 'refused'; readonly reason: string; readonly facts: Readonly<Record<string, string>> }
  /** It may have happened, once. */
  | { readonly kind: 'unknown'; readonly why: string }

export interface Filter {
  readonly all: boolean
  readonly tokens: readonly string[]
  readonly setIds: readonly number[]
  /** Empty: every type. */
  readonly types: readonly string[]
}

export interface StreamAsk {
  readonly filter: Filter
  readonly start: 'now' | 'snapshot' | number
  readonly hold: { readonly leaseId: number; readonly priority: Priority } | undefined
}

/** What a subscription handed to its reader. events: see told.ts. overrun: the ids whose teardown was told before its turn. */
export interface Item {
  readonly kind: 'snapshotBegin' | 'snapshot' | 'snapshotEnd' | 'revision' | 'progress'
  readonly revision: number
  readonly events: readonly string[]
  readonly overrun: readonly number[]
}

export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

export interface Recorder {
  readonly write: (line: Line) => void
  readonly close: () => void
}

/** Each line is in the kernel's hands when `write` returns, so that a SIGKILL takes none. */
export function openRecorder(path: string): Recorder {
  const file = openSync(path, 'a')
  return {
    write: (line) => void writeSync(file, `${JSON.stringify(line, bytesAsText)}\n`),
    close: () => closeSync(file),
  }
}

/** The lines of a file; of a last one that was cut off nothing. */
export function readLines(path: string): Line[] {
  const texts = readFileSync(path, 'utf8').split('\n').slice(0, -1)
  return texts.map((text) => JSON.parse(text, textAsBytes) as Line)
}

function bytesAsText(_key: string, value: unknown): unknown {
  return value instanceof Uint8Array ? String.fromCharCode(...value) : value
}

function textAsBytes(key: string, value: unknown): unknown {
  return key === 'privateData' && typeof value === 'string' ? Uint8Array.from(Buffer.from(value, 'latin1')) : value
}
