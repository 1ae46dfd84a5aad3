/** What a command prints, whole. */
export interface Golden {
  /** Behind the words that name the command. */
  readonly argv: readonly string[]
  /** Behind a line end, for looks. */
  readonly table: string
  readonly json: unknown
  /** On standard error, beside the table. Default: nothing. */
  readonly err?: string
}

/** By the words that name a command. */
export type Goldens = Readonly<Record<string, readonly Golden[]>>
