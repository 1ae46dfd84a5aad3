import type { Command } from 'commander'
import { MAX_DATA_BYTES } from '../limits.ts'
import { hexBytes, id, notEmpty } from './arguments.ts'
import { readGiven } from './files.ts'
import { printOne, type View } from './output.ts'
import { handleOf, type Io, type SetOptions, takesHandle, usage, withClient } from './run.ts'

interface Detached {
  readonly ioasid: number
  readonly revision: bigint
}

interface Attached extends Detached {
  readonly privateData: Uint8Array
}

const nameOf = ({ ioasid }: Detached): string => String(ioasid)

const attachedView: View<Attached> = {
  columns: [
    { head: 'IOASID', cell: (attached) => attached.ioasid },
    { head: 'DATA_BYTES', cell: (attached) => attached.privateData.length },
    { head: 'REVISION', cell: (attached) => attached.revision },
  ],
  name: nameOf,
}

const detachedView: View<Detached> = {
  columns: [
    { head: 'IOASID', cell: (detached) => detached.ioasid },
    { head: 'REVISION', cell: (detached) => detached.revision },
  ],
  name: nameOf,
}

export function addDataCommands(program: Command, io: Io): void {
  const data = program
    .command('data')
    .description('Gives private data to ids and takes it away; `get --set-handle HANDLE -o json` shows it.')
  addAttach(data, io)
  addDetach(data, io)
}

interface DataOptions extends SetOptions {
  readonly hex?: Uint8Array
  readonly file?: string
}

function addAttach(data: Command, io: Io): void {
  takesHandle(data.command('attach'))
    .description(`Gives an id of a set private data, 1 to ${MAX_DATA_BYTES} bytes.`)
    .argument('<ioasid>', 'the id', id)
    .option('--hex <bytes>', 'the data in hexadecimal', hexBytes)
    .option('--file <path>', 'the data as a file has it, instead of --hex', notEmpty)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl data attach 7 --hex 01ff\n  ioasidctl data attach 7 --file queue.bin\n' +
        '  ioasidctl get 7 --set-handle $HANDLE -o json',
    )
    .action((ioasid: number, options: DataOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const setHandle = handleOf(io, command, options)
        const privateData = await dataOf(io, command, options)
        const { revision } = await client.attachData({ setHandle, ioasid, privateData }, call)
        printOne(output, attachedView, { ioasid, privateData, revision })
      }),
    )
}

function addDetach(data: Command, io: Io): void {
  takesHandle(data.command('detach'))
    .description('Takes the private data of an id away.')
    .argument('<ioasid>', 'the id', id)
    .addHelpText('after', '\nExamples:\n  ioasidctl data detach 7')
    .action((ioasid: number, options: SetOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const { revision } = await client.detachData({ setHandle: handleOf(io, command, options), ioasid }, call)
        printOne(output, detachedView, { ioasid, revision })
      }),
    )
}

async function dataOf(io: Io, command: Command, { hex, file }: DataOptions): Promise<Uint8Array> {
  if (hex !== undefined && file === undefined) return hex
  if (file === undefined || hex !== undefined) usage(command, 'which data? Give --hex or --file.')
  const bytes = await readGiven(io.readFile, '--file', file, (sentence) => usage(command, sentence))
  if (bytes.length > 0 && bytes.length <= MAX_DATA_BYTES) return bytes
  return usage(command, `--file: '${file}' has ${bytes.length} bytes; 1 to ${MAX_DATA_BYTES} are allowed.`)
}
