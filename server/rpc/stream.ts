import type { ServerWritableStream } from '@grpc/grpc-js'

/** Writes to a stream no faster than its peer reads: what grpc-js would queue without a bound stays where it is kept. */
export interface StreamWriter {
  /**
   * Resolves when little enough of what was written waits for the peer's window: `sent`; `slow` when that took longer
   * than `timeoutMs`; `ended` when the peer left or the signal was aborted. One call at a time.
   */
  write(message: Buffer, timeoutMs?: number): Promise<Written>
}

export type Written = 'sent' | 'slow' | 'ended'

export type After = (ms: number, callback: () => void) => () => void

/**
 * What may wait in a stream, and one message more. Counted in bytes: the stream's own mark is 16 messages of whatever
 * size, 8 MiB for a peer that stopped. A large message has left before the next one is made, so others run in between.
 */
const MAX_PENDING_BYTES = 64 * 1024

export function createStreamWriter<Request>(
  call: ServerWritableStream<Request, Buffer>,
  signal: AbortSignal,
  after: After,
): StreamWriter {
  let pendingBytes = 0
  let onRoom: () => void = () => undefined

  return {
    write: async (message, timeoutMs) => {
      if (call.cancelled || signal.aborted) return 'ended'
      pendingBytes += message.length
      call.write(message, () => {
        pendingBytes -= message.length
        if (pendingBytes <= MAX_PENDING_BYTES) onRoom()
      })
      if (pendingBytes <= MAX_PENDING_BYTES) return 'sent'
      return await new Promise((resolve) => {
        const finish = (result: Written) => {
          onRoom = () => undefined
          call.off('close', onEnd)
          call.off('cancelled', onEnd)
          signal.removeEventListener('abort', onEnd)
          cancelTimer()
          resolve(result)
        }
        // The write is never called back once the peer is gone, so every way in which waiting can end is listened to.
        const onEnd = () => finish('ended')
        const cancelTimer = timeoutMs === undefined ? () => undefined : after(timeoutMs, () => finish('slow'))
        onRoom = () => finish('sent')
        call.on('close', onEnd)
        call.on('cancelled', onEnd)
        signal.addEventListener('abort', onEnd)
      })
    },
  }
}
