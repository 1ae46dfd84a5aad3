import type { IoasidNotification } from '../index.ts'
import { NOTIFICATION_TYPES } from '../types.ts'

const TYPE_WIDTH = Math.max(...NOTIFICATION_TYPES.map((type) => type.length))

/** One event for people. */
export function eventLine(event: IoasidNotification): string {
  const { type, token, setId, quota, ioasid, spid, overrun, snapshot } = event
  const parts = [String(event.revision), type.padEnd(TYPE_WIDTH), token === '' ? `#${setId}` : token]
  if (quota !== undefined) parts.push(`quota ${quota}`)
  if (ioasid !== undefined) parts.push(`ioasid ${ioasid}`)
  if (spid !== undefined) parts.push(`spid ${spid}`)
  if (overrun) parts.push('overrun')
  if (snapshot) parts.push('snapshot')
  return parts.join('  ')
}
