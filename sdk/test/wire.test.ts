import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const go = new URL('../../wire/feed.go', import.meta.url)

test.skipIf(!existsSync(go))('every field of a frame that the server knows is known here', () => {
  const tags = [...readFileSync(go, 'utf8').matchAll(/`json:"(\w+)/g)].map((m) => m[1])
  const ours = readFileSync(new URL('../src/wire.ts', import.meta.url), 'utf8')
  expect(tags.length).toBeGreaterThan(40)
  // The answer of the ticket route, which is no frame.
  const missing = tags.filter((tag) => tag !== 'expires_in' && !new RegExp(`\\b${tag}\\??:`).test(ours))
  expect([...new Set(missing)]).toEqual([])
})
