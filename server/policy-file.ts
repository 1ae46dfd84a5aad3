import { isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { OwnLimits, Rights, Tokens } from './core/caller.ts'

/**
 * The policy: who may own sets of which tokens, subscribe to them, acquire by them, administer. What no grant gives is
 * denied. YAML, of which only plain values, lists and maps are read:
 *
 *     version: 1
 *     grants:
 *       - to: spiffe://host.example/vmm/a     # an identity, or a list of them
 *         own: [vm-a, vm-a/*]                 # tokens; vm-a/* is every token that begins with vm-a/
 *         subscribe: ['*']                    # every set, also those without a token
 *         acquire: []
 *         administer: false
 *
 * Several grants to one identity add up. Pure: the file is read elsewhere.
 */
export interface Policy {
  /** How many identities it names. */
  readonly identities: number
  rightsOf(identity: string): Rights
}

/** Sentences for an operator, each with its line. */
export interface PolicyProblems {
  readonly problems: readonly string[]
}

export const MAX_POLICY_BYTES = 4 << 20
const MAX_GRANTS = 10_000
const MAX_NAMES = 1024
const MAX_PROBLEMS = 20
const RIGHTS = ['own', 'subscribe', 'acquire'] as const
type RightName = (typeof RIGHTS)[number]

type Draft = Record<RightName, string[]> & { administer: boolean }

export function parsePolicy(text: string, limits: OwnLimits): Policy | PolicyProblems {
  const lines = new LineCounter()
  // No aliases: a few lines of them can stand for gigabytes.
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true })
  const problems: string[] = []
  const say = (node: unknown, wrong: string): undefined => {
    if (problems.length < MAX_PROBLEMS) problems.push(`line ${lineOf(lines, node)}: ${wrong}`)
  }
  for (const { pos, message } of document.errors) {
    const [first = ''] = message.split('\n')
    problems.push(`line ${lines.linePos(pos[0]).line}: ${first.replace(/ at line \d+, column \d+:?$/, '')}.`)
  }
  if (problems.length > 0) return { problems }
  const drafts = readDocument(document.contents, say)
  if (problems.length > 0) return { problems }

  const rights = new Map([...drafts].map(([identity, draft]) => [identity, rightsOfDraft(draft, limits)]))
  const none = rightsOfDraft(emptyDraft(), limits)
  return { identities: rights.size, rightsOf: (identity) => rights.get(identity) ?? none }
}

type Say = (node: unknown, wrong: string) => undefined

function readDocument(contents: unknown, say: Say): ReadonlyMap<string, Draft> {
  const drafts = new Map<string, Draft>()
  const root = readMap(contents, ['version', 'grants'], 'the policy', say)
  if (root === undefined) return drafts
  const version = root.get('version')
  if (!isScalar(version) || version.value !== 1) say(version ?? contents, 'version: it takes 1.')
  const grants = root.get('grants')
  if (grants === undefined) return drafts
  if (!isSeq(grants)) say(grants, 'grants: it takes a list.')
  else if (grants.items.length > MAX_GRANTS) say(grants, `grants: it takes ${MAX_GRANTS} at most.`)
  else for (const grant of grants.items) readGrant(grant, drafts, say)
  return drafts
}

function readGrant(node: unknown, drafts: Map<string, Draft>, say: Say): void {
  const grant = readMap(node, ['to', ...RIGHTS, 'administer'], 'a grant', say)
  if (grant === undefined) return
  const whom = grant.get('to')
  if (whom === undefined || (isSeq(whom) && whom.items.length === 0)) say(node, `to: it takes ${IDENTITY_RULE}.`)
  const to = whom === undefined ? [] : readNames(whom, 'to', IDENTITY_RULE, isIdentity, say)
  const administer = grant.get('administer')
  const isAdmin = isScalar(administer) && administer.value === true
  if (administer !== undefined && !(isScalar(administer) && typeof administer.value === 'boolean')) {
    say(administer, 'administer: it takes true or false.')
  }
  const names = RIGHTS.map((right) => {
    const value = grant.get(right)
    return [right, value === undefined ? [] : readNames(value, right, TOKEN_RULE, isTokenRule, say)] as const
  })
  for (const identity of to) {
    const draft = drafts.get(identity) ?? emptyDraft()
    for (const [right, tokens] of names) draft[right].push(...tokens)
    draft.administer ||= isAdmin
    drafts.set(identity, draft)
  }
}

