import { expect, it } from 'vitest'
import { differences } from './difference'

it('tells the fields that changed, and no others', () => {
  expect(differences({ role: 'user', name: 'ann' }, { role: 'admin', name: 'ann' })).toEqual([
    { field: 'role', before: 'user', after: 'admin' },
  ])
})

it('tells what came and what went', () => {
  expect(differences(undefined, { status: 'banned' })).toEqual([
    { field: 'status', before: undefined, after: 'banned' },
  ])
  expect(differences({ note: 'x' }, {})).toEqual([{ field: 'note', before: 'x', after: undefined }])
  expect(differences({ until: null }, {})).toEqual([])
})

it('goes into records, and compares lists as a whole', () => {
  expect(differences({ hold: { until: 1 }, ids: [1, 2] }, { hold: { until: 2 }, ids: [1, 2] })).toEqual([
    { field: 'hold.until', before: 1, after: 2 },
  ])
})
