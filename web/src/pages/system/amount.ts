import { DAY, type Reading, SECOND } from '../../i18n'
import type { Fact } from '../../wire'

/** A number of the server as its reader writes it. Sizes count in thousands, as the server's own words do. */
export function amount(value: number, unit: Fact['unit'], { t, format: f }: Pick<Reading, 't' | 'format'>): string {
  switch (unit) {
    case 'bytes':
      if (value < 1e6) return t('size.kilo', { n: Math.round(value / 1e3) })
      if (value < 1e9) return t('size.mega', { n: rounded(value / 1e6, 1) })
      return t('size.giga', { n: rounded(value / 1e9, 2) })
    case 'seconds':
      if (value >= DAY / SECOND) return f.duration(Math.round(value / 3600) * 3600 * SECOND)
      return value < 10 && value % 1 !== 0
        ? t('time.millis', { n: Math.round(value * 1000) })
        : f.duration(value * SECOND)
    case 'per_second':
      return t('rate.second', { n: rounded(value, 1) })
    case 'count':
      return f.number(value)
  }
}

const rounded = (value: number, digits: number) => Number(value.toFixed(digits))

/** Where a number and its lines stand on a bar, in parts of its length. */
export interface Bar {
  readonly filled: number
  readonly warn?: number
  readonly limit?: number
}

/** The bar ends a little behind the outermost of its lines, or where the number is when that is further. No lines, no bar. */
export function barOf({ value, warn, limit }: Pick<Fact, 'value' | 'warn' | 'limit'>): Bar | undefined {
  const line = Math.max(warn ?? 0, limit ?? 0)
  if (value === null || line <= 0) return undefined
  const end = Math.max(line * 1.15, value)
  return {
    filled: Math.max(0, value) / end,
    ...(warn !== undefined && { warn: warn / end }),
    ...(limit !== undefined && { limit: limit / end }),
  }
}
