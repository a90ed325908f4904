import { createFormat, type Format, isZone } from './format'
import { type AnyPack, english, languages, loadPack, preferred, type Texts } from './packs'
import { type Translate, translator } from './translate'
import type { Calendar, Digits, Language, Weekday } from './types'

/** How somebody likes to read. `auto` follows the language, the zone follows the machine. */
export interface Preferences {
  readonly language: Language
  readonly digits: 'auto' | Digits
  readonly calendar: 'auto' | Calendar
  readonly zone: 'auto' | (string & {})
  readonly weekStart: 'auto' | Weekday
}

/** Everything that turns facts into what one person reads. It is a new object after every change. */
export interface Reading {
  readonly preferences: Preferences
  readonly language: Language
  readonly direction: 'ltr' | 'rtl'
  readonly pack: AnyPack
  readonly format: Format
  readonly t: Translate<Texts>
}

/** Where preferences outlive the page: localStorage, or a map in a test. */
export type Shelf = Pick<Storage, 'getItem' | 'setItem'>

const place = 'presence.reading'

const allowed = {
  digits: ['auto', 'latin', 'extended', 'arabic'],
  calendar: ['auto', 'gregorian', 'solar'],
  weekStart: ['auto', 0, 1, 2, 3, 4, 5, 6],
} as const

/** Takes what is good of something that was stored; it may be of an older version, or anybody's. */
export function parsePreferences(stored: string | null, wanted: readonly string[]): Preferences {
  let found: Partial<Record<keyof Preferences, unknown>> = {}
  try {
    const parsed: unknown = JSON.parse(stored ?? '{}')
    if (typeof parsed === 'object' && parsed !== null) found = parsed
  } catch {
    // what cannot be read is as good as not there
  }
  const one = <T>(value: unknown, of: readonly T[], otherwise: T): T => of.find((known) => known === value) ?? otherwise
  return {
    language: one<Language>(found.language, languages, preferred(wanted)),
    digits: one<Preferences['digits']>(found.digits, allowed.digits, 'auto'),
    calendar: one<Preferences['calendar']>(found.calendar, allowed.calendar, 'auto'),
    zone: typeof found.zone === 'string' && isZone(found.zone) ? found.zone : 'auto',
    weekStart: one<Preferences['weekStart']>(found.weekStart, allowed.weekStart, 'auto'),
  }
}

/** Puts a language and preferences together. */
export function readingOf(pack: AnyPack, preferences: Preferences): Reading {
  const auto = <T>(chosen: 'auto' | T, otherwise: T): T => (chosen === 'auto' ? otherwise : (chosen as T))
  const format = createFormat({
    words: pack.times,
    digits: auto<Digits>(preferences.digits, pack.times.digits),
    calendar: auto<Calendar>(preferences.calendar, pack.times.calendar),
    zone: auto<string>(preferences.zone, Intl.DateTimeFormat().resolvedOptions().timeZone),
    weekStart: auto<Weekday>(preferences.weekStart, pack.times.weekStart),
  })
  return { preferences, language: pack.language, direction: pack.direction, pack, format, t: translator(pack, format) }
}

export interface Reader {
  get(): Reading
  subscribe(listener: () => void): () => void
  /** Changes preferences. The promise ends when the page reads so; it fails when a language cannot be fetched. */
  set(change: Partial<Preferences>): Promise<void>
  /** Ends when the stored language is here, or English in its place. Wait for it before the first paint. */
  readonly ready: Promise<void>
}

/**
 * Holds one page's preferences, remembers them, and speaks the language they name. lent is the zone that a link brought:
 * it counts for this visit, until its reader chooses one, and is not remembered.
 */
export function createReader(shelf: Shelf, wanted: readonly string[], lent: string | null = null): Reader {
  let visiting = lent !== null && isZone(lent) ? lent : undefined
  let preferences = parsePreferences(read(shelf), wanted)
  let reading = readingOf(english, { ...preferences, language: 'en' })
  const listeners = new Set<() => void>()
  let last = 0 // of two languages asked for, the later one wins, whichever comes first

  async function become(next: Preferences): Promise<void> {
    const turn = ++last
    const pack = next.language === reading.language ? reading.pack : await loadPack(next.language)
    if (turn !== last) return
    preferences = next
    reading = readingOf(pack, visiting ? { ...next, zone: visiting } : next)
    for (const listener of listeners) listener()
  }

  return {
    get: () => reading,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async set(change) {
      if (change.zone !== undefined) visiting = undefined
      const next = { ...preferences, ...change }
      await become(next)
      try {
        shelf.setItem(place, JSON.stringify(next))
      } catch {
        // a full or forbidden storage forgets; the page goes on
      }
    },
    ready: become(preferences).catch(() => undefined),
  }
}

function read(shelf: Shelf): string | null {
  try {
    return shelf.getItem(place)
  } catch {
    return null
  }
}
