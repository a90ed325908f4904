import { expect, test } from 'vitest'
import { createFormat, DAY, HOUR, momentOf } from '../../i18n/format'
import { times } from '../../i18n/prs/times'
import type { History } from '../../wire'
import { freshPassword } from './acts'
import { parseLength, stretchesOf } from './data'
import { momentTyped, untilOf } from './set'
import { boundsOf, dateOf, momentOfDate } from './timeline'

const zone = 'Asia/Kabul'
const f = createFormat({ words: times, digits: 'extended', calendar: 'solar', zone, weekStart: 6 })
const now = momentOf(zone, 2026, 11, 23, 16, 30)

test('until ends when the reader means it to', () => {
  expect(untilOf('quarter', '', now, f)).toBe(now + HOUR / 4)
  expect(untilOf('hour', '', now, f)).toBe(now + HOUR)
  expect(untilOf('day', '', now, f)).toBe(momentOf(zone, 2026, 11, 24))
  expect(untilOf('date', '2026-11-25T08:30', now, f)).toBe(momentOf(zone, 2026, 11, 25, 8, 30))
  expect(untilOf('lifted', '2026-11-25T08:30', now, f)).toBeUndefined()
  expect(momentTyped('', zone)).toBeUndefined()
})

test('a date in the address is a day of the zone, whatever the calendar', () => {
  const at = momentOfDate('2026-11-23', zone) ?? 0
  expect(f.date(at)).toBe('۲ قوس ۱۴۰۵')
  expect(dateOf(at, zone)).toBe('2026-11-23')
  expect(momentOfDate('23.11.2026', zone)).toBeUndefined()
})

test('spans follow the calendar of the reader', () => {
  expect(boundsOf('day', now, f).map((at) => dateOf(at, zone))).toEqual(['2026-11-23', '2026-11-24'])
  expect(boundsOf('week', now, f).map((at) => dateOf(at, zone))).toEqual(['2026-11-21', '2026-11-28'])
  expect(boundsOf('month', now, f).map((at) => dateOf(at, zone))).toEqual(['2026-11-22', '2026-12-22']) // the month of Qaws
  expect(boundsOf('month', now, f, -1).map((at) => dateOf(at, zone))).toEqual(['2026-10-23', '2026-11-22'])
})

test('what goes on is drawn until now, and only while that is known', () => {
  const iso = (at: number) => new Date(at).toISOString()
  const history = {
    to: iso(now),
    truncated: false,
    days: [
      { intervals: [{ from: iso(now - DAY), to: iso(now - HOUR), status: 'online' }] },
      { intervals: [{ from: iso(now - HOUR), to: iso(now), status: 'online' }] },
    ],
  } as unknown as History
  expect(stretchesOf(history, now + 5000, true)).toEqual([{ from: now - DAY, to: now + 5000, status: 'online' }])
  expect(stretchesOf(history, now + 5000, false)).toEqual([{ from: now - DAY, to: now, status: 'online' }])
  expect(stretchesOf(history, now + HOUR, true)).toEqual([{ from: now - DAY, to: now, status: 'online' }])
})

test('lengths of the configuration are read', () => {
  expect(parseLength('90d')).toBe(90 * DAY)
  expect(parseLength('1h30m')).toBe(1.5 * HOUR)
  expect(parseLength('soon')).toBeUndefined()
})

test('a fresh password is long, and another each time', () => {
  const some = Array.from({ length: 50 }, freshPassword)
  for (const one of some) expect(one).toMatch(/^([a-zA-Z2-9]{5}-){3}[a-zA-Z2-9]{5}$/)
  expect(new Set(some).size).toBe(50)
})
