import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers/promises'

/**
 * The one thing by which the code under test reaches the event loop past engine/clock.ts is `setImmediate` of
 * store/kv-*.ts: for the length of a run it is the simulation's. Nothing else runs meanwhile: a run is one chain of promises.
 */
export async function withImmediates<Value>(
  soon: (callback: () => void) => void,
  run: () => Promise<Value>,
): Promise<Value> {
  const real = { global: globalThis.setImmediate, promised: timers.setImmediate }
  Object.assign(globalThis, { setImmediate: soon })
  Object.assign(timers, { setImmediate: () => new Promise<void>((resolve) => soon(resolve)) })
  syncBuiltinESMExports()
  try {
    return await run()
  } finally {
    Object.assign(globalThis, { setImmediate: real.global })
    Object.assign(timers, { setImmediate: real.promised })
    syncBuiltinESMExports()
  }
}
