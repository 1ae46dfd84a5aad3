/**
 * The guest life cycle as a story on the terminal: npm run example
 *
 * Two VMs, each with a VMM and a KVM-like consumer, are processes of their own that know each other only through the
 * daemon. Both guests use PASID 101. In the middle the daemon is killed with -9 and started again; nobody else is.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect } from '../index.ts'

const DAEMON = fileURLToPath(new URL('../../server/main.js', import.meta.url))
const VMS = ['vm-a', 'vm-b']
const directory = mkdtempSync(join(tmpdir(), 'ioasidd-example-'))
const endpoint = `unix://${join(directory, 'ioasidd.sock')}`

interface Actor {
  readonly process: ChildProcessWithoutNullStreams
  /** What it has said, and what it says next. */
  readonly said: string[]
  /** Resolves with the first line, from now on or not yet waited for, that contains the text. */
  hears(text: string): Promise<string>
  goOn(): void
}

function start(name: string, file: string, ...args: readonly string[]): Actor {
  const child = spawn(process.execPath, [file, ...args])
  const said: string[] = []
  const complaints: string[] = []
  let hasEnded = false
  let heard = 0
  let notice: () => void = () => undefined
  const tell = (line: string) => {
    console.log(`${name.padEnd(9)} │ ${line}`)
    said.push(line)
    notice()
  }
  createInterface({ input: child.stdout }).on('line', tell)
  createInterface({ input: child.stderr }).on('line', (line) => {
    // The daemon's log is not part of the story, unless the story ends with it.
    if (name === 'ioasidd') complaints.push(line)
    else tell(line)
  })
  child.once('close', () => {
    hasEnded = true
    notice()
  })
  return {
    process: child,
    said,
    hears: async (text) => {
      for (;;) {
        const line = said[heard]
        if (line === undefined) {
          if (hasEnded) throw new Error([`${name} has ended without '${text}'.`, ...complaints].join('\n'))
          await new Promise<void>((resolve) => {
            notice = resolve
          })
          continue
        }
        heard += 1
        if (line.includes(text)) return line
      }
    },
    goOn: () => child.stdin.write('\n'),
  }
}

const story = (line: string) => console.log(`\n— ${line}`)
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const startDaemon = () => start('ioasidd', DAEMON, '--listen', endpoint, '--data-dir', join(directory, 'data'))

async function tell(): Promise<void> {
  story('The daemon starts, and the consumers subscribe to VMs that do not exist yet.')
  let daemon = startDaemon()
  actors.push(daemon)
  await daemon.hears('ready')
  const consumers = VMS.map((vm) => start(`kvm ${vm}`, here('kvm.js'), endpoint, vm))
  actors.push(...consumers)
  const all = (text: string) => Promise.all(consumers.map((consumer) => consumer.hears(text)))
  await all('ready')

  story('Each VMM makes its set. Both guests use PASID 101; each consumer sees its own host PASID.')
  const vmms = VMS.map((vm) => start(`vmm ${vm}`, here('vmm.js'), endpoint, vm))
  actors.push(...vmms)
  const goOn = async (text: string) => {
    for (const vmm of vmms) vmm.goOn()
    await all(text)
  }
  await goOn('BIND 101')
  await Promise.all(vmms.map((vmm) => vmm.hears('bound guest PASID 101')))

  story('kill -9 of the daemon. The VMMs go on asking, the consumers go on listening.')
  daemon.process.kill('SIGKILL')
  await all('away')
  for (const vmm of vmms) vmm.goOn()
  daemon = startDaemon()
  actors.push(daemon)
  await all('BIND 103')

  story('Both go on as if nothing had happened.')
  await goOn('UNBIND 102')
  await compareTables(consumers)

  story('The guests stop.')
  await goOn('table: empty')
  await Promise.all(vmms.map((vmm) => vmm.hears('the guest has stopped')))
}

/** What each consumer has heard from the stream, against what the daemon answers when it is asked. */
async function compareTables(consumers: readonly Actor[]): Promise<void> {
  const client = connect({ endpoint })
  for (const [index, token] of VMS.entries()) {
    const rows: string[] = []
    for await (const { spid, ioasid } of client.listIoasids({ token })) {
      if (spid !== undefined) rows.push(`${spid}→${ioasid}`)
    }
    const truth = `table: ${rows.sort().join(' ')}`
    const told = consumers[index]?.said.at(-1) ?? ''
    if (!told.endsWith(truth)) throw new Error(`${token}: the consumer says "${told}", the daemon "${truth}"`)
    console.log(`${'example'.padEnd(9)} │ ${token} is right: ${truth}`)
  }
  await client.close()
}

const actors: Actor[] = []
try {
  await tell()
  console.log('\nDone.')
} finally {
  for (const { process: child } of actors) child.kill('SIGKILL')
  rmSync(directory, { recursive: true, force: true })
}
