import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { PresenceError } from '../src'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

test('every code that is in the source is explained where the error says', () => {
  const explained = new Set([...read('../../docs/errors.md').matchAll(/^#### (\w+)$/gm)].map((m) => m[1]))
  const union = read('../src/errors.ts').split('export class')[0] ?? ''
  const made = readdirSync(new URL('../src', import.meta.url))
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(`../src/${name}`))
    .join('')
  const codes = new Set(
    [...union.matchAll(/\| '(\w+)'/g), ...made.matchAll(/(?:PresenceError|deny)\('(\w+)'/g)].map((m) => m[1]),
  )
  expect(codes.size).toBeGreaterThan(9)
  expect([...codes].filter((code) => !explained.has(code))).toEqual([])
  expect(new PresenceError('held').doc).toMatch(/\/docs\/errors\.md#held$/)
})
