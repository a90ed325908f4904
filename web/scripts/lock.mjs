// npm writes a lock without those optional packages that it could not fetch, says nothing, and `npm ci` stops elsewhere.
import { readFileSync } from 'node:fs'

const { packages } = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
const missing = Object.entries(packages).flatMap(([path, p]) =>
  Object.keys(p.optionalDependencies ?? {})
    .filter((name) => !packages[`${path}/node_modules/${name}`] && !packages[`node_modules/${name}`])
    .map((name) => `${path || 'the project'} needs ${name}`),
)
if (missing.length) {
  console.error(`package-lock.json lacks entries:\n  ${missing.join('\n  ')}`)
  process.exit(1)
}
