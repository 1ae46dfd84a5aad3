import { ANYONE, type Caller, type Tokens } from '../../server/core/caller.ts'
import { type Line, numberOf } from './scenario-commands.ts'

/** `policy alice own=vm-a,vm-a/* subscribe=* acquire=vm-b admin sets=2`: from then on there is a policy, and this is what it says of alice. */
export function policyOf({ words, options }: Line): Caller {
  const [identity = ''] = words
  const rights = {
    own: tokensOf(options.get('own')),
    subscribe: tokensOf(options.get('subscribe')),
    acquire: tokensOf(options.get('acquire')),
    administer: words.includes('admin'),
    limits: {
      maxSets: numberOf(options, 'sets', 100),
      maxIds: numberOf(options, 'ids', 1_000_000),
      maxLeases: numberOf(options, 'leases', 100),
      maxSubscriptions: numberOf(options, 'subscriptions', 100),
    },
  }
  return { identity, rights, isAdmin: rights.administer }
}

/** `by=alice`; whom no policy names may nothing, and without `by` nobody knows who it is. */
export function callerOf(policy: ReadonlyMap<string, Caller>, { options }: Line): Caller {
  const identity = options.get('by')
  if (policy.size === 0) return identity === undefined ? ANYONE : { ...ANYONE, identity }
  return policy.get(identity ?? '') ?? policyOf({ verb: '', words: [identity ?? ''], options: new Map() })
}

function tokensOf(text = ''): Tokens {
  const written = text.split(',').filter((each) => each !== '')
  const namespaces = written.filter((each) => each !== '*' && each.endsWith('*'))
  return {
    isAll: written.includes('*'),
    names: new Set(written.filter((each) => !each.endsWith('*'))),
    namespaces: namespaces.map((each) => each.slice(0, -1)),
  }
}
