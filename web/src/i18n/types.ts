/** The languages of the dashboard: English, Pashto and Dari, by the names the product has always used. */
export type Language = 'en' | 'ps' | 'prs'

/** Which digits numbers are written with. Pashto, Dari and Persian share `extended` (U+06F0); `arabic` is U+0660. */
export type Digits = 'latin' | 'extended' | 'arabic'

/** Which calendar dates are written in. `solar` is the Solar Hijri calendar with its Afghan month names. */
export type Calendar = 'gregorian' | 'solar'

/** 0 is Sunday, 6 is Saturday, as in Date. */
export type Weekday = 0 | 1 | 2 | 3 | 4 | 5 | 6

/** The words that times and numbers are made of. Lists of names begin with January, Hamal and Sunday. */
export interface TimeWords {
  readonly months: readonly string[]
  readonly monthsShort: readonly string[]
  readonly solarMonths: readonly string[]
  readonly solarMonthsShort: readonly string[]
  readonly weekdays: readonly string[]
  readonly weekdaysShort: readonly string[]
  /** Patterns of a date: `{d}` day, `{m}` month's name, `{y}` year, `{w}` weekday. */
  readonly dayMonth: string
  readonly dayMonthYear: string
  readonly weekdayDate: string
  readonly monthYear: string
  /** A date and a time: `{date}`, `{time}`. */
  readonly dateTime: string
  readonly range: string
  readonly now: string
  readonly never: string
  /** What was, and what comes; `{n}` is the number, one form for 1 and one for all others. */
  readonly ago: Readonly<Record<TimeUnit, Plural>>
  readonly ahead: Readonly<Record<TimeUnit, Plural>>
  /** Lengths in words, for those who listen; and as short as can be, for tables. */
  readonly long: Readonly<Record<TimeUnit, Plural>>
  readonly short: Readonly<Record<TimeUnit, string>>
  /** How two lengths are joined: `{a}`, `{b}`. */
  readonly join: string
  /** Between the items of a list, and before the last one. */
  readonly comma: string
  readonly and: string
  readonly weekStart: Weekday
  readonly digits: Digits
  readonly calendar: Calendar
}

export type TimeUnit = 'second' | 'minute' | 'hour' | 'day' | 'month' | 'year'

/** A text that depends on a number: `n` chooses. All three languages know two forms. */
export interface Plural {
  readonly one: string
  readonly other: string
}

/** A text of the dictionary. `{name}` stands for a value. */
export type Message = string | Plural

/** A dictionary in another language: the same keys, and a plural where English has one. */
export type Translation<T> = { readonly [K in keyof T]: T[K] extends string ? string : Plural }

/** What a page of the dashboard needs to speak a language. */
export interface Pack<D> {
  readonly language: Language
  /** The value of the html element's lang attribute, and the locale that browsers know. */
  readonly tag: string
  readonly direction: 'ltr' | 'rtl'
  readonly times: TimeWords
  readonly texts: D
}
