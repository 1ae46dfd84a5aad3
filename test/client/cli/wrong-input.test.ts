import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { ca, client, stranger } from '../../support/certificates.ts'
import { settle } from '../manual-clock.ts'
import { commandTree, type Leaf } from './command-tree.ts'
import { ioasidctl } from './fake-io.ts'
import { commandInputs, everywhere, type WrongInputs } from './wrong-input-cases.ts'

/** So that nothing is wrong but what a case says. */
const named = { IOASIDCTL_SET_HANDLE: 'key-to-a', IOASIDCTL_LEASE_HANDLE: 'key-to-kvm' }

/** A command that ends by itself, with 2 and one sentence, before a daemon is asked anything. */
async function isRefused(
  argv: readonly string[],
  sentence: string,
  env: Record<string, string> = named,
  files: Record<string, string> = {},
) {
  const cli = ioasidctl({ env, files })
  const code = cli.run(...argv)
  await settle()
  // One that watches in spite of it would go on.
  cli.interrupt.abort()
  const { calls, streams } = cli
  expect({ argv, code: await code, err: cli.err(), out: cli.out(), calls, streams }).toEqual({
    argv,
    code: 2,
    err: `${sentence}\n`,
    out: '',
    calls: [],
    streams: [],
  })
}

const { program, leaves } = await commandTree()

/** What a user writes behind a command: the long flags of options with a value, and the names of arguments. */
function inputsOf({ options, registeredArguments }: Command): readonly string[] {
  const flags = options.filter(({ required, optional }) => required || optional).map(({ long }) => long ?? '')
  return [...registeredArguments.map((argument) => argument.name()), ...flags].sort()
}

const wordsOf = ({ path }: Leaf): readonly string[] => path.split(' ')

async function refusesEach(leaf: Leaf, owner: Command, wrong: WrongInputs): Promise<void> {
  const { args = [], options = [] } = commandInputs[leaf.path] ?? {}
  for (const [input, cases] of Object.entries(wrong)) {
    if (typeof cases === 'string') continue
    const option = owner.options.find(({ long }) => long === input)
    for (const { text, says } of cases.flatMap(({ texts, says }) => texts.map((text) => ({ text, says })))) {
      const argv = option === undefined ? [...options, text] : [...args, ...options, input, text]
      const what =
        option === undefined
          ? `error: command-argument value '${text}' is invalid for argument '${input}'.`
          : `error: option '${option.flags}' argument '${text}' is invalid.`
      await isRefused([...wordsOf(leaf), ...argv], says.startsWith('error: ') ? says : `${what} ${says}`)
    }
  }
}

describe('a wrong text is told what is allowed in its place, and nothing is sent:', () => {
  it.each(leaves)('$path', async (leaf) => {
    await refusesEach(leaf, leaf.command, commandInputs[leaf.path]?.wrong ?? {})
  })

  it('the options of every command', async () => {
    const list = leaves.find(({ path }) => path === 'set list')
    if (list === undefined) throw new Error('no set list')
    await refusesEach(list, program, everywhere.wrong)
  })

  it('every option with a value, and every argument, has such texts', () => {
    const known = Object.entries(commandInputs).map(([path, { wrong }]) => [path, Object.keys(wrong).sort()] as const)
    expect(new Map(known)).toEqual(new Map(leaves.map(({ path, command }) => [path, inputsOf(command)])))
    expect(Object.keys(everywhere.wrong).sort()).toEqual(inputsOf(program))
  })
})

describe('what a command does not know, or lacks, is named, and nothing is sent:', () => {
  it.each(leaves)('$path', async (leaf) => {
    const { command } = leaf
    const { args = [], options = [] } = commandInputs[leaf.path] ?? {}
    const words = wordsOf(leaf)
    await isRefused([...words, ...args, ...options, '--frobnicate'], "error: unknown option '--frobnicate'")
    const most = command.registeredArguments.length
    if (!command.registeredArguments.some(({ variadic }) => variadic)) {
      const right = command.registeredArguments.map(({ argChoices: [choice = '7'] = [] }) => choice)
      const noun = most === 1 ? 'argument' : 'arguments'
      const sentence = `error: too many arguments for '${command.name()}'. Expected ${most} ${noun} but got ${most + 1}.`
      await isRefused([...words, ...right, '7', ...options], sentence)
    }
    for (const argument of command.registeredArguments.filter(({ required }) => required)) {
      await isRefused([...words, ...options], `error: missing required argument '${argument.name()}'`)
    }
    for (const { flags } of command.options.filter(({ mandatory }) => mandatory)) {
      await isRefused([...words, ...args], `error: required option '${flags}' not specified`)
    }
    for (const { long, flags } of command.options.filter(({ required }) => required)) {
      await isRefused([...words, ...args, long ?? ''], `error: option '${flags}' argument missing`)
    }
  })
})

