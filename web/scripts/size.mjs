// What a browser must fetch before it can show a page, compressed as the server sends it: the entry, what it imports, the page.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const budget = 150_000
const dist = new URL('../dist/', import.meta.url)
const manifest = JSON.parse(readFileSync(new URL('.vite/manifest.json', dist), 'utf8'))
const gzip = (file) => gzipSync(readFileSync(new URL(file, dist)), { level: 9 }).length

function chunks(name, seen = new Set()) {
  if (seen.has(name)) return seen
  seen.add(name)
  for (const other of manifest[name].imports ?? []) chunks(other, seen)
  return seen
}
const weigh = (...names) => {
  const all = new Set(names.flatMap((name) => [...chunks(name)]))
  return [...all].reduce((sum, name) => sum + gzip(manifest[name].file), 0)
}

const entry = Object.keys(manifest).find((name) => manifest[name].isEntry)
let over = false
console.log(`  ${'shell'.padEnd(28)} ${(weigh(entry) / 1000).toFixed(1)} kB`)
for (const name of Object.keys(manifest).filter((name) => /^src\/pages\/.*index\.tsx$/.test(name))) {
  const size = weigh(entry, name)
  over ||= size > budget
  console.log(`  ${name.padEnd(28)} ${(size / 1000).toFixed(1)} kB${size > budget ? ' is over the budget' : ''}`)
}
if (over) {
  console.error(`the first load of a page may be ${budget / 1000} kB of JavaScript (gzip)`)
  process.exit(1)
}
