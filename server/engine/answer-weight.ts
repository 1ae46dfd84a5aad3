import type { Answer } from '../core/command.ts'
import type { RequestKey } from './request-digest.ts'

/** What every answer takes: the names of its fields, and numbers. */
const BYTES = 128

/**
 * About how many bytes an answer will take in its mark: nothing is encoded to know it. Near enough to the truth for the
 * answers that there are many of: how many share a mark, and how much may wait for the disk, is counted in it.
 */
export function weighAnswer(key: RequestKey, answer: Answer): number {
  return BYTES + key.length + weighContent(answer)
}

function weighContent(answer: Answer): number {
  switch (answer.kind) {
    case 'allocated':
      return answer.runs.length * 8
    case 'freed':
      return answer.references.length * 4
    case 'found':
      return answer.view.devices.reduce((bytes, device) => bytes + device.length + 3, BYTES + answer.view.token.length)
    case 'set':
      return BYTES + answer.set.token.length + answer.set.owner.length
    case 'lease':
      return BYTES + answer.lease.name.length + answer.lease.owner.length
    default:
      return 0
  }
}
