import { describe, expect, test } from 'vitest'
import * as en from './en'
import { fold } from './fold'
import {
  askWall,
  createFormat,
  DAY,
  dayStart,
  HOUR,
  MINUTE,
  momentOf,
  monthStart,
  readDigits,
  SECOND,
  wall,
  weekStartOf,
  zoneLabel,
} from './format'
import * as prs from './prs'
import * as ps from './ps'
import type { Pack } from './types'

const at = Date.UTC(2026, 10, 23, 12, 0, 8)
const kabul = 'Asia/Kabul'
const of = (pack: Pick<Pack<unknown>, 'times'>, change = {}) =>
  createFormat({
    words: pack.times,
    digits: pack.times.digits,
    calendar: pack.times.calendar,
    zone: kabul,
    weekStart: pack.times.weekStart,
    ...change,
  })

describe('numbers', () => {
  test('are grouped, and written in the digits of the reader', () => {
    expect(of(en).number(1234567)).toBe('1,234,567')
    expect(of(ps).number(1234567)).toBe('۱٬۲۳۴٬۵۶۷')
    expect(of(ps, { digits: 'latin' }).number(12345)).toBe('12,345')
    expect(of(prs, { digits: 'arabic' }).number(12.5, 1)).toBe('١٢٫٥')
    expect(of(en).number(-1200)).toBe('−1,200')
    expect(of(en).number(-0.2)).toBe('0')
    expect(of(en).number(Number.NaN)).toBe('–')
  })
  test('say as little behind the point as is true', () => {
    expect([1.36, 2.5, 41, 1.999].map((n) => of(en).decimal(n))).toEqual(['1.36', '2.5', '41', '2'])
    expect(of(en).percent(0.204)).toBe('20%')
    expect(of(prs).percent(0.204, 1)).toBe('۲۰٫۴٪')
  })
  test('are read in any digits', () => expect(readDigits('۱۲٣4')).toBe('1234'))
})