const WHICH_SET = 'error: which set? Give --set-handle, or set IOASIDCTL_SET_HANDLE.'
const WHICH_SET_OR_TOKEN = 'error: which set? Give --token or --set-handle, or set IOASIDCTL_SET_HANDLE.'
const WHICH_LEASE = 'error: which lease? Give --lease, or set IOASIDCTL_LEASE_HANDLE.'

describe('what is not named is asked for, and nothing is sent:', () => {
  it.each([
    [['set', 'get'], WHICH_SET_OR_TOKEN],
    [['set', 'adjust', '--quota', '1'], WHICH_SET],
    [['set', 'delete'], WHICH_SET],
    [['alloc'], WHICH_SET],
    [['free', '7'], WHICH_SET],
    [['get', '--spid', '1'], WHICH_SET_OR_TOKEN],
    [['list'], WHICH_SET_OR_TOKEN],
    [['attach', '7', '--spid', '1'], WHICH_SET],
    [['detach', '7'], WHICH_SET],
    [['data', 'attach', '7', '--hex', '01'], WHICH_SET],
    [['data', 'detach', '7'], WHICH_SET],
    [['acquire', '7', '--lease', 'x'], WHICH_SET_OR_TOKEN],
    [['acquire', '--spid', '1', '--lease', 'x'], WHICH_SET_OR_TOKEN],
    [['release', '7', '--lease', 'x'], WHICH_SET_OR_TOKEN],
    [['acquire', '7', '--token', 'vm-a'], WHICH_LEASE],
    [['acquire', '--spid', '1', '--token', 'vm-a'], WHICH_LEASE],
    [['release', '7', '--token', 'vm-a'], WHICH_LEASE],
    [['lease', 'keep-alive'], WHICH_LEASE],
    [['lease', 'revoke'], WHICH_LEASE],
    [['lease', 'get'], WHICH_LEASE],
    [['watch'], 'error: which sets? Give --token, --set-handle or --all, or set IOASIDCTL_SET_HANDLE.'],
    [['watch', '--hold'], 'error: which sets? Give --token, --set-handle or --all, or set IOASIDCTL_SET_HANDLE.'],
  ])('%j', async (argv, sentence) => {
    await isRefused(argv, sentence, {})
  })
})

it('a wrong endpoint of the environment is named by its variable', async () => {
  const says = "error: IOASIDCTL_ENDPOINT: 'host'; unix:///path, tcp://host:port or host:port is wanted."
  await isRefused(['status'], says, { IOASIDCTL_ENDPOINT: 'host' })
})

describe('what is wrong with TLS is named by its flag, or by its variable, and nothing is sent:', () => {
  const files = {
    ca,
    cert: client.cert,
    key: client.key,
    'other.key': stranger.key,
    note: 'hello',
    cut: ca.slice(0, 200),
  }
  const noCertificate = 'no certificate is in it; PEM is wanted, -----BEGIN CERTIFICATE-----.'

  it.each<[string, string]>([
    ['--cacert note', `--cacert: 'note': ${noCertificate}`],
    ['--cacert key', `--cacert: 'key': ${noCertificate}`],
    ['--cacert cut', "--cacert: 'cut': certificate 1 of 1 is damaged, or not whole."],
    ['--cert note --key key', `--cert: 'note': ${noCertificate}`],
    ['--cert cert --key note', "--key: 'note': no key is in it; PEM is wanted, -----BEGIN PRIVATE KEY-----."],
    ['--cert cert --key other.key', "--key: 'other.key': it is not the key of the certificate."],
    ['--cert cert', "--cert: 'cert': a certificate goes with its key, which is missing."],
    ['--key key', "--key: 'key': a key goes with its certificate, which is missing."],
    [
      '--cacert ca --server-name a:1',
      "--server-name: 'a:1'; a name as host.example, or an IP address, is wanted, without a port.",
    ],
    [
      '--server-name a --endpoint unix:///x.sock',
      "--server-name: 'unix:///x.sock' is a Unix socket, which needs no TLS: leave it out, or name host:port.",
    ],
  ])('%s', async (flags, sentence) => {
    const argv = ['status', '--endpoint', 'host:1', ...flags.split(' ')]
    await isRefused(argv, `error: ${sentence}`, {}, files)
  })

  it.each<[Record<string, string>, string]>([
    [
      { IOASIDCTL_CACERT: '/nowhere' },
      "IOASIDCTL_CACERT: '/nowhere' cannot be read: ENOENT: no such file or directory.",
    ],
    [{ IOASIDCTL_CERT: 'note', IOASIDCTL_KEY: 'key' }, `IOASIDCTL_CERT: 'note': ${noCertificate}`],
    [{ IOASIDCTL_KEY: 'key' }, "IOASIDCTL_KEY: 'key': a key goes with its certificate, which is missing."],
    [
      { IOASIDCTL_CACERT: 'ca', IOASIDCTL_ENDPOINT: 'unix:///x.sock' },
      "--cert: 'unix:///x.sock' is a Unix socket, which needs no TLS: leave it out, or name host:port.",
    ],
  ])('%j', async (env, sentence) => {
    const isSocket = env['IOASIDCTL_ENDPOINT'] !== undefined
    const flags = isSocket ? ['--cert', 'cert', '--key', 'key'] : ['--endpoint', 'host:1']
    await isRefused(['status', ...flags], `error: ${sentence}`, env, files)
  })
})

