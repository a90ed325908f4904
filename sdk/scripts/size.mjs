// The size budget, checked like a test: what a page loads, in bytes of gzip -9.
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'

const budget = { 'index.mjs': 5120, 'index.cjs': 5120 + 200, 'react.mjs': 1024, 'presence.js': 5120 + 900 }
let over = false
for (const [file, most] of Object.entries(budget)) {
  const size = gzipSync(readFileSync(new URL(`../dist/${file}`, import.meta.url)), { level: 9 }).length
  over ||= size > most
  console.log(`${file.padEnd(12)} ${String(size).padStart(5)} of ${most} bytes gzip${size > most ? '  TOO LARGE' : ''}`)
}
process.exit(over ? 1 : 0)
