import type { Mark } from '../store/store.ts'
import { createAnswers, isAnswerMark } from './answers.ts'
import { isLeaseMark, leaseOfMark } from './lease-times.ts'
import { CLOCK_MARK, readNumber } from './open-space.ts'
import { RESTORED_MARK, readRestored } from './restored.ts'

/** What is wrong with the marks of a store, given in the order of their keys, all of them. */
export function createMarkCheck(): (mark: Mark) => string | undefined {
  const answers = createAnswers({ requestWindowMs: Infinity, requestLimit: Infinity })
  return (mark) => {
    const { key } = mark
    if (isAnswerMark(key)) {
      answers.restore(mark)
      return undefined
    }
    const isKnown = isLeaseMark(key) ? isNumber(leaseOfMark(key)) && isNumber(readNumber(mark)) : isOther(mark)
    return isKnown ? undefined : `mark ${key} is none that this release knows`
  }
}

function isOther(mark: Mark): boolean {
  if (mark.key === CLOCK_MARK) return isNumber(readNumber(mark))
  if (mark.key !== RESTORED_MARK) return false
  const { servingMs, lastSetId, lastLeaseId } = readRestored(mark)
  return [servingMs, lastSetId, lastLeaseId].every(isNumber)
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0
}
