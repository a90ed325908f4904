import { expect, test } from 'vitest'
import { devicesOf, isRange, presentOf, tailOf } from '../../data/history'
import { kinds } from './causes'

test('every cause of the wire has its place in the bars', () => {
  const causes = [
    'login',
    'heartbeat',
    'activity',
    'touch',
    'connect',
    'disconnect',
    'idle',
    'active',
    'timeout',
    'logout',
    'forced',
    'admin',
  ]
  const keys = kinds.map((kind) => kind.key)
  for (const cause of causes) expect(keys).toContain(cause)
  expect(new Set(keys).size).toBe(keys.length)
})

test('the tail is what the recorded steps do not cover', () => {
  const samples = {
    ats: [1000, 2000, 3000],
    values: [
      [1, 2, 3],
      [4, 5, 6],
    ],
  }
  expect(tailOf(samples, 1500, ['online', 'present'])).toEqual({
    ats: [2000, 3000],
    values: { online: [2, 3], present: [5, 6] },
  })
  expect(tailOf(samples, 3000, ['online', 'present'])).toBeUndefined()
})

test('a range of the address is one of ours', () =>
  expect([isRange('7d'), isRange('8d'), isRange(null)]).toEqual([true, false, false]))

test('devices are a line with gaps where nobody counted them, as long as that of people', () => {
  const at = (minute: number) => new Date(minute * 60_000).toISOString()
  const nobody = { online: null, away: null, offline: null, peak_online: null, devices: null, connections: null }
  const one = { online: 1, away: 0, offline: 0, peak_online: 1, devices: null, connections: null }
  const series = {
    range: '1h',
    step_seconds: 60,
    as_of: at(4),
    items: [
      { ...one, at: at(0) },
      { ...nobody, at: at(1) },
      { ...one, at: at(2), devices: 2.5 },
      { ...nobody, at: at(3) },
    ],
  }
  const { steps } = presentOf(series)
  expect(devicesOf(series, steps.length).values).toEqual([null, null, 2.5])
})
