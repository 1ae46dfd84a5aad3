const HEAD_BYTES = 5
/** The most that deflate makes of a byte. */
const MAX_INFLATION = 1032

/** What the bytes of a call mean for who keeps them. */
export interface RequestFrame {
  /**
   * The next bytes of a call: how much more may have to be kept because of them. undefined: they begin a message more than
   * the method takes. A compressed message counts, from its head on, as what it may grow to.
   */
  take(chunk: Uint8Array): number | undefined
}

/** Follows gRPC's framing: a flag, four bytes of length, the message; and the next one. */
export function createRequestFrame(maxMessageBytes: number, maxMessages: number): RequestFrame {
  const head = Buffer.alloc(HEAD_BYTES)
  let messages = 0
  let headBytes = 0
  let bodyLeft = 0
  return {
    take: (chunk) => {
      let more = chunk.length
      for (let at = 0; at < chunk.length; ) {
        if (bodyLeft > 0) {
          const taken = Math.min(bodyLeft, chunk.length - at)
          bodyLeft -= taken
          at += taken
          continue
        }
        if (headBytes === 0 && messages === maxMessages) return undefined
        const part = chunk.subarray(at, at + HEAD_BYTES - headBytes)
        head.set(part, headBytes)
        headBytes += part.length
        at += part.length
        if (headBytes < HEAD_BYTES) break
        headBytes = 0
        messages += 1
        bodyLeft = head.readUInt32BE(1)
        if (head.readUInt8(0) !== 0) more += Math.min(bodyLeft * MAX_INFLATION, maxMessageBytes)
      }
      return more
    },
  }
}
