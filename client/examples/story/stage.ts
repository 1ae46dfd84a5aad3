/**
 * Where a story is told: a directory and a daemon of its own, and actors, which are programs of their own. What they say
 * on standard output is shown as it comes, each line behind the name of its actor; what they are told on standard input
 * is shown too, and stands for the world around them.
 */
import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** Whoever waits longer for a line waits for nothing. */
const PATIENCE_MS = 30_000

const DAEMON = fileURLToPath(new URL('../../../server/main.js', import.meta.url))

export interface Voice {
  /** All its lines so far. */
  readonly said: readonly string[]
  readonly say: (line: string) => void
  /**
   * Resolves when its lines have contained each of the texts, in whatever order, with the last of these lines. It goes on
   * behind the line that it resolved with before.
   */
  readonly says: (...texts: readonly string[]) => Promise<string>
}

export interface Actor extends Omit<Voice, 'say'> {
  /** Writes a line to its standard input. */
  readonly tell: (line: string) => void
  /** Ends its standard input; resolves when it has ended too. */
  readonly leave: () => Promise<void>
  /** kill -9; resolves when it has ended. */
  readonly kill: () => Promise<void>
}

export interface Stage {
  /** Of the daemon. */
  readonly endpoint: string
  /** A file in the story's own directory, which is removed after it. */
  readonly path: (name: string) => string
  /** Begins a scene of several steps. */
  readonly scene: (title: string) => void
  readonly step: (line: string) => void
  /** The storyteller's own voice, under a name. */
  readonly voice: (name: string) => Voice
  /** Starts a program of client/examples. */
  readonly start: (name: string, program: string, ...args: readonly string[]) => Actor
  /** Starts the daemon, on the data of the one before; resolves when it serves. */
  readonly startDaemon: (...flags: readonly string[]) => Promise<Actor>
}

/** Tells a story, with names in a column of nameWidth, and ends whatever it has started. */
export async function onStage(nameWidth: number, tellStory: (stage: Stage) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-example-'))
  const path = (name: string) => join(directory, name)
  const endpoint = `unix://${path('ioasidd.sock')}`
  const actors: Actor[] = []
  const cast = (name: string, file: string, args: readonly string[], isLogged: boolean) => {
    const actor = startActor(name, nameWidth, [file, ...args], isLogged)
    actors.push(actor)
    return actor
  }
  // However this process ends, but for kill -9, it leaves nothing behind.
  process.once('exit', () => {
    for (const actor of actors) void actor.kill()
    rmSync(directory, { recursive: true, force: true, maxRetries: 3 })
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(1))
  try {
    await tellStory({
      endpoint,
      path,
      scene: (title) => console.log(`\n═══ ${title}`),
      step: (line) => console.log(`\n— ${line}`),
      voice: (name) => makeVoice(name, nameWidth),
      start: (name, program, ...args) =>
        cast(name, fileURLToPath(new URL(`../${program}`, import.meta.url)), args, false),
      startDaemon: async (...flags) => {
        const args = ['--listen', endpoint, '--data-dir', path('data'), ...flags]
        const daemon = cast('ioasidd', DAEMON, args, true)
        await daemon.says('ready')
        return daemon
      },
    })
    console.log('\nDone.')
  } finally {
    await Promise.all(actors.map((actor) => actor.kill()))
  }
}

interface FullVoice extends Voice {
  /** It says nothing more; `why` is for who still waits. */
  readonly end: (why: readonly string[]) => void
}

function makeVoice(name: string, nameWidth: number): FullVoice {
  const said: string[] = []
  const changes = new EventEmitter()
  let heard = 0
  let complaints: readonly string[] | undefined
  return {
    said,
    say: (line) => {
      console.log(`${name.padEnd(nameWidth)} │ ${line}`)
      said.push(line)
      changes.emit('change')
    },
    says: async (...texts) => {
      const patience = AbortSignal.timeout(PATIENCE_MS)
      for (let missing = texts; ; ) {
        const line = said[heard]
        if (line !== undefined) {
          heard += 1
          missing = missing.filter((text) => !line.includes(text))
          if (missing.length === 0) return line
          continue
        }
        const wanted = `'${missing.join("', '")}'`
        if (complaints !== undefined)
          throw new Error([`${name} has ended without ${wanted}.`, ...complaints].join('\n'))
        if (patience.aborted) throw new Error(`${name} has not said ${wanted} in ${PATIENCE_MS / 1000} s.`)
        await once(changes, 'change', { signal: patience }).catch(() => undefined)
      }
    },
    end: (why) => {
      complaints = why
      changes.emit('change')
    },
  }
}

/** isLogged: its standard error is a log, which is no part of the story unless the story ends with it. */
function startActor(name: string, nameWidth: number, argv: readonly string[], isLogged: boolean): Actor {
  const voice = makeVoice(name, nameWidth)
  const child = spawn(process.execPath, argv)
  const log: string[] = []
  createInterface({ input: child.stdout }).on('line', voice.say)
  createInterface({ input: child.stderr }).on('line', (line) => (isLogged ? log.push(line) : voice.say(line)))
  // Who is killed with -9 does not read what it is told.
  child.stdin.on('error', () => undefined)
  // Not `exit`: what it said last may still be in the pipe then.
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => {
      voice.end(log)
      resolve()
    })
  })
  return {
    said: voice.said,
    says: voice.says,
    tell: (line) => {
      console.log(`${name.padEnd(nameWidth)} ◂ ${line}`)
      child.stdin.write(`${line}\n`)
    },
    leave: () => {
      child.stdin.end()
      return ended
    },
    kill: () => {
      child.kill('SIGKILL')
      return ended
    },
  }
}