const many = Array.from({ length: 65_537 }, (_, index) => String(index))
const tokens = Array.from({ length: 1025 }, (_, index) => ['--token', `vm-${index}`]).flat()

describe('options that do not go together are named, and nothing is sent:', () => {
  it.each<[string, string, string[]?]>([
    ['set get --token vm-a --set-handle x', 'give --set-handle or --token, not both.'],
    ['set delete --set-id 5', '--set-id deletes a set with all its ids: give --force too.'],
    ['set delete --set-id 5 --force --set-handle x', 'give --set-handle or --set-id, not both.'],
    ['alloc --min 9 --max 5', '--min 9 is above --max 5.'],
    ['alloc --count 3 --spids 1,2', '--count 3 is not how many --spids there are, 2: leave it out.'],
    ['free', 'which ids? Name some, or give --all.'],
    ['free 7 --all', 'which ids? Name some, or give --all.'],
    ['free --all --generation 3', '--generation is for ids that are named, not for --all.'],
    ['free 7 8 0x7', 'id 7 is named twice; different ids are allowed.'],
    ['free', '65537 ids are named; at most 65536 are allowed.', many],
    ['get', 'give an id, or --spid.'],
    ['get 7 --spid 101', 'give an id, or --spid.'],
    ['get 7 --token vm-a', '--token goes with --spid.'],
    ['get --spid 1 --token', '--token is empty; an anonymous set is found by its handle.', ['']],
    ['list --token vm-a --set-handle x', 'give --set-handle or --token, not both.'],
    ['data attach 7', 'which data? Give --hex or --file.'],
    ['data attach 7 --hex 01 --file f', 'which data? Give --hex or --file.'],
    ['acquire --token vm-a', 'give an id, or --spid.'],
    ['acquire 7 --spid 101 --token vm-a', 'give an id, or --spid.'],
    ['acquire 7 --token vm-a --set-handle x', 'give --set-handle or --token, not both.'],
    ['release 7 --token vm-a --set-handle x', 'give --set-handle or --token, not both.'],
    ['lease revoke --lease x --lease-id 12', 'give --lease or --lease-id, not both.'],
    ['watch --all --token vm-a', '--all is every set: give it alone.'],
    ['watch --all --priority CPU', '--priority goes with --hold.'],
    ['watch --all --ttl 5s', '--ttl goes with --hold.'],
    ['watch --all --space-id s-1', '--space-id goes with --after-revision.'],
    ['watch --all --snapshot --space-id s-1', '--space-id goes with --after-revision.'],
    [
      'watch --all --snapshot --after-revision 3',
      "option '--snapshot' cannot be used with option '--after-revision <n>'",
    ],
    [
      'watch --all --hold --types BIND,UNBIND',
      '--types lacks some of BIND, UNBIND, FREE, which --hold has to be told of.',
    ],
    ['watch --all -o name', '-o name: events have no names; table, json, jsonl and yaml are allowed.'],
    ['watch --hold', '1025 of --token and --set-handle; at most 1024 are allowed.', tokens],
    ['top -o name', '-o name, -q: a page has no names; table, wide, json, jsonl and yaml are allowed.'],
    ['top -q', '-o name, -q: a page has no names; table, wide, json, jsonl and yaml are allowed.'],
    ['frobnicate', "unknown command 'frobnicate'"],
    ['set frobnicate', "unknown command 'frobnicate'"],
    ['data frobnicate', "unknown command 'frobnicate'"],
    ['help set frobnicate', "unknown command 'frobnicate'"],
    ['help alloc frobnicate', "unknown command 'frobnicate'"],
  ])('ioasidctl %s', async (line, sentence, more = []) => {
    await isRefused([...line.split(' '), ...more], `error: ${sentence}`)
  })
})
