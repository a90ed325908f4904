export { fold } from './fold'
export {
  DAY,
  type Format,
  HOUR,
  isolate,
  isolateIn,
  isZone,
  MINUTE,
  momentOf,
  readDigits,
  SECOND,
  type Wall,
  wall,
} from './format'
export { type Key, languageNames, languages, type Texts } from './packs'
export { ReadingProvider, Say, useReader, useReading } from './react'
export { createReader, type Preferences, type Reader, type Reading } from './reading'
export type { Calendar, Digits, Language, Weekday } from './types'
