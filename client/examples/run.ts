/**
 * Stories on the terminal: npm run example [-- STORY]
 *
 * The programs beside this file are its actors: each a process of its own that knows the others only through the daemon.
 */
import { tellLifeCycle } from './story/life-cycle.ts'
import { onStage } from './story/stage.ts'
import { tellTwoVms } from './story/two-vms.ts'

const stories = new Map([
  ['two-vms', () => onStage(9, tellTwoVms)],
  ['life-cycle', () => onStage(12, tellLifeCycle)],
])

const [name = 'two-vms', ...others] = process.argv.slice(2)
const tell = others.length === 0 ? stories.get(name) : undefined
if (tell === undefined) {
  console.error(
    `There is no story '${[name, ...others].join(' ')}'. The stories are: ${[...stories.keys()].join(', ')}.`,
  )
  process.exitCode = 2
} else await tell()
