import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { texts } from '../i18n/en'

const file = (path: string) => readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')
const codes = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((m) => m[1] ?? '')

// That the other languages have what English has does not compile otherwise.
describe('every code has a text:', () => {
  const documented = codes(file('docs/errors.md'), /^#### (\w+)$/gm)
  const api = codes(file('internal/api/problem.go'), /^\tcode\w+\s+= "(\w+)"$/gm)
  const auth = codes(file('internal/auth/service.go'), /^\tCode\w+\s+= "(\w+)"\s+\/\/ (?!.*\bfields?\b)/gm).filter(
    (code) => !['required', 'min_length', 'max_length', 'invalid', 'incorrect'].includes(code), // of fields, never of a problem
  )
  test.each([
    ['docs/errors.md', documented, 15],
    ['internal/api/problem.go', api, 11],
    ['internal/auth/service.go', auth, 10],
  ])('those of %s', (_, found, least) => {
    expect(found.length).toBeGreaterThanOrEqual(least)
    expect(found.filter((code) => !(`problem.${code}` in texts))).toEqual([])
  })
})
