import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { covers, type Tokens } from '../../server/core/caller.ts'
import { openPolicy } from '../../server/policy.ts'
import { parsePolicy } from '../../server/policy-file.ts'
import { tempDir } from '../support/daemon.ts'
import { LIMITS, policyOf } from '../support/rights.ts'

function problemsIn(text: string): readonly string[] {
  const policy = parsePolicy(text, LIMITS)
  return 'problems' in policy ? policy.problems : []
}

describe('a policy file', () => {
  it('gives what it says to whom it names, several grants added up, and to nobody else anything', () => {
    const rightsOf = policyOf(`
  - to: [spiffe://host.example/vmm/a, 'uid:1000']
    own: [vm-a, vm-a/*]
    subscribe: '*'
  - { to: 'uid:1000', acquire: vm-b, administer: true }
`)
    const told = ({ isAll, names, namespaces }: Tokens) => [isAll, [...names], namespaces]
    const both = rightsOf('uid:1000')
    expect(told(both.own)).toEqual([false, ['vm-a'], ['vm-a/']])
    expect(told(both.subscribe)).toEqual([true, [], []])
    expect([told(both.acquire), both.administer]).toEqual([[false, ['vm-b'], []], true])
    expect(rightsOf('spiffe://host.example/vmm/a').administer).toBe(false)
    for (const identity of ['', 'uid:1001', 'UID:1000', 'spiffe://host.example/vmm/a/', 'cn:uid:1000']) {
      const { own, subscribe, acquire, administer } = rightsOf(identity)
      expect([own, subscribe, acquire].map(told)).toEqual(Array(3).fill([false, [], []]))
      expect(administer).toBe(false)
    }
  })

  it('names tokens and namespaces byte by byte: no prefix, no case, no other form of Unicode passes', () => {
    const { own } = policyOf("  - { to: 'uid:1', own: [vm-a, vm-a/*, gerät] }")('uid:1')
    for (const token of ['vm-a', 'vm-a/', 'vm-a/1', 'vm-a/1/2', 'vm-a/*', 'gerät'])
      expect(covers(own, token)).toBe(true)
    const others = ['', 'vm', 'vm-', 'vm-ab', 'VM-A', 'vm-a ', ' vm-a', 'vm-a\u200b', 'vm\u2010a', 'vm-a\u2215x']
    for (const token of [...others, 'gera\u0308t', 'ger\u00c4t', 'vm-А', 'vm-a\\1', 'xvm-a/1', '*']) {
      expect(covers(own, token), token).toBe(false)
    }
  })

  it.each([
    ['', ['line 1: the policy is a map of version, grants.']],
    ['grants: []', ['line 1: version: it takes 1.']],
    ['version: 2', ['line 1: version: it takes 1.']],
    ["version: '1'", ['line 1: version: it takes 1.']],
    ['version: 1\nrules: []', ["line 2: the policy has no key 'rules': it takes version, grants."]],
    ['version: 1\ngrants: all', ['line 2: grants: it takes a list.']],
    [
      'version: 1\ngrants:\n- to: uid:1\n  owns: vm',
      ["line 4: a grant has no key 'owns': it takes to, own, subscribe, acquire, administer."],
    ],
    ['version: 1\nversion: 1', ['line 2: Map keys must be unique.']],
    ['version: 1\ngrants:\n- own: vm', [expect.stringMatching(/^line 3: to: it takes spiffe:/)]],
    ['version: 1\ngrants:\n- to: []', [expect.stringMatching(/^line 3: to: it takes spiffe:/)]],
    ['version: 1\ngrants:\n- to: root', [expect.stringMatching(/^line 3: to: it takes .*, not 'root'\.$/)]],
    ['version: 1\ngrants:\n- to: "uid:01"', [expect.stringContaining("not 'uid:01'")]],
    ['version: 1\ngrants:\n- { to: "uid:1", own: vm* }', [expect.stringContaining("not 'vm*'")]],
    ['version: 1\ngrants:\n- { to: "uid:1", own: "vm/*/x" }', [expect.stringContaining("not 'vm/*/x'")]],
    ['version: 1\ngrants:\n- { to: "uid:1", own: "" }', [expect.stringContaining("not ''")]],
    ['version: 1\ngrants:\n- { to: "uid:1", own: 5 }', [expect.stringContaining('own: it takes a token')]],
    ['version: 1\ngrants:\n- { to: "uid:1", own: [[vm]] }', [expect.stringContaining('not this.')]],
    ['version: 1\ngrants:\n- { to: "uid:1", administer: yes please }', ['line 3: administer: it takes true or false.']],
    ['version: 1\ngrants: [', [expect.stringMatching(/^line 2: /)]],
    ['version: 1\na: &a [x]\ngrants: *a', [expect.stringContaining("no key 'a'"), 'line 3: grants: it takes a list.']],
  ])('%j is refused with its line and what is allowed', (text, problems) => {
    expect(problemsIn(text)).toEqual(problems.map((problem) => problem))
  })

  it('that says a name twice, or nothing at all, is one', () => {
    expect(problemsIn('version: 1')).toEqual([])
    expect(problemsIn("version: 1\ngrants: [{ to: ['uid:1', 'uid:1'], own: [vm, vm] }]")).toEqual([])
  })

  it('that everybody may write to, that is missing or too large, is refused', () => {
    const file = join(tempDir(), 'policy.yaml')
    expect(openPolicy(file, LIMITS)).toMatchObject({ problem: expect.stringContaining('ENOENT') })
    writeFileSync(file, 'version: 1', { mode: 0o600 })
    expect(openPolicy(file, LIMITS)).not.toHaveProperty('problem')
    chmodSync(file, 0o602)
    expect(openPolicy(file, LIMITS)).toMatchObject({ problem: expect.stringContaining('chmod o-w') })
    chmodSync(file, 0o600)
    writeFileSync(file, `version: 1 #${'x'.repeat(4 << 20)}`)
    expect(openPolicy(file, LIMITS)).toMatchObject({ problem: expect.stringContaining('4194304 are allowed') })
  })

  it('that is wrong when it is read again leaves what was in force', () => {
    const file = join(tempDir(), 'policy.yaml')
    writeFileSync(file, "version: 1\ngrants: [{ to: 'uid:1', administer: true }]", { mode: 0o600 })
    const policy = openPolicy(file, LIMITS)
    if ('problem' in policy) throw new Error(policy.problem)
    writeFileSync(file, 'version: 2')
    expect(policy.reload()).toMatchObject({ problem: `--policy-file ${file}, line 1: version: it takes 1.` })
    expect(policy.rightsOf('uid:1')?.administer).toBe(true)
    writeFileSync(file, 'version: 1')
    expect(policy.reload()).toBe(0)
    expect(policy.rightsOf('uid:1')?.administer).toBe(false)
  })
})
