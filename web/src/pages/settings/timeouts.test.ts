import { expect, it } from 'vitest'
import { lostBeats, problem, rounded } from './timeouts'

const good = { heartbeat_interval: 30, offline_after: 120, idle_after: 300, leave_grace: 10, refresh_interval: 10 }

it('takes what the server takes', () => {
  expect(problem(good)).toBeUndefined()
  expect(problem({ ...good, offline_after: 60 })).toBeUndefined()
})

it('names the first thing that is wrong', () => {
  expect(problem({ ...good, offline_after: 59 })).toEqual({ name: 'offline_after', what: 'beats' })
  expect(problem({ ...good, leave_grace: 0 })).toEqual({ name: 'leave_grace', what: 'bounds' })
  expect(problem({ ...good, idle_after: Number.NaN })).toEqual({ name: 'idle_after', what: 'missing' })
})

it('counts the beats that may be lost', () => {
  expect(lostBeats(good)).toBe(3)
  expect(lostBeats({ ...good, offline_after: 60 })).toBe(1)
  expect(lostBeats({ ...good, offline_after: 61 })).toBe(2)
})

it('rounds to what a hand would choose, within bounds', () => {
  expect(rounded(13.4, 'heartbeat_interval')).toBe(13)
  expect(rounded(97, 'offline_after')).toBe(95)
  expect(rounded(1000, 'leave_grace')).toBe(600)
  expect(rounded(-5, 'idle_after')).toBe(1)
})
