import type { Format } from '../i18n'
import { DAY, HOUR, MINUTE } from '../i18n'

/** Round values between 0 and at least `top`, few enough to read: 0, 5,000, 10,000. The last one is the axis' end. */
export function niceTicks(top: number, count = 4): number[] {
  const rough = Math.max(top, 1) / count
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = Math.max(
    1,
    ([1, 2, 2.5, 5, 10].find((s) => s * power >= rough && Number.isInteger(s * power)) ?? 10) * power,
  )
  const ticks: number[] = []
  for (let at = 0; ; at += step) {
    ticks.push(at)
    if (at >= top && at > 0) return ticks
  }
}

/** A place on a time axis and how it is written there. `day` marks those that begin a day. */
export interface TimeTick {
  readonly at: number
  readonly text: string
  readonly day: boolean
}

const minuteSteps = [1, 2, 5, 10, 15, 20, 30]
const hourSteps = [1, 2, 3, 4, 6, 12]
const dayStepsOf = [1, 2, 5, 7, 10, 14]

/** Moments at which the reader's clock shows something round, at most `most` of them. */
export function timeTicks(from: number, to: number, f: Format, most: number): TimeTick[] {
  const span = to - from
  const minutes = minuteSteps.find((s) => span / (s * MINUTE) <= most)
  const hours = hourSteps.find((s) => span / (s * HOUR) <= most)
  const ticks: TimeTick[] = []
  if (minutes === undefined && hours === undefined) {
    const days = dayStepsOf.find((s) => span / (s * DAY) <= most) ?? 30
    for (let at = f.dayStart(from); at <= to; at = f.dayStart(at, days)) {
      if (at >= from) ticks.push({ at, text: f.date(at, 'short'), day: true })
    }
    return ticks
  }
  // Walked from midnight to midnight, because a day may have 23 or 25 hours.
  for (let day = f.dayStart(from); day <= to; day = f.dayStart(day, 1)) {
    const end = Math.min(f.dayStart(day, 1), to + 1)
    const step = minutes === undefined ? (hours ?? 1) * HOUR : minutes * MINUTE
    for (let at = day; at < end; at += step) {
      if (at < from || (at !== day && end === f.dayStart(day, 1) && end - at < step / 2)) continue
      ticks.push({ at, text: at === day && span > 6 * HOUR ? f.date(at, 'short') : f.time(at), day: at === day })
    }
  }
  return ticks
}

/** The lines of an SVG path through points; a null lifts the pen. A point alone between gaps is a dot. */
export function linePath(xs: readonly number[], ys: readonly (number | null)[]): string {
  let path = ''
  let down = false
  ys.forEach((y, i) => {
    const x = xs[i]
    if (y === null || x === undefined) {
      down = false
      return
    }
    const alone = !down && (ys[i + 1] ?? null) === null
    path += `${down ? 'L' : 'M'}${round(x)} ${round(y)}${alone ? 'h0' : ''}`
    down = true
  })
  return path
}

/** The areas between a line and its floor, one for each stretch between gaps. */
export function areaPath(xs: readonly number[], ys: readonly (number | null)[], floor: number): string {
  let path = ''
  let first: number | null = null
  ys.forEach((y, i) => {
    const x = xs[i]
    if (y === null || x === undefined) return
    if (first === null) {
      first = x
      path += `M${round(x)} ${round(floor)}`
    }
    path += `L${round(x)} ${round(y)}`
    if ((ys[i + 1] ?? null) === null) {
      path += `L${round(x)} ${round(floor)}Z`
      first = null
    }
  })
  return path
}

const round = (n: number) => Math.round(n * 10) / 10

/** Stretches of nothing: from the moment before the first null to the moment after the last, for those between points. */
export function gaps(
  points: readonly { readonly at: number; readonly value: number | null }[],
): { from: number; to: number }[] {
  const found: { from: number; to: number }[] = []
  let from: number | null = null
  points.forEach((p, i) => {
    if (p.value === null) from ??= points[i - 1]?.at ?? p.at
    else if (from !== null) {
      found.push({ from, to: p.at })
      from = null
    }
  })
  const last = points[points.length - 1]
  if (from !== null && last) found.push({ from, to: last.at })
  return found
}

/** The place of the point that is nearest to a moment. Points are in order. */
export function nearest(ats: readonly number[], at: number): number {
  let low = 0
  let high = ats.length - 1
  while (low < high) {
    const mid = (low + high) >> 1
    if ((ats[mid] ?? 0) < at) low = mid + 1
    else high = mid
  }
  const before = ats[low - 1]
  const here = ats[low]
  return before !== undefined && here !== undefined && at - before < here - at ? low - 1 : low
}
