import type { Command } from 'commander'
import { notEmpty } from './arguments.ts'
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
