import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { defaultEndpoint } from '../../client/endpoint.ts'
import { FLAGS } from '../../server/flags.ts'
import { tempDir } from '../support/daemon.ts'
import { launchFlags } from '../support/launch.ts'
import { repositoryRoot } from '../support/repository.ts'
import { environment, execStart, NODE, PACKAGE, readUnit } from '../support/unit-file.ts'

const service = readUnit('ioasidd.service')
const socket = readUnit('ioasidd.socket')
const analyze = (...args: string[]) => execFileSync('systemd-analyze', args, { encoding: 'utf8', stdio: 'pipe' })

test('systemd finds no fault with the units', () => {
  const directory = tempDir()
  // Wherever Node is on this machine: systemd looks for the program.
  const units = [service, socket].map(({ path, text }) => {
    const copy = join(directory, basename(path))
    writeFileSync(copy, text.replaceAll(NODE, process.execPath))
    return copy
  })
  expect(analyze('verify', '--man=no', ...units)).toBe('')
})

test('the service is exposed little', () => {
  // Fails where it is over the threshold, a tenth of 20.
  expect(analyze('security', '--offline=true', '--threshold=20', service.path)).toContain('Overall exposure level')
})

test('the service starts the installed program with the flags of Node that it asks for', () => {
  const program = join(repositoryRoot, 'dist/server/main.js')
  expect(execStart(service, { node: NODE, package: PACKAGE })).toEqual([
    NODE,
    ...launchFlags(program),
    `${PACKAGE}/dist/server/main.js`,
  ])
})

test('what the service says by variables and directories is one, and the socket is where clients look', () => {
  const [directory = ''] = service.values('StateDirectory')
  expect(environment(service)).toEqual({ IOASIDD_LISTEN: 'fd://', IOASIDD_DATA_DIR: `/var/lib/${directory}` })
  const endpoint = defaultEndpoint({ uid: 0, env: {} })
  expect(socket.values('ListenStream').map((path) => `unix://${path}`)).toEqual([endpoint])
  expect(service.values('StateDirectoryMode')).toEqual(['0700'])
  expect(socket.values('SocketMode')).toEqual(['0660'])
})

test('the users and groups of the units are made', () => {
  const made = readUnit('ioasidd.sysusers').text
  for (const unit of [service, socket]) {
    for (const name of [...unit.values('Group'), ...unit.values('SocketGroup')]) {
      expect(made).toMatch(new RegExp(`^[ug] ${name} `, 'm'))
    }
  }
})

test('the variables of the environment file are flags', () => {
  const { text } = readUnit('ioasidd.default')
  const named = [...text.matchAll(/\bIOASIDD_(\w+)/g)].map(([, name = '']) => name.toLowerCase().replaceAll('_', '-'))
  expect(named.filter((name) => !Object.hasOwn(FLAGS, name))).toEqual([])
  expect(named.length).toBeGreaterThan(0)
})
