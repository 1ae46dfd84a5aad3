import type { Command } from 'commander'
import type { FreedAll, FreeResult, IoasidInfo } from '../index.ts'
import { MAX_IDS } from '../limits.ts'
import { eachId, hexBytes, id, spid, spidList, uint64, wholeNumber } from './arguments.ts'
import { explainHolders } from './holders.ts'
import { dataText, isData, printAll, printOne, type View } from './output.ts'
import {
  handleOf,
  type Io,
  type Session,
  type SetOptions,
  setRefOf,
  takesHandle,
  takesSet,
  usage,
  withClient,
} from './run.ts'

const infoView: View<IoasidInfo> = {
  columns: [
    { head: 'IOASID', cell: (info) => info.ioasid },
    { head: 'SPID', cell: (info) => info.spid, isNumber: true },
    { head: 'STATE', cell: (info) => info.state },
    { head: 'REFERENCES', cell: (info) => info.references },
    { head: 'GENERATION', cell: (info) => info.generation },
    { head: 'SET', cell: (info) => info.setId },
    { head: 'BIND_REVISION', cell: (info) => info.bindRevision, isNumber: true, isWide: true },
    { head: 'DATA_BYTES', cell: (info) => info.privateData?.length, isNumber: true, isWide: true },
    { head: 'DEVICES', cell: (info) => info.devices.map((device) => device || '-').join(','), isWide: true },
    { head: 'TOKEN', cell: (info) => info.token },
  ],
  name: (info) => String(info.ioasid),
}

const freedView: View<FreeResult> = {
  columns: [
    { head: 'IOASID', cell: (result) => result.ioasid },
    { head: 'STATE', cell: (result) => result.state },
    { head: 'REFERENCES', cell: (result) => result.references },
  ],
  name: (result) => String(result.ioasid),
}

const freedAllView: View<FreedAll> = {
  columns: [
    { head: 'RECLAIMED', cell: (freed) => freed.reclaimed },
    { head: 'PENDING', cell: (freed) => freed.pending },
    { head: 'REVISION', cell: (freed) => freed.revision },
  ],
  name: (freed) => String(freed.reclaimed),
}

export function addIoasidCommands(program: Command, io: Io): void {
  addAlloc(program, io)
  addFree(program, io)
  addGet(program, io)
  addList(program, io)
}

interface AllocOptions extends SetOptions {
  readonly count?: number
  readonly min?: number
  readonly max?: number
  readonly spids?: readonly number[]
  readonly data?: Uint8Array
}

function addAlloc(program: Command, io: Io): void {
  takesHandle(program.command('alloc'))
    .description('Allocates ids for a set, all or none, and prints them, one per line.')
    .option('--count <n>', 'how many (default: as many as --spids, or 1)', wholeNumber(1, MAX_IDS))
    .option('--min <ioasid>', 'the lowest wanted', id)
    .option('--max <ioasid>', 'the highest wanted', id)
    .option('--spids <list>', 'SPIDs to attach to them, in this order', spidList)
    .option('--data <hex>', 'private data, in hexadecimal, that each of them gets', hexBytes)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl alloc --count 4\n  ioasidctl alloc --spids 101,102\n  ioasidctl alloc --data 01ff',
    )
    .action((options: AllocOptions, command: Command) =>
      withClient(io, command, async ({ client, output, call }) => {
        const setHandle = handleOf(io, command, options)
        const { count, min, max, spids, data } = options
        if (min !== undefined && max !== undefined && min > max) usage(command, `--min ${min} is above --max ${max}.`)
        if (count !== undefined && spids !== undefined && count !== spids.length)
          usage(command, `--count ${count} is not how many --spids there are, ${spids.length}: leave it out.`)
        const allocated = await client.allocate({ setHandle, count, min, max, spids, privateData: data }, call)
        if (isData(output.format)) output.write(dataText(output.format, allocated))
        else output.write(allocated.ioasids.map((ioasid) => `${ioasid}\n`).join(''))
      }),
    )
}

interface FreeOptions extends SetOptions {
  readonly all?: true
  readonly generation?: bigint
}

