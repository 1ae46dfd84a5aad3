/** An instruction of a Dockerfile, lines that go on joined. */
export interface Instruction {
  readonly name: string
  readonly rest: string
}

/** The instructions of each stage, from its FROM on. What comes before the first is left out. */
export function stages(dockerfile: string): readonly (readonly Instruction[])[] {
  const found: Instruction[][] = []
  for (const line of dockerfile.replaceAll(/\\\n\s*/g, '').split('\n')) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? []
    if (name === 'FROM') found.push([])
    if (name !== '') found.at(-1)?.push({ name, rest })
  }
  return found
}

export interface Copy {
  /** The stage; undefined: the context. */
  readonly from: string | undefined
  /** `UID:GID`. */
  readonly owner: string | undefined
  readonly sources: readonly string[]
  readonly target: string
}

export function copies(stage: readonly Instruction[]): readonly Copy[] {
  return argumentsOf(stage, 'COPY').map((rest) => {
    const words = rest.split(/\s+/)
    const option = (name: string) => words.find((word) => word.startsWith(`--${name}=`))?.slice(`--${name}=`.length)
    const paths = words.filter((word) => !word.startsWith('--'))
    return { from: option('from'), owner: option('chown'), sources: paths.slice(0, -1), target: paths.at(-1) ?? '' }
  })
}

/** What an instruction says, each time that it is there. */
export function argumentsOf(stage: readonly Instruction[], name: string): readonly string[] {
  return stage.flatMap((instruction) => (instruction.name === name ? instruction.rest : []))
}

/** `["a", "b"]`: a command without a shell. */
export function commandOf(text: string): readonly string[] {
  const command: unknown = JSON.parse(text.slice(text.indexOf('[')))
  if (!Array.isArray(command)) throw new Error(`it is no command without a shell: ${text}`)
  return command.map(String)
}

export function environmentOf(stage: readonly Instruction[]): Readonly<Record<string, string>> {
  const pairs = argumentsOf(stage, 'ENV').flatMap((rest) => rest.split(/\s+/))
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s).slice(0, 2)))
}