describe('dates', () => {
  test('are Solar Hijri with Afghan months in Pashto and Dari', () => {
    expect(of(ps).date(at)).toBe('۲ لیندۍ ۱۴۰۵')
    expect(of(prs).date(at, 'full')).toBe('دوشنبه، ۲ قوس ۱۴۰۵')
    expect(of(en).date(at, 'full')).toBe('Monday, 23 November 2026')
    expect(of(en, { calendar: 'solar' }).date(at)).toBe('2 Qaws 1405')
    expect(of(ps, { calendar: 'gregorian', digits: 'latin' }).date(at)).toBe('23 نومبر 2026')
  })
  test('have names for all twelve months, in order', () => {
    const first = (month: number) => momentOf(kabul, 2026, month, 25, 12)
    const solar = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map((m) => of(prs).wall(first(m)).month)
    expect(solar).toEqual([11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    for (const pack of [en, ps, prs]) {
      expect(new Set(pack.times.solarMonths).size).toBe(12)
      expect(new Set(pack.times.months).size).toBe(12)
      expect(pack.times.weekdays).toHaveLength(7)
    }
  })
  test('show the wall of the zone', () => {
    expect(of(en).time(at, true)).toBe('16:30:08')
    expect(of(ps).time(at)).toBe('۱۶:۳۰')
    expect(of(en).timeExact(at + 42)).toBe('16:30:08.042')
    expect(zoneLabel(at, kabul)).toBe('UTC+4:30')
    expect(of(ps).zoneLabel(at)).toBe('UTC+۴:۳۰')
    expect(zoneLabel(at, 'America/New_York')).toBe('UTC−5')
    expect(of(en).isoLocal(at)).toBe('2026-11-23T16:30:08+04:30')
  })
  test('of a moment today are the time alone', () => {
    expect(of(en).moment(at, at + HOUR)).toBe('16:30:08')
    expect(of(en).moment(at, at + DAY)).toBe('23 Nov, 16:30')
    expect(of(en).moment(at, at + 365 * DAY)).toBe('23 Nov 2026, 16:30')
  })
})

describe('days', () => {
  test('are as long as the clocks of the zone make them', () => {
    const berlin = 'Europe/Berlin'
    const fall = momentOf(berlin, 2026, 10, 25, 12) // clocks go back
    expect((dayStart(fall, berlin, 1) - dayStart(fall, berlin)) / HOUR).toBe(25)
    const spring = momentOf(berlin, 2026, 3, 29, 12)
    expect((dayStart(spring, berlin, 1) - dayStart(spring, berlin)) / HOUR).toBe(23)
    expect(wall(momentOf(berlin, 2026, 3, 29, 2, 30), berlin).hour).toBeGreaterThanOrEqual(1)
  })
  test('make weeks that begin where the reader begins them', () => {
    expect(wall(weekStartOf(at, kabul, 6), kabul)).toMatchObject({ weekday: 6, day: 21, hour: 0 })
    expect(wall(weekStartOf(at, kabul, 1), kabul)).toMatchObject({ weekday: 1, day: 23 })
    expect(wall(weekStartOf(at, kabul, 1, -1), kabul)).toMatchObject({ weekday: 1, day: 16 })
  })
  test('make months of the calendar', () => {
    expect(wall(monthStart(at, kabul, 'solar'), kabul, 'solar')).toMatchObject({
      year: 1405,
      month: 9,
      day: 1,
      hour: 0,
    })
    expect(wall(monthStart(at, kabul, 'solar', -9), kabul, 'solar')).toMatchObject({ year: 1404, month: 12, day: 1 })
    expect(wall(monthStart(at, kabul, 'gregorian', 2), kabul)).toMatchObject({ year: 2027, month: 1, day: 1 })
  })
})

describe('lengths', () => {
  test('are told from now', () => {
    expect(of(en).ago(at - 8 * SECOND, at)).toBe('8 s ago')
    expect(of(ps).ago(at - 8 * SECOND, at)).toBe('۸ ثانیې مخکې')
    expect(of(ps).ago(at - 61 * MINUTE, at)).toBe('۱ ساعت مخکې')
    expect(of(prs).ago(at - 3 * DAY, at)).toBe('۳ روز پیش')
    expect(of(en).ago(at + 5 * MINUTE, at)).toBe('in 5 min')
    expect(of(en).ago(at + 400, at)).toBe('now')
  })
  test('have at most two units', () => {
    expect(of(en).duration(3 * HOUR + 41 * MINUTE + 9 * SECOND)).toBe('3\u00a0h\u00a041\u00a0m')
    expect(of(en).durationLong(90 * SECOND)).toBe('1 minute and 30 seconds')
    expect(of(ps).durationLong(2 * DAY + HOUR)).toBe('۲ ورځې او ۱ ساعت')
    expect(of(en).duration(59.6 * SECOND)).toBe('1\u00a0m')
  })
  test('run down as a clock', () => {
    expect(of(en).countdown(4 * MINUTE + 52 * SECOND)).toBe('4:52')
    expect(of(prs).countdown(HOUR + 4 * MINUTE + 5 * SECOND)).toBe('۱:۰۴:۰۵')
    expect(of(en).countdown(-1)).toBe('0:00')
  })
})

test('lists are joined as the language joins them', () => {
  expect(of(en).list(['a', 'b', 'c'])).toBe('a, b and c')
  expect(of(prs).list(['الف', 'ب', 'ج'])).toBe('الف، ب و ج')
  expect(of(en).list(['a'])).toBe('a')
})

test('a search finds what another keyboard wrote', () => {
  for (const [typed, written] of [
    ['علي', 'علی'],
    ['كريم', 'کریم'],
    ['ميروم', 'می‌روم'],
    ['احمد', 'أحمد'],
    ['مسئول', 'مسيول'],
    ['پښتو', 'پشتو'],
    ['JOSÉ', 'jose'],
    ['۱۲۳', '123'],
    ['مُحَمَّد', 'محمد'],
    ['ګل', 'گل'],
  ] as const) {
    expect(fold(typed), typed).toBe(fold(written))
  }
  expect(fold('گل')).not.toBe(fold('کل'))
})

test('days that were asked for before say what Intl says, also where clocks are put on and back', () => {
  const zones = [
    'Asia/Kabul',
    'Asia/Tehran',
    'America/New_York',
    'Australia/Lord_Howe',
    'Pacific/Apia',
    'Africa/Monrovia',
    'UTC',
  ]
  const wrong: string[] = []
  for (const zone of zones)
    for (const calendar of ['gregorian', 'solar'] as const)
      for (const around of [
        0,
        Date.UTC(1972, 0, 7),
        Date.UTC(2011, 11, 30),
        Date.UTC(2026, 2, 8),
        Date.UTC(2026, 9, 31),
      ])
        for (let at = around - 36 * HOUR - 1; at < around + 60 * HOUR; at += 37 * MINUTE + 1001) {
          const said = JSON.stringify(wall(at, zone, calendar))
          if (said !== JSON.stringify(askWall(at, zone, calendar))) wrong.push(`${at} ${zone} ${calendar}: ${said}`)
        }
  expect(wrong).toEqual([])
})