function addFree(program: Command, io: Io): void {
  takesHandle(program.command('free'))
    .description('Frees ids of a set, all or none. FREE_PENDING in the answer: holders still clean up.')
    .argument('[ioasids...]', 'the ids', eachId)
    .option('--all', 'every id of the set, instead of those named')
    .option('--generation <revision>', 'only if it is that of every id named', uint64)
    .addHelpText('after', '\nExamples:\n  ioasidctl free 7 8\n  ioasidctl free --all')
    .action((ioasids: readonly number[] | undefined, options: FreeOptions, command: Command) =>
      withClient(io, command, async (session) => {
        const setHandle = handleOf(io, command, options)
        const { all, generation } = options
        if ((all === true) === (ioasids?.length ?? 0) > 0) usage(command, 'which ids? Name some, or give --all.')
        checkIds(command, ioasids ?? [])
        if (all && generation !== undefined) usage(command, '--generation is for ids that are named, not for --all.')
        await (ioasids === undefined || all
          ? freeAll(session, setHandle)
          : free(session, { setHandle, ioasids, generation }))
      }),
    )
}

function checkIds(command: Command, ioasids: readonly number[]): void {
  if (ioasids.length > MAX_IDS) usage(command, `${ioasids.length} ids are named; at most ${MAX_IDS} are allowed.`)
  const seen = new Set<number>()
  for (const ioasid of ioasids) {
    if (seen.has(ioasid)) usage(command, `id ${ioasid} is named twice; different ids are allowed.`)
    seen.add(ioasid)
  }
}

async function freeAll({ client, output, call }: Session, setHandle: string): Promise<void> {
  printOne(output, freedAllView, await client.freeAll({ setHandle }, call))
}

async function free(
  { client, output, call }: Session,
  request: { setHandle: string; ioasids: readonly number[]; generation: bigint | undefined },
): Promise<void> {
  const { results } = await client.free(request, call)
  await printAll(output, freedView, each(results))
}

async function* each<Row>(rows: readonly Row[]): AsyncGenerator<Row> {
  yield* rows
}

function addGet(program: Command, io: Io): void {
  takesSet(program.command('get'))
    .description('Shows an id, found by its number or by its SPID in a set, and who keeps a freed one from being free.')
    .argument('[ioasid]', 'the id', id)
    .option('--spid <spid>', 'the SPID, of a set that is named', spid)
    .addHelpText(
      'after',
      '\nExamples:\n  ioasidctl get 7\n  ioasidctl get 7 --set-handle $HANDLE\n  ioasidctl get --token vm-a --spid 101 -o json',
    )
    .action((ioasid: number | undefined, options: SetOptions & { spid?: number }, command: Command) =>
      withClient(io, command, async (session) => {
        if ((ioasid === undefined) === (options.spid === undefined)) usage(command, 'give an id, or --spid.')
        if (ioasid !== undefined && options.token !== undefined) usage(command, '--token goes with --spid.')
        const { output } = session
        const info = await find(session, io, command, ioasid, options)
        printOne(output, infoView, info)
        if (output.format === 'table' || output.format === 'wide') output.write(explainHolders(info, io.nowMs()))
      }),
    )
}

async function find(
  { client, call }: Session,
  io: Io,
  command: Command,
  ioasid: number | undefined,
  options: SetOptions & { spid?: number },
): Promise<IoasidInfo> {
  // An id is known without its set: the environment's handle, perhaps of another set, would only be in the way.
  if (ioasid !== undefined) return client.getIoasid({ ioasid, setHandle: options.setHandle }, call)
  const { info } = await client.findBySpid({ ...setRefOf(io, command, options), spid: options.spid ?? 0 }, call)
  return info
}

function addList(program: Command, io: Io): void {
  takesSet(program.command('list'))
    .description('Lists the ids of a set, pending ones too.')
    .addHelpText('after', '\nExamples:\n  ioasidctl list --token vm-a\n  ioasidctl list --token vm-a -o jsonl')
    .action((options: SetOptions, command: Command) =>
      withClient(io, command, ({ client, output, call }) =>
        printAll(output, infoView, client.listIoasids(setRefOf(io, command, options), call)),
      ),
    )
}
