import { createReadStream } from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFile } from '../../../client/cli/files.ts'
import { main } from '../../../client/cli/program.ts'
import { connect } from '../../../client/index.ts'
import { serve } from '../../support/rpc.ts'

describe('ioasidctl', () => {
  it('tells a whole story', async () => {
    const served = await serve()
    onTestFinished(served.stop)
    let handle = ''
    const story: string[] = []
    const ctl = async (...argv: string[]) => {
      let printed = ''
      const print = (text: string) => {
        printed += text
      }
      const env = { IOASIDCTL_ENDPOINT: served.address, IOASIDCTL_SET_HANDLE: handle }
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
        nowMs: Date.now,
        monotonicMs: () => performance.now(),
        terminal: undefined,
        progress: undefined,
      })
      // The daemon's sentences are its own affair, and its space id is chance.
      const told = printed.replace(/ --space-id .*/, '').replace(/^(error: \w+):.*/gm, '$1')
      story.push(`$ ioasidctl ${argv.join(' ')}\n${told}[${code}]`)
      return printed
    }
    handle = (await ctl('set', 'create', 'vm-a', '--quota', '2', '-q')).trim()
    story[0] = story[0]?.replace(handle, 'HANDLE') ?? ''
    await ctl('alloc', '--spids', '101,102')
    await ctl('alloc')
    await ctl('detach', '1')
    await ctl('list')
    await ctl('get', '--token', 'vm-a', '--spid', '101')
    await ctl('free', '1')
    await ctl('set', 'delete')
    await ctl('set', 'delete', '--force')
    await ctl('watch', '--token', 'vm-a', '--after-revision', '0', '--count', '12')
    await ctl('set', 'list')
    expect(`\n${story.join('\n')}\n`).toBe(`
$ ioasidctl set create vm-a --quota 2 -q
HANDLE
[0]
$ ioasidctl alloc --spids 101,102
1
2
[0]
$ ioasidctl alloc
error: QUOTA_EXCEEDED
  set_id=1 limit=2 used=2 requested=1
[6]
$ ioasidctl detach 1
IOASID  REVISION  DEVICE
     1         3  -
[0]
$ ioasidctl list
IOASID  SPID  STATE   REFERENCES  GENERATION  SET  TOKEN
     1     -  IDLE             0           2    1  vm-a
     2   102  ACTIVE           0           2    1  vm-a
[0]
$ ioasidctl get --token vm-a --spid 101
error: SPID_NOT_FOUND
  set_id=1 spid=101
[3]
$ ioasidctl free 1
IOASID  STATE  REFERENCES
     1  FREE            0
[0]
$ ioasidctl set delete
error: SET_NOT_EMPTY
  set_id=1 allocated=1
[1]
$ ioasidctl set delete --force
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE  TOKEN
 1      2          0        0      0  GONE   vm-a
[0]
$ ioasidctl watch --token vm-a --after-revision 0 --count 12
watching after revision 0
1  SET_ALLOC   vm-a  quota 2
2  ALLOC       vm-a  ioasid 1
2  ALLOC       vm-a  ioasid 2
2  BIND        vm-a  ioasid 1  spid 101
2  BIND        vm-a  ioasid 2  spid 102
3  UNBIND      vm-a  ioasid 1  spid 101
4  FREE        vm-a  ioasid 1
4  RECLAIM     vm-a  ioasid 1
5  UNBIND      vm-a  ioasid 2  spid 102
5  FREE        vm-a  ioasid 2
5  RECLAIM     vm-a  ioasid 2
5  SET_FREE    vm-a
resume with --after-revision 5
[0]
$ ioasidctl set list
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE  TOKEN
[0]
`)
  })
})
