import type { Calendar, Digits, Plural, TimeUnit, TimeWords, Weekday } from './types'

/**
 * Numbers, moments and lengths as people write them. Browsers know no Pashto (Chromium answers in English), so
 * the words come from our dictionaries in every language, and Intl is asked only for what it knows of time zones
 * and calendars. Moments are milliseconds since 1970 UTC, as everywhere.
 */
export interface FormatOptions {
  readonly words: TimeWords
  readonly digits: Digits
  readonly calendar: Calendar
  /** An IANA name, such as Asia/Kabul. */
  readonly zone: string
  readonly weekStart: Weekday
}

/** A moment on the wall: the clock and the calendar of a zone. Months begin with 1. */
export interface Wall {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly weekday: Weekday
  readonly hour: number
  readonly minute: number
  readonly second: number
}

export const SECOND = 1000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

const zeros: Record<Digits, number> = { latin: 0x30, extended: 0x6f0, arabic: 0x660 }

/** Writes the Latin digits of a text with others. */
export function writeDigits(text: string, digits: Digits): string {
  if (digits === 'latin') return text
  const zero = zeros[digits]
  return text.replace(/[0-9]/g, (d) => String.fromCharCode(zero + Number(d)))
}

/** Reads digits of any of the three kinds as Latin ones: what people type into a number field. */
export function readDigits(text: string): string {
  return text.replace(/[\u06f0-\u06f9\u0660-\u0669]/g, (d) => String(d.charCodeAt(0) & 15))
}

const rtl = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/

/** Keeps a name or an address in one piece, whatever direction surrounds it. For attributes; elements have `<bdi>`. */
export function isolate(text: string): string {
  return `\u2068${text}\u2069`
}

/** Isolates only where the direction of the text could differ from the page's. */
export function isolateIn(direction: 'ltr' | 'rtl', text: string): string {
  return direction === 'rtl' || rtl.test(text) ? isolate(text) : text
}

/** Puts values in the places of a pattern. */
export function fill(pattern: string, values: Readonly<Record<string, string>>): string {
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole)
}

/** Chooses the form for a number. */
export function choose(forms: Plural, n: number): string {
  return n === 1 ? forms.one : forms.other
}

const walls = new Map<string, Intl.DateTimeFormat>()

