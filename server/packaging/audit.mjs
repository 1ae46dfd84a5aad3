// `npm run audit`: fails where the registry knows of a hole in a package that the product runs with. A registry that is not
// asked such things (a mirror, mostly) is no failure, since nobody could build there: it says so, and that nothing is known.
import { spawnSync } from 'node:child_process'

const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' })
if (error) throw error
const report = JSON.parse(stdout)
const counts = report.metadata?.vulnerabilities
if (counts === undefined) {
  const why = report.message ?? report.error?.summary ?? 'no reason was given'
  console.log(`nothing is known: the registry does not answer audits (${why})`)
} else {
  console.log(`${counts.total} packages with known holes`)
  for (const { name, severity, range } of Object.values(report.vulnerabilities))
    console.log(`${name} ${range} ${severity}`)
  process.exitCode = counts.total > 0 ? 1 : 0
}
