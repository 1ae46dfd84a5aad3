/**
 * The numbers of the domain, told apart by the compiler. They are made where a request or a record is read (rpc/convert.ts,
 * store/codec.ts) and inside core where a column is read; nowhere else is a cast needed.
 */

declare const brand: unique symbol
type Branded<Name extends string> = number & { readonly [brand]: Name }

/** An I/O address space id (PASID), 0 … capacity-1. */
export type Ioasid = Branded<'Ioasid'>
/** A set-private id (guest PASID), 0 … 0xFFFFFFFE. */
export type Spid = Branded<'Spid'>
/** A set's public number: 1, 2, 3 …, never used twice. */
export type SetId = Branded<'SetId'>
/** A lease's public number: 1, 2, 3 …, never used twice. */
export type LeaseId = Branded<'LeaseId'>
/** The number of a committed change: 1, 2, 3 …; 0 is the empty space. Below 2^53: at a million a second, 285 years. */
export type Revision = Branded<'Revision'>

export const asIoasid = (value: number): Ioasid => value as Ioasid
export const asSpid = (value: number): Spid => value as Spid
export const asSetId = (value: number): SetId => value as SetId
export const asLeaseId = (value: number): LeaseId => value as LeaseId
export const asRevision = (value: number): Revision => value as Revision

/** What a handle that names no set decodes to. No set has it, so every rule answers SET_NOT_FOUND by itself. */
export const NO_SET = asSetId(0)

/** The same of leases; also the lease of a set that has none. */
export const NO_LEASE = asLeaseId(0)

/** The one 32-bit number that is no SPID (the kernel's INVALID_IOASID); marks an id without one. */
export const NO_SPID = 0xffff_ffff
