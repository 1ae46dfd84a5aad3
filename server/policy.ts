import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import type { OwnLimits } from './core/caller.ts'
import type { Engine } from './engine/engine.ts'
import { MAX_POLICY_BYTES, type Policy, parsePolicy } from './policy-file.ts'
import type { ReloadablePart } from './reload.ts'
import type { RightsOf } from './rpc/caller.ts'
import type { Log } from './rpc/log.ts'

/** The policy in force, and how it changes. Without a file there is none, and none can come while the daemon runs. */
export interface PolicyInForce {
  readonly rightsOf: RightsOf
  /** Reads the file again: how many identities it names now. With a problem the policy stays what it was. */
  reload(): number | PolicyProblem
}

export interface PolicyProblem {
  /** One sentence for an operator, or several. */
  readonly problem: string
}

export function openPolicy(file: string, limits: OwnLimits): PolicyInForce | PolicyProblem {
  if (file === '') return { rightsOf: () => undefined, reload: () => 0 }
  const first = readPolicy(file, limits)
  if ('problem' in first) return first
  let policy = first
  return {
    rightsOf: (identity) => policy.rightsOf(identity),
    reload: () => {
      const next = readPolicy(file, limits)
      if ('problem' in next) return next
      policy = next
      return policy.identities
    },
  }
}

/** Callers have their new rights at once; then whatever is open and no longer allowed ends. */
export function policyPart(
  { rightsOf, reload }: PolicyInForce,
  engine: Pick<Engine, 'enforce'>,
  log: Log,
): ReloadablePart {
  return {
    name: 'policy',
    // The file that it names is read again; another one, or limits of another size, takes a restart.
    flags: [],
    apply: async () => {
      if (rightsOf('') === undefined) return
      const identities = reload()
      if (typeof identities === 'object') throw new Error(identities.problem)
      await engine.enforce(rightsOf)
      log.info({ identities }, 'the policy was read again')
    },
  }
}

const WRITABLE_BY_ALL = 0o002

function readPolicy(file: string, limits: OwnLimits): Policy | PolicyProblem {
  let text: string
  try {
    text = readBounded(file)
  } catch (cause) {
    return { problem: `--policy-file ${file}: ${cause instanceof Error ? cause.message : String(cause)}.` }
  }
  const policy = parsePolicy(text, limits)
  if (!('problems' in policy)) return policy
  return { problem: policy.problems.map((problem) => `--policy-file ${file}, ${problem}`).join(' ') }
}

/** What everybody may write says nothing about who may what. */
function readBounded(file: string): string {
  const descriptor = openSync(file, 'r')
  try {
    const { mode, size } = fstatSync(descriptor)
    if ((mode & WRITABLE_BY_ALL) !== 0) throw new Error('everybody may write to it: take that away (chmod o-w)')
    if (size > MAX_POLICY_BYTES) throw new Error(`it has ${size} bytes; ${MAX_POLICY_BYTES} are allowed`)
    return readFileSync(descriptor, 'utf8')
  } finally {
    closeSync(descriptor)
  }
}
