import type { Command } from 'commander'
import { notEmpty } from './arguments.ts'
import { isIoasidError } from './failure.ts'
import { type Io, usage } from './run.ts'

/** The option by which commands name a lease. */
export interface LeaseOptions {
  readonly lease?: string
}

/** Gives a command the option by which it names a lease. */
export function takesLease(command: Command): Command {
  return command.option(
    '--lease <handle>',
    "the lease's handle, as `lease grant` printed it (default: $IOASIDCTL_LEASE_HANDLE)",
    notEmpty,
  )
}

/** A flag goes before the environment. */
export function leaseOf(io: Io, command: Command, { lease }: LeaseOptions): string {
  const handle = lease ?? io.env['IOASIDCTL_LEASE_HANDLE']
  if (handle) return handle
  return usage(command, 'which lease? Give --lease, or set IOASIDCTL_LEASE_HANDLE.')
}

/** A lease is granted, or the refusal of its time names the flag: the bounds are the daemon's, which knows no flags. */
export async function namingTtl<Granted>(granting: Promise<Granted>): Promise<Granted> {
  try {
    return await granting
  } catch (error) {
    throw await namedTtl(error)
  }
}

async function namedTtl(error: unknown): Promise<unknown> {
  if (!isIoasidError(error)) return error
  const { code, reason, metadata, violations } = error
  const violation = violations.find(({ field }) => field === 'ttl_ms')
  if (violation === undefined) return error
  const { IoasidError } = await import('../index.ts')
  const message = `--ttl, in ms: ${violation.description}`
  return new IoasidError({ code, reason, message, metadata, violations, cause: error })
}
