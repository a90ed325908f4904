import { expect, test } from 'vitest'
import { choose, idsOf, readable, standingOf, tells } from './choices'

test('an event is told by its name, its group or everything', () => {
  expect(tells(['user.online'], 'user.online')).toBe(true)
  expect(tells(['user.*'], 'user.away')).toBe(true)
  expect(tells(['*'], 'account.banned')).toBe(true)
  expect(tells(['user.*'], 'account.banned')).toBe(false)
  expect(tells([], 'user.online')).toBe(false)
})

test('a group replaces the events it covers, everything replaces all', () => {
  expect(choose(['user.online', 'account.banned'], 'user.*', true)).toEqual(['account.banned', 'user.*'])
  expect(choose(['user.*', 'account.banned'], '*', true)).toEqual(['*'])
  expect(choose(['user.*', 'account.banned'], 'user.*', false)).toEqual(['account.banned'])
  expect(choose(['user.online'], 'user.online', true)).toEqual(['user.online'])
})

test('ids come with commas of any script, spaces and lines, each once', () => {
  expect(idsOf(' 7, 8،9\n7 ')).toEqual(['7', '8', '9'])
  expect(idsOf('  ')).toEqual([])
})

test('an active webhook that fails is in trouble; one that is out of service is that', () => {
  expect(standingOf({ state: 'active', failures: 0 })).toBe('active')
  expect(standingOf({ state: 'active', failures: 3 })).toBe('trouble')
  expect(standingOf({ state: 'failing', failures: 90 })).toBe('failing')
})

test('a body is shown in lines, and what is no JSON as it is', () => {
  expect(readable('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}')
  expect(readable('not json')).toBe('not json')
})
