import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { once } from './fake-io.ts'

async function script(shell: string): Promise<string> {
  const { code, out, calls } = await once({}, 'completion', shell)
  expect({ code, calls }).toEqual({ code: 0, calls: [] })
  return out
}

/** What bash offers behind a line. */
async function offered(line: string): Promise<string[]> {
  const words = line.split(' ')
  const quoted = words.map((word) => `'${word}'`).join(' ')
  const ask = `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _ioasidctl; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, status, stderr } = spawnSync('bash', ['-c', `${await script('bash')}\n${ask}`], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout.split('\n').filter((word) => word !== '')
}

describe('completion', () => {
  it('offers commands, and behind a group those of the group', async () => {
    expect(await offered('ioasidctl ')).toEqual(expect.arrayContaining(['set', 'alloc', 'watch', 'completion']))
    expect(await offered('ioasidctl al')).toEqual(['alloc'])
    expect(await offered('ioasidctl --endpoint x set ')).toEqual(['create', 'get', 'list', 'adjust', 'delete'])
  })

  it('offers the options of a command, and those that every command has', async () => {
    expect(await offered('ioasidctl alloc --')).toEqual(expect.arrayContaining(['--count', '--spids', '--output']))
    expect(await offered('ioasidctl alloc --')).not.toContain('--snapshot')
    expect(await offered('ioasidctl alloc --co')).toEqual(['--count'])
  })

  it('offers what an option or an argument may be where it is one of a few words', async () => {
    expect(await offered('ioasidctl status -o j')).toEqual(['json', 'jsonl'])
    expect(await offered('ioasidctl completion ')).toEqual(['bash', 'zsh', 'fish'])
  })

  it('is made for zsh and fish too', async () => {
    expect(await script('zsh')).toMatch(/^#compdef ioasidctl\n/)
    const fish = await script('fish')
    expect(fish).toContain(`complete -c ioasidctl -f -n "__ioasidctl_at 'set'" -a create -d '`)
    expect(fish).toContain(`-l output -d 'how to print' -x -a 'table wide json jsonl yaml name'`)
  })

  it('knows no other shells', async () => {
    const { code, err } = await once({}, 'completion', 'csh')
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('bash, zsh, fish') })
  })
})
