/** A rule of the contract that a history breaks. */
export interface Violation {
  /** Its name, for tests and people. */
  readonly rule: string
  readonly what: string
}
