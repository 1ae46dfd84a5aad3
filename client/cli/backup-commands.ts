import type { Command } from 'commander'
import { notEmpty } from './arguments.ts'
import { type BackupFacts, inspectBackup } from './backup-file.ts'
import { damaged } from './failure.ts'
import { sentenceOf } from './files.ts'
import { type Output, printFacts } from './output.ts'
import { startProgress } from './progress.ts'
import { type Globals, type Io, outputOf, usage, withClient } from './run.ts'

export function addBackupCommands(program: Command, io: Io): void {
  const backup = program
    .command('backup')
    .description('Saves the whole space at one revision to a file, for `ioasidd restore`, and looks into such a file.')
  addSave(backup, io)
  addInspect(backup, io)
}

function addSave(backup: Command, io: Io): void {
  backup
    .command('save')
    .description(
      'Saves the space as it is now, while it is served. The file (mode 0600) is as secret as the data directory: ' +
        'every handle can be made of it. It is there only when all of it is on disk.',
    )
    .argument('<file>', 'where to', notEmpty)
    .option('--force', 'take the place of a file that is there')
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl backup save /backup/ioasidd.backup\n' +
        '  ioasidctl backup save ioasidd.backup --force -o json',
    )
    .action((path: string, { force = false }: { readonly force?: boolean }, command: Command) =>
      withClient(io, command, async ({ client, output, call, globals }) => {
        const file = await io.createFile(path, force).catch((error: unknown) => {
          return usage(command, `'${path}' cannot be written: ${sentenceOf(error)}.`)
        })
        try {
          const pieces = client.backup({ ...call, deadlineMs: globals.deadline })
          // What is on its way to the disk is looked through as a restore would.
          const facts = await inspectBackup(written(pieces, file.write), (sentence) => damaged(`${path}: ${sentence}.`))
          await file.commit()
          print(output, path, facts)
        } finally {
          await file.discard()
        }
      }),
    )
}

function addInspect(backup: Command, io: Io): void {
  backup
    .command('inspect')
    .description('Reads a backup, checks that it is whole, and says what it is of; needs no daemon.')
    .argument('<file>', 'the backup', notEmpty)
    .addHelpText('after', '\nExamples:\n  ioasidctl backup inspect ioasidd.backup')
    .action(async (path: string, _options: object, command: Command) => {
      const endProgress = startProgress(io, command.name())
      try {
        const pieces = readable(io.readPieces(path), (error) => {
          return usage(command, `'${path}' cannot be read: ${sentenceOf(error)}.`)
        })
        const facts = await inspectBackup(pieces, (sentence) => damaged(`${path}: ${sentence}.`))
        endProgress()
        print(outputOf(io, command.optsWithGlobals<Globals>()), path, facts)
      } finally {
        endProgress()
      }
    })
}

function print(output: Output, path: string, facts: BackupFacts): void {
  printFacts(output, path, { file: path, ...facts })
}

/** Each piece is written before anybody looks at it. */
async function* written(
  pieces: AsyncIterable<Uint8Array>,
  write: (bytes: Uint8Array) => Promise<void>,
): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    await write(piece)
    yield piece
  }
}

async function* readable(
  pieces: AsyncIterable<Uint8Array>,
  refuse: (error: unknown) => never,
): AsyncGenerator<Uint8Array> {
  try {
    yield* pieces
  } catch (error) {
    refuse(error)
  }
}
