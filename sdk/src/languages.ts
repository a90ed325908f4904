/** Words of the React parts in other languages. */
import type { Words } from './react'

/** Pashto. Browsers have no words for its times, so they are here. */
export const ps: Words = {
  online: 'آنلاین',
  away: 'لرې',
  offline: 'آفلاین',
  ago: (n, unit) => `${n} ${{ minute: 'دقیقې', hour: 'ساعته', day: 'ورځې' }[unit]} مخکې`,
}

/** Dari. */
export const prs: Words = {
  online: 'آنلاین',
  away: 'دور',
  offline: 'آفلاین',
  ago: (n, unit) => new Intl.RelativeTimeFormat('fa-AF').format(-n, unit),
}
