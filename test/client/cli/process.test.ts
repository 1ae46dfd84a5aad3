import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repositoryRoot } from '../../support/repository.ts'

const MAIN = join(repositoryRoot, 'dist/client/cli/main.js')

/** ioasidctl as a process of its own, under bash: for what only a process has, its standard output and error. */
function shell(line: string) {
  const script = `set -o pipefail; ioasidctl() { '${process.execPath}' '${MAIN}' "$@"; }; ${line}`
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' })
  return { status, stdout, stderr }
}

describe('ioasidctl as a process', () => {
  it('fails where what it prints is lost, for it may be a handle', () => {
    const { status, stderr } = shell('ioasidctl version >/dev/full')
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(/^error: the output is lost: .*\n$/),
    })
  })

  it('ends without a word when its reader has seen enough', () => {
    expect(shell('ioasidctl --help | true')).toEqual({ status: 0, stdout: '', stderr: '' })
  })

  it('keeps its exit code where nobody can be told of the error', () => {
    expect(shell('ioasidctl frobnicate 2>/dev/full').status).toBe(2)
    expect(shell('ioasidctl frobnicate 2>&1 | true').status).toBe(2)
  })
})
