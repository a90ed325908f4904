import { describe, expect, test } from 'vitest'
import { createCalls, curlOf } from './calls'

const call = { method: 'POST', path: '/api/v1/users/7/acts', at: 0, status: 204, milliseconds: 3 }

describe('requests that were made', () => {
  test('are a command line that makes them again', () => {
    expect(curlOf({ ...call, body: { act: 'ban', reason: "it's over" } }, 'https://p.example.org')).toBe(
      `curl -X POST 'https://p.example.org/api/v1/users/7/acts' \\
  -H "Authorization: Bearer $TOKEN" \\
  -H 'Content-Type: application/json' \\
  -d '{"act":"ban","reason":"it'\\''s over"}'`,
    )
    expect(curlOf({ method: 'GET', path: '/api/v1/trash' }, 'http://h')).toBe(
      `curl 'http://h/api/v1/trash' \\\n  -H "Authorization: Bearer $TOKEN"`,
    )
  })
  test('are remembered without what is secret', () => {
    const calls = createCalls()
    calls.add({ ...call, body: { password: 'correct horse', keep: 1 }, answer: { deep: [{ token: 'opt_x' }] } })
    expect(JSON.stringify(calls.get())).not.toMatch(/horse|opt_x/)
    expect(calls.get()[0]?.body).toEqual({ password: '…', keep: 1 })
  })
  test('keep every id of an act, and of long answers the beginning', () => {
    const calls = createCalls()
    const ids = Array.from({ length: 200 }, (_, i) => `${i}`)
    calls.add({ ...call, body: { ids }, answer: { items: ids } })
    expect(calls.get()[0]?.body).toEqual({ ids })
    expect(calls.get()[0]?.answer).toEqual({ items: [...ids.slice(0, 50), '… 150 more'] })
  })
  test('are bounded, and what is asked again and again does not push acts out', () => {
    const calls = createCalls()
    for (let i = 0; i < 50; i++) calls.add({ ...call, body: { i } })
    for (let i = 0; i < 50; i++) calls.add({ ...call, method: 'GET', path: `/api/v1/counts?i=${i}` })
    for (let i = 0; i < 50; i++) calls.add({ ...call, method: 'GET', path: `/api/v1/users/${i}` })
    const list = calls.get()
    expect(list.filter((c) => c.method === 'POST')).toHaveLength(30)
    expect(list.filter((c) => c.method === 'GET')).toHaveLength(30)
    expect(list.find((c) => c.method === 'POST')?.body).toEqual({ i: 49 })
  })
})