function wallOf(zone: string, calendar: Calendar): Intl.DateTimeFormat {
  const key = `${calendar} ${zone}`
  let known = walls.get(key)
  if (!known) {
    known = new Intl.DateTimeFormat('en-US', {
      calendar: calendar === 'solar' ? 'persian' : 'gregory',
      numberingSystem: 'latn',
      timeZone: zone,
      hourCycle: 'h23',
      weekday: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    walls.set(key, known)
  }
  return known
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** What Intl was asked of a zone and a calendar before, by day: asking is slow, and tables ask often. */
interface Known {
  /** How far the clock is ahead in a day of UTC; NaN where that changes. */
  readonly offset: Map<number, number>
  /** The calendar's name of a day on the wall. */
  readonly date: Map<number, Pick<Wall, 'year' | 'month' | 'day' | 'weekday'>>
}

const known = new Map<string, Known>()
const mostDays = 5000 // of each kind

/** What clock and calendar say at a moment. */
export function wall(at: number, zone: string, calendar: Calendar = 'gregorian'): Wall {
  if (!(at >= 0)) return askWall(at, zone, calendar)
  const key = `${calendar} ${zone}`
  let k = known.get(key)
  if (!k) known.set(key, (k = { offset: new Map(), date: new Map() }))
  const utcDay = Math.floor(at / DAY)
  let offset = k.offset.get(utcDay)
  if (offset === undefined) {
    offset = askOffset(utcDay * DAY, zone)
    if (askOffset((utcDay + 1) * DAY, zone) !== offset) offset = Number.NaN
    if (k.offset.size >= mostDays) k.offset.clear()
    k.offset.set(utcDay, offset)
  }
  if (Number.isNaN(offset)) return askWall(at, zone, calendar)
  const local = at + offset
  const localDay = Math.floor(local / DAY)
  let date = k.date.get(localDay)
  if (!date) {
    const { year, month, day, weekday } = askWall(at, zone, calendar)
    date = { year, month, day, weekday }
    if (k.date.size >= mostDays) k.date.clear()
    k.date.set(localDay, date)
  }
  const second = Math.floor((local - localDay * DAY) / SECOND)
  return { ...date, hour: Math.floor(second / 3600), minute: Math.floor(second / 60) % 60, second: second % 60 }
}

function askOffset(at: number, zone: string): number {
  const w = askWall(at, zone, 'gregorian')
  return Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second) - at
}

/** The same from Intl, whatever was asked before. */
export function askWall(at: number, zone: string, calendar: Calendar): Wall {
  const found = { year: 0, month: 1, day: 1, weekday: 0 as Weekday, hour: 0, minute: 0, second: 0 }
  for (const part of wallOf(zone, calendar).formatToParts(at)) {
    switch (part.type) {
      case 'weekday':
        found.weekday = weekdays.indexOf(part.value) as Weekday
        break
      case 'year':
      case 'month':
      case 'day':
      case 'hour':
      case 'minute':
      case 'second':
        found[part.type] = Number(part.value)
        break
    }
  }
  return found
}

/** How far a zone's clock is ahead of UTC at a moment, in milliseconds. */
export function zoneOffset(at: number, zone: string): number {
  const w = wall(at, zone)
  return Date.UTC(w.year, w.month - 1, w.day, w.hour, w.minute, w.second) - Math.floor(at / SECOND) * SECOND
}

/** The moment at which a zone's clock shows a Gregorian date and time; of a time that a clock skips, one next to it. */
export function momentOf(zone: string, year: number, month: number, day: number, hour = 0, minute = 0): number {
  const utc = Date.UTC(year, month - 1, day, hour, minute)
  const near = utc - zoneOffset(utc, zone)
  return utc - zoneOffset(near, zone)
}

/** The beginning of the day of a moment, `days` later. Days are those of the zone, however long its clocks make them. */
export function dayStart(at: number, zone: string, days = 0): number {
  const w = wall(at, zone)
  return momentOf(zone, w.year, w.month, w.day + days)
}

/** The beginning of the week of a moment, `weeks` later. */
export function weekStartOf(at: number, zone: string, first: Weekday, weeks = 0): number {
  const back = (wall(at, zone).weekday - first + 7) % 7
  return dayStart(at, zone, weeks * 7 - back)
}

/** The beginning of the month of a moment in a calendar, `months` later. */
export function monthStart(at: number, zone: string, calendar: Calendar, months = 0): number {
  let start = dayStart(at, zone, 1 - wall(at, zone, calendar).day)
  for (let i = 0; i < months; i++) start = monthStart(dayStart(start, zone, 32), zone, calendar)
  for (let i = 0; i > months; i--) start = monthStart(dayStart(start, zone, -1), zone, calendar)
  return start
}

/** "UTC+4:30": how a zone stands to UTC at a moment. */
export function zoneLabel(at: number, zone: string): string {
  const minutes = Math.round(zoneOffset(at, zone) / MINUTE)
  if (minutes === 0) return 'UTC'
  const abs = Math.abs(minutes)
  const rest = abs % 60
  return `UTC${minutes < 0 ? '\u2212' : '+'}${Math.floor(abs / 60)}${rest ? `:${String(rest).padStart(2, '0')}` : ''}`
}

/** True for a name that the browser knows as a time zone. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}

const pad = (n: number) => String(n).padStart(2, '0')

export type Format = ReturnType<typeof createFormat>

/** Binds the words, digits, calendar and zone that somebody reads. */
export function createFormat(o: FormatOptions) {
  const { words, digits, calendar, zone } = o
  const write = (text: string) => writeDigits(text, digits)
  const group = digits === 'latin' ? ',' : '\u066c'
  const point = digits === 'latin' ? '.' : '\u066b'
  const solar = calendar === 'solar'

  function number(n: number, fraction = 0): string {
    if (!Number.isFinite(n)) return '\u2013'
    const [whole = '0', rest] = Math.abs(n).toFixed(fraction).split('.')
    const grouped = whole.replace(/\B(?=(\d{3})+$)/g, group)
    const zero = Number(whole) === 0 && !Number(rest ?? 0)
    return write((n < 0 && !zero ? '\u2212' : '') + grouped + (rest ? point + rest : ''))
  }

  /** As few digits behind the point as say something: 1.36, 2.5, 41. */
  function decimal(n: number, most = 2): string {
    return number(n, [...Array(most).keys()].find((d) => Number(n.toFixed(d)) === Number(n.toFixed(most))) ?? most)
  }

  function percent(part: number, fraction = 0): string {
    const sign = digits === 'latin' ? '%' : '\u066a'
    return number(part * 100, fraction) + sign
  }

  function time(at: number, seconds = false): string {
    const w = wall(at, zone)
    return write(`${pad(w.hour)}:${pad(w.minute)}${seconds ? `:${pad(w.second)}` : ''}`)
  }

  /** With milliseconds: what a log shows. */
  function timeExact(at: number): string {
    return write(`${time(at, true)}.${String(Math.floor(at) % 1000).padStart(3, '0')}`)
  }

  function monthName(month: number, short = false): string {
    const names = solar
      ? short
        ? words.solarMonthsShort
        : words.solarMonths
      : short
        ? words.monthsShort
        : words.months
    return names[month - 1] ?? ''
  }

  function date(at: number, style: 'short' | 'medium' | 'full' | 'month' = 'medium'): string {
    const w = wall(at, zone, calendar)
    const pattern = {
      short: words.dayMonth,
      medium: words.dayMonthYear,
      full: words.weekdayDate,
      month: words.monthYear,
    }[style]
    return fill(pattern, {
      d: write(String(w.day)),
      m: monthName(w.month, style === 'short' || style === 'medium'),
      y: write(String(w.year)),
      w: words.weekdays[w.weekday] ?? '',
    })
  }

  function dateTime(at: number, seconds = false): string {
    return fill(words.dateTime, { date: date(at), time: time(at, seconds) })
  }

  function sameDay(a: number, b: number): boolean {
    return dayStart(a, zone) === dayStart(b, zone)
  }

  /** The time alone when that is enough: a moment of today. */
  function moment(at: number, now: number, seconds = true): string {
    if (sameDay(at, now)) return time(at, seconds)
    const sameYear = wall(at, zone, calendar).year === wall(now, zone, calendar).year
    return fill(words.dateTime, { date: date(at, sameYear ? 'short' : 'medium'), time: time(at) })
  }

  function dateRange(from: number, to: number): string {
    if (sameDay(from, to)) return date(from)
    return fill(words.range, { a: date(from), b: date(to) })
  }

  function timeRange(from: number, to: number, seconds = false): string {
    return fill(words.range, { a: time(from, seconds), b: time(to, seconds) })
  }

  /** "8 s ago", "in 5 min". Anything less than a second is now. */
  function ago(at: number, now: number): string {
    const past = now - at
    const [n, unit] = inUnits(Math.abs(past))
    if (n === 0) return words.now
    return fill(choose((past >= 0 ? words.ago : words.ahead)[unit], n), { n: number(n) })
  }

  /** A length as tables show it: "3 h 41 m", "52 s". */
  function duration(ms: number): string {
    return lengths(ms)
      .map(([n, unit]) => number(n) + words.short[unit])
      .join('\u00a0')
  }

  /** The same in words, for sentences and for those who listen. */
  function durationLong(ms: number): string {
    const parts = lengths(ms).map(([n, unit]) => fill(choose(words.long[unit], n), { n: number(n) }))
    return parts.length === 2 ? fill(words.join, { a: parts[0] ?? '', b: parts[1] ?? '' }) : (parts[0] ?? '')
  }

  /** A clock that runs down: "4:52", "1:04:52". */
  function countdown(ms: number): string {
    const s = Math.max(0, Math.ceil(ms / SECOND))
    const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60]
    return write(`${h ? `${h}:${pad(m)}` : m}:${pad(s % 60)}`)
  }

  function list(items: readonly string[]): string {
    if (items.length < 2) return items[0] ?? ''
    return `${items.slice(0, -1).join(words.comma)}${words.and}${items[items.length - 1]}`
  }

  return {
    ...o,
    digit: write,
    number,
    decimal,
    percent,
    time,
    timeExact,
    date,
    dateTime,
    moment,
    dateRange,
    timeRange,
    ago,
    duration,
    durationLong,
    countdown,
    list,
    sameDay,
    monthName,
    weekday: (day: Weekday, short = false) => (short ? words.weekdaysShort : words.weekdays)[day] ?? '',
    /** The seven days in the order of the reader's week. */
    week: () => [0, 1, 2, 3, 4, 5, 6].map((d) => ((d + o.weekStart) % 7) as Weekday),
    wall: (at: number) => wall(at, zone, calendar),
    dayStart: (at: number, days = 0) => dayStart(at, zone, days),
    weekStartOf: (at: number, weeks = 0) => weekStartOf(at, zone, o.weekStart, weeks),
    monthStart: (at: number, months = 0) => monthStart(at, zone, calendar, months),
    zoneLabel: (at: number) => write(zoneLabel(at, zone)),
    /** For machines: the moment with the reader's offset, 2026-11-23T14:31:22+04:30. */
    isoLocal: (at: number) => {
      const offset = zoneOffset(at, zone)
      const sign = offset < 0 ? '-' : '+'
      const abs = Math.abs(Math.round(offset / MINUTE))
      return `${new Date(at + offset).toISOString().slice(0, 19)}${sign}${pad(Math.floor(abs / 60))}:${pad(abs % 60)}`
    },
  }
}

const steps: readonly (readonly [TimeUnit, number])[] = [
  ['year', 365 * DAY],
  ['month', 30 * DAY],
  ['day', DAY],
  ['hour', HOUR],
  ['minute', MINUTE],
  ['second', SECOND],
]

/** The largest unit that fits, and how many of it. */
function inUnits(ms: number): [number, TimeUnit] {
  for (const [unit, length] of steps) if (ms >= length) return [Math.floor(ms / length), unit]
  return [0, 'second']
}

/** At most two neighbouring units, from days down. */
function lengths(ms: number): [number, TimeUnit][] {
  const s = Math.max(0, Math.round(ms / SECOND))
  const [d, h, m] = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60]
  if (d)
    return h
      ? [
          [d, 'day'],
          [h, 'hour'],
        ]
      : [[d, 'day']]
  if (h)
    return m
      ? [
          [h, 'hour'],
          [m, 'minute'],
        ]
      : [[h, 'hour']]
  if (m)
    return s % 60
      ? [
          [m, 'minute'],
          [s % 60, 'second'],
        ]
      : [[m, 'minute']]
  return [[s, 'second']]
}