/** The values of a map by their keys; a key that means nothing may be a right that somebody meant to give, or to deny. */
function readMap(node: unknown, keys: readonly string[], what: string, say: Say) {
  if (!isMap(node)) return say(node, `${what} is a map of ${keys.join(', ')}.`)
  const values = new Map<string, Node>()
  for (const { key, value } of node.items) {
    const name = isScalar(key) ? key.value : undefined
    if (typeof name !== 'string' || !keys.includes(name)) {
      say(key, `${what} has no key '${String(name)}': it takes ${keys.join(', ')}.`)
    } else values.set(name, value as Node)
  }
  return values
}

/** One text, or a list of them. */
function readNames(
  node: unknown,
  key: string,
  rule: string,
  isAllowed: (text: string) => boolean,
  say: Say,
): readonly string[] {
  const items = isSeq(node) ? node.items : [node]
  if (items.length > MAX_NAMES) say(node, `${key}: it takes ${MAX_NAMES} at most.`)
  return items.slice(0, MAX_NAMES).flatMap((item) => {
    const text = isScalar(item) ? item.value : undefined
    if (typeof text === 'string' && isAllowed(text)) return [text]
    say(item, `${key}: it takes ${rule}, not ${typeof text === 'string' ? `'${text}'` : 'this'}.`)
    return []
  })
}

const IDENTITY_RULE = 'spiffe://DOMAIN/PATH, dns:HOST, cn:NAME or uid:NUMBER, or a list of them'

/** As rpc/peer.ts writes them. */
function isIdentity(text: string): boolean {
  return /^(spiffe:\/\/[!-~]+|dns:[!-~]+|cn:[^\p{Cc}]+|uid:(0|[1-9]\d{0,9}))$/u.test(text)
}

const SEPARATORS = '/ : . - _'
const TOKEN_RULE = `a token, a namespace as vm/* (which ends in one of ${SEPARATORS} before the *), '*', or a list of them`
const MAX_TOKEN_BYTES = 255

/** A namespace without a separator at its end would take in tenants whose names begin alike. */
function isTokenRule(text: string): boolean {
  const star = text.indexOf('*')
  const isForm = star < 0 || (star === text.length - 1 && (star === 0 || SEPARATORS.includes(text.charAt(star - 1))))
  return (
    isForm && text !== '' && Buffer.byteLength(text) <= MAX_TOKEN_BYTES && !/[\p{Cc}\u2028\u2029\uFFFD]/u.test(text)
  )
}

function emptyDraft(): Draft {
  return { own: [], subscribe: [], acquire: [], administer: false }
}

function rightsOfDraft({ own, subscribe, acquire, administer }: Draft, limits: OwnLimits): Rights {
  return { own: tokensOf(own), subscribe: tokensOf(subscribe), acquire: tokensOf(acquire), administer, limits }
}

function tokensOf(rules: readonly string[]): Tokens {
  return {
    isAll: rules.includes('*'),
    names: new Set(rules.filter((rule) => !rule.endsWith('*'))),
    namespaces: rules.filter((rule) => rule !== '*' && rule.endsWith('*')).map((rule) => rule.slice(0, -1)),
  }
}

function lineOf(lines: LineCounter, node: unknown): number {
  const range = node !== null && typeof node === 'object' && 'range' in node ? node.range : undefined
  return Array.isArray(range) ? lines.linePos(Number(range[0])).line : 1
}
