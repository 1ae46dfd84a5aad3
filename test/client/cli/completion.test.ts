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
  // The sign is a word of its own.
  return await offeredBehind(line.split(/ |(?==)|(?<==)/))
}

async function offeredBehind(words: readonly string[]): Promise<string[]> {
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
    expect(await offered('ioasidctl watch --priority ')).toEqual(['CPU', 'IOMMU', 'DEVICE'])
    expect(await offered('ioasidctl lease grant --on-expiry r')).toEqual(['release'])
  })

  it('offers the next one of several with commas between', async () => {
    expect(await offered('ioasidctl watch --types SET_')).toEqual(['SET_ALLOC', 'SET_FREE', 'SET_ADJUST'])
    expect(await offered('ioasidctl watch --types BIND,UNBIND,F')).toEqual(['BIND,UNBIND,FREE'])
    expect(await offered('ioasidctl watch --types=BIND,U')).toEqual(['BIND,UNBIND'])
  })

  it('offers them behind = too', async () => {
    const formats = ['table', 'wide', 'json', 'jsonl', 'yaml', 'name']
    expect(await offered('ioasidctl status --output=')).toEqual(formats)
    expect(await offered('ioasidctl status --output=j')).toEqual(['json', 'jsonl'])
    // Where = is no word of its own: bash can be told so, and zsh does so.
    expect(await offeredBehind(['ioasidctl', 'status', '--output='])).toEqual(formats.map((each) => `--output=${each}`))
    expect(await offeredBehind(['ioasidctl', 'watch', '--types=BIND,R'])).toEqual(['--types=BIND,RECLAIM'])
    // Of what has no few words, nothing: bash offers files.
    expect(await offered('ioasidctl data attach 7 --file=')).toEqual([])
    expect(await offered('ioasidctl data attach 7 --file=d')).toEqual([])
  })

  it('is made for zsh and fish too', async () => {
    expect(await script('zsh')).toMatch(/^#compdef ioasidctl\n/)
    const fish = await script('fish')
    expect(fish).toContain(`complete -c ioasidctl -f -n "__ioasidctl_at 'set'" -a create -d '`)
    expect(fish).toContain(`-l output -d 'how to print, by default a table' -x -a 'table wide json jsonl yaml name'`)
  })

  it('knows no other shells', async () => {
    const { code, err } = await once({}, 'completion', 'csh')
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining('bash, zsh, fish') })
  })
})
