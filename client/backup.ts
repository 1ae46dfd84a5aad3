import { type Call, type CallContext, type CallOptions, givenUp, limitsOf } from './call.ts'
import { fromGrpc, IoasidError } from './errors.ts'
import { adminService } from './methods.ts'
import { watchdog } from './watchdog.ts'

/** See Client.backup. */
export async function* piecesOfBackup(
  context: CallContext,
  call: Call,
  options: CallOptions,
): AsyncGenerator<Uint8Array, void> {
  const { transport, clock, closing } = context
  const { signal } = limitsOf(context, options)
  const { deadlineMs = context.deadlineMs } = options
  // Waits for a daemon that is not up yet, as every call does; a backup that has begun is not begun anew by itself.
  await call(adminService.GetStatus, {}, options)
  const stream = transport.open(adminService.Backup, {})
  const dog = watchdog(clock, deadlineMs, stream.cancel)
  signal?.addEventListener('abort', stream.cancel)
  try {
    for (;;) {
      const given = givenUp(closing, signal)
      if (given !== undefined) throw given
      dog.wait()
      const message = await stream.next()
      dog.rest()
      if (message === undefined) return
      yield message.data
    }
  } catch (error) {
    if (dog.isExpired()) throw silent(deadlineMs)
    throw givenUp(closing, signal) ?? fromGrpc(error)
  } finally {
    dog.stop()
    signal?.removeEventListener('abort', stream.cancel)
    stream.cancel()
  }
}

function silent(deadlineMs: number): IoasidError {
  return new IoasidError({ code: 'DEADLINE_EXCEEDED', message: `Nothing came of the backup for ${deadlineMs} ms.` })
}
