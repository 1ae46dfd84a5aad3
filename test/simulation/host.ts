import type { Connections } from './connection.ts'
import type { Daemon } from './daemon.ts'
import type { Oracle } from './oracle.ts'
import type { Sim } from './sim.ts'
import type { Wire } from './wire.ts'

/** What every client reaches. */
export interface Host extends Sim {
  readonly wire: Wire
  readonly connections: Connections
  readonly oracle: Oracle
  readonly daemon: Daemon
  /** A request_id that nobody has had. */
  readonly newRequestId: () => string
}
