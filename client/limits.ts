/** What the daemon takes of one request, for the SDK and for ioasidctl. Numbers and a pattern: to import it loads nothing. */

export const MAX_UINT32 = 0xffff_ffff
export const MAX_UINT64 = 0xffff_ffff_ffff_ffffn

export const MAX_IDS = 65_536
/** Of a set, a device or a lease, in UTF-8. */
export const MAX_NAME_BYTES = 255
/** Sets that one subscription names. */
export const MAX_NAMES = 1024
/** Of private data. */
export const MAX_DATA_BYTES = 4096

/** Control characters, what separates lines, and what stands for broken UTF-8 or would become it. */
export const FORBIDDEN = /[\p{Cc}\p{Cs}\u2028\u2029\uFFFD]/u
