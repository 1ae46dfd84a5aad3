import { openWire } from './wire.ts'

/**
 * Unary calls as bytes, which are prepared once and sent as often as is wanted: so the client costs little, and the same
 * whoever answers.
 */
export interface Calls {
  /** Rejects where there is no answer: it was refused, or took longer than 20 s. */
  readonly call: (path: string, request: Buffer) => Promise<Buffer>
  readonly close: () => void
}

const DEADLINE_MS = 20_000

/** So much is on its way at once that one connection's window has no room for it. */
const CONNECTIONS = 4

/** On connections of their own, in turn. */
export async function openCalls(address: string): Promise<Calls> {
  const wires = await Promise.all(Array.from({ length: CONNECTIONS }, () => openWire(address)))
  let turn = 0
  return {
    call: (path, request) =>
      new Promise((resolve, reject) => {
        let answer: Buffer | undefined
        const late = setTimeout(() => reject(new Error(`${path}: no answer within ${DEADLINE_MS} ms`)), DEADLINE_MS)
        wires[turn++ % CONNECTIONS]?.open(path, request, {
          onMessage: (message) => {
            answer = message
          },
          onEnd: (cause) => {
            clearTimeout(late)
            if (answer !== undefined && cause === undefined) resolve(answer)
            else reject(new Error(`${path} was refused`, { cause }))
          },
        })
      }),
    close: () => {
      for (const wire of wires) wire.close()
    },
  }
}
