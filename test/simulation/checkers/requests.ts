import type { Command } from '../../../server/core/command.ts'
import type { AnswerLimits } from '../../../server/engine/answers.ts'

/** The answers that the contract says are kept by request_id (2.5), as a plain list. */
export interface Requests {
  /** The latest last. */
  find(requestId: string): readonly Kept[]
  keep(kept: Kept): void
  /** Serving time is so far, under these limits: what is over them may be forgotten. */
  age(servingMs: number, limits: AnswerLimits): void
}

export interface Kept {
  readonly requestId: string
  readonly meaning: string
  readonly servingMs: number
  readonly answer: object
  readonly revision: number
  /** Of the process that answered first. */
  readonly process: number
  /** Whether it must be known still; else it may be. */
  isSure: boolean
}

export function createRequests(): Requests {
  const all: Kept[] = []
  return {
    find: (requestId) => all.filter((kept) => kept.requestId === requestId),
    keep: (kept) => {
      all.push(kept)
    },
    age: (servingMs, { requestWindowMs, requestLimit }) => {
      for (const [index, kept] of all.entries()) {
        const isOver = all.length - index > requestLimit || kept.servingMs + requestWindowMs <= servingMs
        if (isOver) kept.isSure = false
      }
    },
  }
}

/** Two requests mean the same if their commands are equal; to the end of the space is where it ends at the time. */
export function meaningOf(command: Command, capacity: number): string {
  const isToEnd = command.kind === 'allocate' && command.max === capacity - 1
  return JSON.stringify(isToEnd ? { ...command, max: 'end' } : command)
}
