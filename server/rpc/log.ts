/**
 * Where the rpc layer tells an operator something; pino satisfies it. Facts hold no handle, no private data and no whole
 * token above debug. An error goes under the key `cause`.
 */
export interface Log {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}
