import { createReadStream } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { createFile } from '../../../client/cli/files.ts'
import { main } from '../../../client/cli/program.ts'
import { connect } from '../../../client/index.ts'
import { serve } from '../../support/rpc.ts'

it('ioasidctl tells who keeps a freed id from being free, until nobody does', async () => {
  const served = await serve()
  onTestFinished(served.stop)
  const handles: Record<string, string> = {}
  const story: string[] = []
  const ctl = async (...argv: string[]) => {
    let printed = ''
    const print = (text: string) => {
      printed += text
    }
    const env = { IOASIDCTL_ENDPOINT: served.address, ...handles }
    const interrupted = new AbortController().signal
    const code = await main(argv, {
      out: print,
      written: async () => {},
      err: print,
      env,
      connect: async (options) => connect(options),
      readFile: async () => new Uint8Array(),
      readPieces: (path) => createReadStream(path),
      createFile,
      interrupted,
      nowMs: () => 0,
      monotonicMs: () => 0,
      terminal: undefined,
      progress: undefined,
    })
    // The daemon's sentences and its time are its own affair, and handles are chance.
    const told = printed.replace(/^(error: \w+):.*/gm, '$1').replace(/, 0s ago \(.*?\)/g, '')
    const line = `$ ioasidctl ${argv.join(' ')}\n${told}[${code}]`
    story.push(Object.entries(handles).reduce((text, [name, value]) => text.replaceAll(value, name), line))
    return printed.trim()
  }
  handles['IOASIDCTL_SET_HANDLE'] = await ctl('set', 'create', 'vm-a', '-q')
  handles['IOASIDCTL_LEASE_HANDLE'] = await ctl('lease', 'grant', 'kvm', '--ttl', '1m', '-q')
  story.length = 0
  await ctl('alloc', '--spids', '101', '--data', '01FF')
  await ctl('acquire', '--spid', '101', '--token', 'vm-a')
  await ctl('free', '1')
  await ctl('get', '1')
  await ctl('acquire', '1')
  await ctl('data', 'detach', '1')
  await ctl('data', 'attach', '1', '--hex', '02')
  await ctl('lease', 'list', '--no-headers')
  await ctl('release', '1')
  await ctl('release', '1')
  await ctl('lease', 'revoke', '-q')
  await ctl('lease', 'get')
  expect(`\n${story.join('\n')}\n`).toBe(`
$ ioasidctl alloc --spids 101 --data 01FF
1
[0]
$ ioasidctl acquire --spid 101 --token vm-a
IOASID  REFERENCES  REVISION
     1           1         4
[0]
$ ioasidctl free 1
IOASID  STATE         REFERENCES
     1  FREE_PENDING           1
[0]
$ ioasidctl get 1
IOASID  SPID  STATE         REFERENCES  GENERATION  SET  TOKEN
     1   101  FREE_PENDING           1           3    1  vm-a
not free yet: 1 reference left
  lease 1 (kvm): 1 reference, has yet to release it
    since revision 4
[0]
$ ioasidctl acquire 1
error: FREE_PENDING
  ioasid=1
[1]
$ ioasidctl data detach 1
IOASID  REVISION
     1         6
[0]
$ ioasidctl data attach 1 --hex 02
error: FREE_PENDING
  ioasid=1
[1]
$ ioasidctl lease list --no-headers
1  ALIVE  60000  RELEASE  1  0  -  kvm
[0]
$ ioasidctl release 1
IOASID  REFERENCES  RECLAIMED  REVISION
     1           0  yes               7
[0]
$ ioasidctl release 1
error: IOASID_NOT_FOUND
  ioasid=1
[3]
$ ioasidctl lease revoke -q
8
[0]
$ ioasidctl lease get
error: LEASE_NOT_FOUND
[3]
`)
})
