import { setMaxListeners } from 'node:events'
import { adminMethods } from './admin-methods.ts'
import type { Client } from './api.ts'
import { type CallContext, makeCall } from './call.ts'
import { check, deadlineField, flag, wholeNumber } from './check.ts'
import { type Clock, systemClock } from './clock.ts'
import { makeCoalescedCall } from './coalesce.ts'
import { defaultEndpoint, parseEndpoint } from './endpoint.ts'
import { invalidField } from './errors.ts'
import { bindingMethods, lifeMethods } from './ioasid-methods.ts'
import { openLease } from './lease.ts'
import { leaseMethods, referenceMethods } from './lease-methods.ts'
import { openPasidTable } from './pasid-table.ts'
import { DEFAULT_RETRY, type RetrySettings } from './retry.ts'
import { setMethods } from './set-methods.ts'
import { subscribe } from './subscription.ts'
import { securityOf, type TlsOptions } from './tls.ts'
import { grpcTransport, type Transport } from './transport.ts'

const DEFAULT_DEADLINE_MS = 10_000

/** How a client behaves, wherever the daemon is. */
export interface ClientSettings {
  /** How long a call may take with all its attempts, in ms, 1 to 86,400,000 (24 h). Default 10,000. */
  readonly deadlineMs?: number | undefined
  /** How a call that nobody answered is tried again. Default: see RetrySettings. */
  readonly retry?: Partial<RetrySettings> | undefined
  /**
   * Whether concurrent changes of ids travel together: those of one tick, and those that come while others have no answer
   * yet, as one Batch RPC, each with its own answer, error, deadline, signal and request_id, in the order of the calls. A
   * change that is alone is an RPC of its own either way. Default true: it is many times as fast.
   */
  readonly coalesce?: boolean | undefined
}

/**
 * See connect.
 *
 * @example
 * const options: ConnectOptions = { endpoint: 'unix:///run/ioasidd/ioasidd.sock', deadlineMs: 2_000 }
 */
export interface ConnectOptions extends ClientSettings {
  /**
   * Where the daemon listens: `unix:///path`, `unix:/path`, `tcp://host:port` or `host:port` (an IPv6 host in brackets),
   * or several of one cluster: the first one is asked, and the next one whenever one is UNAVAILABLE, its connection is lost
   * or not made within 2 s. Default: where the daemon listens by
   * default, for root `unix:///run/ioasidd/ioasidd.sock`, else `$XDG_RUNTIME_DIR/ioasidd.sock`,
   * or without that variable `~/.local/state/ioasidd/ioasidd.sock`.
   */
  readonly endpoint?: string | readonly string[] | undefined
  /**
   * TLS, for endpoints by TCP; `{}` trusts the CAs that Node trusts. Default: none. A Unix socket needs none, and is refused
   * together with it.
   */
  readonly tls?: TlsOptions | undefined
}

/**
 * A client of the daemon. It does not wait: the connection is made with the first call, which waits for a daemon that is
 * not up yet until its deadline. One client serves a whole process. Throws INVALID_FIELD for options that make no sense.
 *
 * @example
 * const client = connect()
 * console.log((await client.getStatus()).version)
 * await client.close()
 */
export function connect(options: ConnectOptions = {}): Client {
  check(options, ['endpoint', 'tls', 'deadlineMs', 'retry', 'coalesce'])
  const { endpoint = systemEndpoint(), tls, ...settings } = options
  const names = typeof endpoint === 'string' ? [endpoint] : endpoint
  if (!Array.isArray(names) || names.length === 0)
    throw invalidField('endpoint', 'a text, or a list of some, is wanted.')
  const endpoints = names.map(parseEndpoint)
  const security = securityOf(endpoints, tls)
  return makeClient(() => grpcTransport(endpoints, security), systemClock, settings)
}

function systemEndpoint(): string {
  return defaultEndpoint({ uid: process.getuid?.(), env: process.env })
}

/** A client over any transport and clock; the transport is made when the settings are known to be right. */
export function makeClient(makeTransport: () => Transport, clock: Clock, settings: ClientSettings = {}): Client {
  check(settings, ['deadlineMs', 'retry', 'coalesce'])
  const deadlineMs = deadlineField('deadline_ms', settings.deadlineMs ?? DEFAULT_DEADLINE_MS)
  const retry = retrySettings(settings.retry ?? {})
  const isCoalesced = flag('coalesce', settings.coalesce ?? true)
  const closing = new AbortController()
  // Every call that waits listens to it, and Node takes more than ten listeners for a leak.
  setMaxListeners(0, closing.signal)
  const transport = makeTransport()
  const context: CallContext = { transport, clock, retry, deadlineMs, closing: closing.signal }
  const call = isCoalesced ? makeCoalescedCall(context) : makeCall(context)
  const close = async (): Promise<void> => {
    closing.abort()
    transport.close()
  }
  return {
    ...setMethods(call),
    ...lifeMethods(context, call),
    ...bindingMethods(call),
    ...referenceMethods(call),
    ...leaseMethods(call),
    ...adminMethods(context, call),
    openLease: (options) => openLease(context, options),
    openPasidTable: (options) => openPasidTable(context, options),
    subscribe: (options) => subscribe(context, options),
    close,
    [Symbol.asyncDispose]: close,
  }
}

const delayField = wholeNumber(1, 60_000)

function retrySettings(given: Partial<RetrySettings>): RetrySettings {
  check(given, ['initialDelayMs', 'maxDelayMs', 'maxAttempts'])
  const { initialDelayMs, maxDelayMs, maxAttempts } = { ...DEFAULT_RETRY, ...given }
  const attemptsField = wholeNumber(1, Number.MAX_SAFE_INTEGER)
  return {
    initialDelayMs: delayField('retry.initial_delay_ms', initialDelayMs),
    maxDelayMs: delayField('retry.max_delay_ms', maxDelayMs),
    maxAttempts: maxAttempts === Infinity ? Infinity : attemptsField('retry.max_attempts', maxAttempts),
  }
}
