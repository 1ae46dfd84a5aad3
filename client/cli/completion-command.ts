import { Argument, type Command, type Option } from 'commander'
import type { Io } from './run.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const

const EXAMPLES = `
Examples:
  ioasidctl completion bash > /etc/bash_completion.d/ioasidctl
  ioasidctl completion zsh > "\${fpath[1]}/_ioasidctl"
  ioasidctl completion fish > ~/.config/fish/completions/ioasidctl.fish
`

/** Added last but for help: it knows the commands that are there by then. */
export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command('completion')
    .description('Prints what makes a shell complete commands and options; needs no daemon.')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .addHelpText('after', EXAMPLES)
    .action((shell: (typeof SHELLS)[number]) => {
      const places = placesOf(program)
      if (shell === 'fish') io.out(fish(places))
      else io.out(shell === 'zsh' ? zsh(places) : bash(places))
    })
}

/** What may follow a command: after `set create` for example its options. */
interface Place {
  /** `''`: nothing was written yet. */
  readonly path: string
  readonly commands: readonly Described[]
  readonly options: readonly Described[]
  /** By option: what it takes, where that is one of a few words. */
  readonly choices: readonly { readonly option: string; readonly words: readonly string[] }[]
}

interface Described {
  readonly word: string
  readonly description: string
}

function placesOf(program: Command): readonly Place[] {
  const globals = program.options
  const placesFrom = (command: Command, path: string): readonly Place[] => {
    const options = [...command.options, ...(command === program ? [] : globals)].filter(({ hidden }) => !hidden)
    const words = command.registeredArguments.flatMap(({ argChoices, description }) =>
      (argChoices ?? []).map((word) => ({ word, description })),
    )
    const place: Place = {
      path,
      commands: [...command.commands.map((sub) => ({ word: sub.name(), description: sub.description() })), ...words],
      options: [...options.flatMap(namesOf), { word: '--help', description: 'display help for command' }],
      choices: options.flatMap(choicesOf),
    }
    return [place, ...command.commands.flatMap((sub) => placesFrom(sub, `${path} ${sub.name()}`.trim()))]
  }
  return placesFrom(program, '')
}

function namesOf({ short, long, description }: Option): readonly Described[] {
  return [short, long].flatMap((word) => (word === undefined ? [] : [{ word, description }]))
}

function choicesOf({ short, long, argChoices }: Option): Place['choices'] {
  if (argChoices === undefined) return []
  return [short, long].flatMap((option) => (option === undefined ? [] : [{ option, words: argChoices }]))
}

const wordsOf = (described: readonly Described[]): string => described.map(({ word }) => word).join(' ')

/**
 * Walks along the words that name a command, past options, and offers what may follow. Behind `--output=` bash takes the
 * sign for a word of its own, other shells take all of it for one. Of words with commas between it offers the next one.
 */
function bash(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, commands, options }) => `    '${path}') words='${wordsOf(commands)}'; options='${wordsOf(options)}' ;;`,
  )
  const paths = places.map(({ path }) => `'${path}'`).join('|')
  const choices = new Map(
    places.flatMap((place) => place.choices.map(({ option, words }) => [option, words.join(' ')])),
  )
  const taken = [...choices].map(
    ([option, words]) => `    ${option}) COMPREPLY=($(compgen -P "$prefix" -W '${words}' -- "$value")); return ;;`,
  )
  return `# ioasidctl completion bash
_ioasidctl() {
  local word=\${COMP_WORDS[COMP_CWORD]} option=\${COMP_WORDS[COMP_CWORD-1]} place= next words options index
  local value=$word prefix=
  if [[ $word == '=' ]]; then value=
  elif [[ $option == '=' ]]; then option=\${COMP_WORDS[COMP_CWORD-2]}
  elif [[ $word == --*=* ]]; then option=\${word%%=*} prefix=$option= value=\${word#*=}
  fi
  [[ $value == *,* ]] && prefix+=\${value%,*}, value=\${value##*,}
  case $option in
${taken.join('\n')}
  esac
  for ((index = 1; index < COMP_CWORD; index++)); do
    next="\${place:+$place }\${COMP_WORDS[index]}"
    case $next in ${paths}) place=$next ;; esac
  done
  case $place in
${cases.join('\n')}
  esac
  [[ $word == -* ]] && words=$options
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _ioasidctl ioasidctl
`
}

/** zsh runs what bash takes. */
function zsh(places: readonly Place[]): string {
  return `#compdef ioasidctl
autoload -U +X bashcompinit && bashcompinit
${bash(places)}`
}

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, options, choices }) => {
    const at = `complete -c ioasidctl -f -n "__ioasidctl_at '${path}'"`
    const offered = commands.map(({ word, description }) => `${at} -a ${word} -d ${quoted(description)}`)
    const flags = options.map(({ word, description }) => {
      const words = choices.find(({ option }) => option === word)?.words
      const name = word.startsWith('--') ? `-l ${word.slice(2)}` : `-s ${word.slice(1)}`
      return `${at} ${name} -d ${quoted(description)}${words === undefined ? '' : ` -x -a ${quoted(words.join(' '))}`}`
    })
    return [...offered, ...flags]
  })
  const known = places.map(({ path }) => `'${path}'`).join(' ')
  return `# ioasidctl completion fish
function __ioasidctl_at
  set -l place ''
  for word in (commandline -opc)[2..]
    set -l next (string trim "$place $word")
    contains -- "$next" ${known}; and set place $next
  end
  test "$place" = $argv[1]
end
${lines.join('\n')}
`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
