/** Whether the daemon should be given work, and if not why: checks with names, as Kubernetes' `/readyz?verbose` shows them. */
export interface Check {
  readonly name: string
  /** undefined: all is well. Else a few words for an operator. */
  problem(): string | undefined
}

export interface Readiness {
  readonly isReady: boolean
  /** A line for each check. */
  readonly lines: readonly string[]
}

export function look(checks: readonly Check[]): Readiness {
  const looked = checks.map(({ name, problem }) => ({ name, problem: problem() }))
  return {
    isReady: looked.every(({ problem }) => problem === undefined),
    lines: looked.map(({ name, problem }) => (problem === undefined ? `[+]${name} ok` : `[-]${name} ${problem}`)),
  }
}
