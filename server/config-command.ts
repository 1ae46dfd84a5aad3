import type { CommandEnd } from './command.ts'
import { readCommandLine, type Usage } from './command-line.ts'
import { type Loaded, loadConfig } from './config.ts'
import { type Host, quoted } from './config-flags.ts'
import { printConfig, printDefaults } from './config-print.ts'
import { FLAGS } from './flags.ts'
import { openPolicy } from './policy.ts'
import { VERSION } from './version.ts'

/** `ioasidd config check|print|default`. */
export async function runConfigCommand(argv: readonly string[], host: Host): Promise<CommandEnd> {
  const [name = '', ...rest] = argv
  switch (name) {
    case 'check':
      return check(loadConfig(rest, host, CHECK))
    case 'print':
      return ended(loadConfig(rest, host, PRINT), printed)
    case 'default':
      return defaults(rest)
    case '-h':
    case '--help':
      return ok(HELP)
    default:
      return refused([
        `config ${name === '' ? 'takes' : `does not take ${quoted(name)}: it takes`} check, print or default.`,
      ])
  }
}

const SAME_FLAGS = 'It takes all flags of the daemon, which ioasidd --help lists.'

const CHECK: Usage = {
  name: 'ioasidd config check',
  version: VERSION,
  description: `Reads flags, variables, file and policy as the daemon would, and says what is wrong. ${SAME_FLAGS}`,
  isBrief: true,
  after: 'Example: ioasidd config check --config /etc/ioasidd.yaml\nIt ends with 2 where the daemon would not start.',
}

const PRINT: Usage = {
  name: 'ioasidd config print',
  version: VERSION,
  description: `Prints what flags, variables, file and defaults come to, as a file for --config. ${SAME_FLAGS}`,
  switches: { 'show-origin': 'say of each value where it is from' },
  isBrief: true,
  after: 'Example: ioasidd config print --config /etc/ioasidd.yaml --show-origin',
}

const DEFAULT: Usage = {
  name: 'ioasidd config default',
  version: VERSION,
  description: 'Prints all defaults, each with what it is for, as a file for --config.',
  after: 'Example: ioasidd config default > ioasidd.yaml',
}

const HELP = `Usage: ioasidd config COMMAND [flags]

What a configuration comes to.

Commands, each with its own --help:
  check    says what is wrong with flags, variables and file
  print    prints what they come to; with --show-origin, where each value is from
  default  prints all defaults, as a file for --config
`

type Config = Extract<Loaded, { kind: 'config' }>

function ended(loaded: Loaded, outputOf: (loaded: Config) => string): CommandEnd {
  if (loaded.kind === 'usage') return refused(loaded.problems)
  return ok(loaded.kind === 'text' ? loaded.text : outputOf(loaded))
}

/** The policy too, of which a daemon says nothing before it opens its data. */
function check(loaded: Loaded): CommandEnd {
  if (loaded.kind !== 'config') return ended(loaded, checked)
  const { policyFile, own } = loaded.config
  const policy = openPolicy(policyFile, own)
  return 'problem' in policy ? refused([policy.problem]) : ok(checked(loaded))
}

function checked({ file, warnings }: Config): string {
  return [`ok: ${file === '' ? 'no file' : file}`, ...warnings.map((warning) => `warning: ${warning}`), ''].join('\n')
}

function printed({ settings, switches, warnings }: Config): string {
  const notes = warnings.map((warning) => `# warning: ${warning.replace(/\p{Cc}/gu, ' ')}\n`)
  return `${notes.join('')}${printConfig(FLAGS, settings, switches.has('show-origin'))}`
}

function defaults(argv: readonly string[]): CommandEnd {
  const line = readCommandLine({}, DEFAULT, argv)
  if (line.kind === 'usage') return refused(line.problems)
  return ok(line.kind === 'text' ? line.text : printDefaults(FLAGS, { name: 'ioasidd', version: VERSION }))
}

function ok(output: string): CommandEnd {
  return { exitCode: 0, output }
}

function refused(problems: readonly string[]): CommandEnd {
  return { exitCode: 2, output: problems.map((problem) => `ioasidd: ${problem}\n`).join('') }
}
