/**
 * Who asks, and what he may. Who he is and what the policy says of him is found at the edges; what follows from it for a
 * request is decided here and in access.ts, so that no path to the state has rules of its own.
 */
export interface Caller {
  /** Recorded as the actor of what he changes and the owner of what he creates; empty: nobody knows who he is. */
  readonly identity: string
  /** undefined: there is no policy, so that whoever reaches a listener may look and hold, and handles protect changes. */
  readonly rights: Rights | undefined
  /** May use AdminService, and so sees whatever there is to see. */
  readonly isAdmin: boolean
}

/** What a policy gives to one identity. */
export interface Rights {
  /** May create sets of these tokens and, by their handles, change them; owning is also seeing, watching and holding. */
  readonly own: Tokens
  readonly subscribe: Tokens
  readonly acquire: Tokens
  readonly administer: boolean
  readonly limits: OwnLimits
}

/** How much of the space's tables one identity may have. */
export interface OwnLimits {
  readonly maxSets: number
  /** What quotas reserve for it, and its sets without one have taken. */
  readonly maxIds: number
  readonly maxLeases: number
  readonly maxSubscriptions: number
}

/** Some tokens: single ones, and namespaces, which are the beginnings of tokens up to a separator. */
export interface Tokens {
  /** Every set, also those without a token. */
  readonly isAll: boolean
  readonly names: ReadonlySet<string>
  readonly namespaces: readonly string[]
}

/** Byte by byte, as tokens are compared everywhere: no case is folded and no form of Unicode is made another. */
export function covers({ isAll, names, namespaces }: Tokens, token: string): boolean {
  return isAll || names.has(token) || namespaces.some((namespace) => token.startsWith(namespace))
}

export function isNone({ isAll, names, namespaces }: Tokens): boolean {
  return !isAll && names.size + namespaces.length === 0
}

/** Nobody in particular, where there is no policy: tests, and the engine's own changes. */
export const ANYONE: Caller = { identity: '', rights: undefined, isAdmin: true }
