import type { ServerUnaryCall } from '@grpc/grpc-js'
import { notPermitted } from '../core/access.ts'
import type { Caller, Rights } from '../core/caller.ts'
import { type Failure, fail } from '../core/failure.ts'
import { type Peer, UNKNOWN_PEER } from './peer.ts'

type AuthContext = ReturnType<ServerUnaryCall<unknown, unknown>['getAuthContext']>

/** What of a call of grpc-js says whose it is. */
export interface Call {
  getAuthContext(): AuthContext
}

/** Where gRPC keeps who calls, with what our listeners know of that. */
export interface PeerContext extends AuthContext {
  readonly peer: Peer
}

/** What a policy says of an identity now; undefined: there is no policy. */
export type RightsOf = (identity: string) => Rights | undefined

/** Who calls and what he may, for the calls of one listener. */
export type CallerOf = (call: Call) => Caller

/** isAdminListener: whether administrators are served there at all. */
export function createCallerOf(rightsOf: RightsOf, isAdminListener: boolean): CallerOf {
  // Connections make many calls, and a policy seldom changes.
  const known = new WeakMap<Peer, Caller>()
  return (call) => {
    const peer = peerOfCall(call)
    const rights = rightsOf(peer.identity)
    const caller = known.get(peer)
    if (caller !== undefined && caller.rights === rights) return caller
    const isAdmin = isAdminListener && (rights === undefined || (rights.administer && peer.identity !== ''))
    const now = { identity: peer.identity, rights, isAdmin }
    known.set(peer, now)
    return now
  }
}

/** Without our own admission of calls, in a test for example, nobody knows who calls. */
export function peerOfCall(call: Call): Peer {
  const context: AuthContext & Partial<PeerContext> = call.getAuthContext()
  return context.peer ?? UNKNOWN_PEER
}

/** What an administrator's call comes to for everybody else. */
export function notForAdmins(caller: Caller): Failure {
  if (caller.rights !== undefined) return notPermitted(caller)
  return fail('NOT_PERMITTED', 'This listener is not for administrators.')
}
