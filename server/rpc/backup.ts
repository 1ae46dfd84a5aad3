import type { handleServerStreamingCall, ServerWritableStream } from '@grpc/grpc-js'
import type { BackupRequest__Output } from '../../proto/gen/ioasid/v1/BackupRequest.ts'
import { messageCodec } from '../../proto/load.ts'
import { type Failure, fail, isFailure } from '../core/failure.ts'
import type { Backup } from '../engine/backup.ts'
import { createTurnstile, type Turnstile } from '../engine/turnstile.ts'
import { notForAdmins } from './caller.ts'
import { internalStatus, toStatus } from './status.ts'
import { type After, createStreamWriter } from './stream.ts'
import { attempt, type Calls } from './unary.ts'

/** AdminService.Backup: contract section 4. */

/** A backup whose pieces are a file's, one after the other. */
export interface BackupStream extends Omit<Backup, 'items'> {
  readonly pieces: AsyncIterable<Uint8Array>
}

export type BackUp = () => Promise<BackupStream | Failure>

export interface BackupOptions extends Calls {
  readonly after: After
  readonly soon: (callback: () => void) => void
  /** The longest time between two writes that the peer accepts. */
  readonly snapshotTimeoutMs: number
  readonly backUp: BackUp
}

type Call = ServerWritableStream<BackupRequest__Output, Buffer>

/** Pieces of all backups: one is a page of the id table, or 128 KiB of the log, a few milliseconds. */
const PIECES_PER_TURN = 1

const codec = messageCodec('ioasid.v1.BackupResponse')

export function createBackupHandler(options: BackupOptions): handleServerStreamingCall<BackupRequest__Output, Buffer> {
  const { log, callerOf, soon, backUp } = options
  const nextPiece = createTurnstile(soon, PIECES_PER_TURN)
  return async (call) => {
    const result = await attempt(log, 'Backup', call.request, callerOf(call), async (_request, caller) => {
      if (!caller.isAdmin) return notForAdmins(caller)
      const backup = await backUp()
      if (isFailure(backup)) return backup
      try {
        return { failure: await send(options, nextPiece, call, backup) }
      } finally {
        backup.close()
      }
    })
    // Never `destroy`: the HTTP/2 stream would stay open and the client wait for ever.
    if (result === undefined) call.emit('error', internalStatus())
    else if (isFailure(result)) call.emit('error', toStatus(result))
    else if (result.failure !== undefined) call.emit('error', toStatus(result.failure))
    else call.end()
  }
}

/** Why it did not come to its end, if so and somebody is there to be told. */
async function send(
  { log, callerOf, after, snapshotTimeoutMs }: BackupOptions,
  nextPiece: Turnstile,
  call: Call,
  { revision, pieces, signal, failure }: BackupStream,
): Promise<Failure | undefined> {
  const writer = createStreamWriter(call, signal, after)
  let bytes = 0
  for await (const data of pieces) {
    await nextPiece()
    // A policy may have changed since.
    const caller = callerOf(call)
    if (!caller.isAdmin) return notForAdmins(caller)
    const written = await writer.write(codec.serialize({ data: Buffer.from(data) }), snapshotTimeoutMs)
    if (written === 'slow') return tooSlow(snapshotTimeoutMs)
    if (written === 'ended') return failure()
    bytes += data.length
  }
  // What it ended with while the last piece was being made is not the whole.
  if (signal.aborted) return failure()
  log.info({ method: 'Backup', caller: callerOf(call).identity, revision, bytes }, 'an operator took a backup')
  return undefined
}

function tooSlow(timeoutMs: number): Failure {
  return fail('OVERLOADED', `Nothing of the backup was read for ${timeoutMs} ms. Start it again.`)
}
