import { type KeyboardEvent, type ReactNode, useMemo, useState } from 'react'
import { useReading } from '../i18n'
import css from './charts.module.css'
import { type TimeTick, timeTicks } from './scale'
import { useWidth } from './use'

/** A stretch of time with one status. */
export interface Stretch {
  readonly from: number
  readonly to: number
  readonly status: 'online' | 'away' | 'offline' | 'unknown'
}

/** A row of the timeline. Its own `from` and `to` let rows be different days at the same hours. */
export interface Lane {
  readonly key: string
  readonly name: ReactNode
  /** The name for who listens. */
  readonly label: string
  readonly stretches: readonly Stretch[]
  readonly from: number
  readonly to: number
  /** A thin line under the stretches: from signing in to the end of the session. */
  readonly signedIn?: { readonly from: number; readonly to: number }
  /** Moments at which this device changed the person's status. */
  readonly marks?: readonly { readonly at: number; readonly status: Stretch['status'] }[]
}

export interface TimelineProps {
  readonly label: string
  readonly lanes: readonly Lane[]
  readonly now: number
  /** What a stretch or a mark says when it is pointed at. */
  readonly say: (lane: Lane, item: Stretch | { readonly at: number; readonly status: Stretch['status'] }) => string
  readonly hint: string
}

/** Who was here when: one lane a device or a day. Time runs from left to right in every language. */
export function Timeline({ label, lanes, now, say, hint }: TimelineProps) {
  const { format: f } = useReading()
  const [ref, width] = useWidth<HTMLDivElement>()
  const [at, setAt] = useState<readonly [number, number] | null>(null)
  const first = lanes[0]
  const ticks: readonly TimeTick[] = useMemo(
    () => (first ? timeTicks(first.from, first.to, f, Math.max(3, width / 64)) : []),
    [first?.from, first?.to, f, width],
  )
  const items = lanes.map((lane) => [...lane.stretches, ...(lane.marks ?? [])].sort((a, b) => startOf(a) - startOf(b)))
  const lane = at ? lanes[at[0]] : undefined
  const item = at ? items[at[0]]?.[at[1]] : undefined
  const words = lane && item ? say(lane, item) : hint

  function onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey || lanes.length === 0) return
    const [row, place] = at ?? [0, (items[0]?.length ?? 0) - 1]
    const step = at ? 1 : 0
    let to: readonly [number, number] | undefined
    if (event.key === 'ArrowRight') to = [row, place + step]
    if (event.key === 'ArrowLeft') to = [row, place - step]
    if (event.key === 'Home') to = [row, 0]
    if (event.key === 'End') to = [row, (items[row]?.length ?? 1) - 1]
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const next = Math.max(0, Math.min(lanes.length - 1, row + (event.key === 'ArrowDown' ? step : -step)))
      to = [next, closest(items[next] ?? [], (lanes[next]?.from ?? 0) + offsetOf(items[row]?.[place], lanes[row]))]
    }
    if (event.key === 'Escape') setAt(null)
    if (!to) return
    event.preventDefault()
    event.stopPropagation()
    setAt([to[0], Math.max(0, Math.min((items[to[0]]?.length ?? 1) - 1, to[1]))])
  }

  return (
    <div className={css.timeline}>
      <div
        className={css.timelineLanes}
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, items.reduce((n, one) => n + one.length, 0) - 1)}
        aria-valuenow={at ? items.slice(0, at[0]).reduce((n, one) => n + one.length, 0) + at[1] : 0}
        aria-valuetext={at ? words : label}
        onKeyDown={onKeyDown}
        onBlur={() => setAt(null)}
        onPointerLeave={() => setAt(null)}
      >
        <div className={css.timelineNames}>
          {lanes.map((one) => (
            <div key={one.key} className={css.timelineName}>
              {one.name}
            </div>
          ))}
        </div>
        <div className={css.timelineBars} ref={ref} dir="ltr">
          {lanes.map((one, row) => {
            const x = (moment: number) => ((moment - one.from) / (one.to - one.from)) * 100
            return (
              <div key={one.key} className={css.lane}>
                {ticks.map((tick) => (
                  <i
                    key={tick.at}
                    className={css.laneTick}
                    style={{ insetInlineStart: `${x(one.from + tick.at - (first?.from ?? 0))}%` }}
                  />
                ))}
                {one.signedIn && (
                  <i
                    className={css.laneSigned}
                    style={spanOf(x(Math.max(one.from, one.signedIn.from)), x(Math.min(one.to, one.signedIn.to)))}
                  />
                )}
                {items[row]?.map((part, place) => {
                  const chosen = at?.[0] === row && at[1] === place ? true : undefined
                  return 'from' in part ? (
                    <i
                      key={`s${part.from}`}
                      className={css.stretch}
                      data-status={part.status}
                      data-chosen={chosen}
                      style={spanOf(x(part.from), x(part.to))}
                      onPointerEnter={() => setAt([row, place])}
                    />
                  ) : (
                    <i
                      key={`m${part.at}`}
                      className={css.laneMark}
                      data-status={part.status}
                      data-chosen={chosen}
                      style={{ insetInlineStart: `${x(part.at)}%` }}
                      onPointerEnter={() => setAt([row, place])}
                    />
                  )
                })}
                {now > one.from && now < one.to && (
                  <i className={css.laneNow} style={{ insetInlineStart: `${x(now)}%` }} />
                )}
              </div>
            )
          })}
          <div className={css.timelineHours} aria-hidden="true">
            {first &&
              ticks
                .filter(
                  (tick) =>
                    tick.at > first.from + (first.to - first.from) * 0.01 &&
                    tick.at < first.from + (first.to - first.from) * 0.985,
                )
                .map((tick) => (
                  <span
                    key={tick.at}
                    style={{ insetInlineStart: `${((tick.at - first.from) / (first.to - first.from)) * 100}%` }}
                  >
                    {tick.text}
                  </span>
                ))}
          </div>
        </div>
      </div>
      <p className={css.chartReadout} aria-hidden="true">
        {words}
      </p>
    </div>
  )
}

type Item = Stretch | { readonly at: number; readonly status: Stretch['status'] }

const startOf = (item: Item) => ('from' in item ? item.from : item.at)

const offsetOf = (item: Item | undefined, lane: Lane | undefined) => (item && lane ? startOf(item) - lane.from : 0)

function closest(items: readonly Item[], at: number): number {
  let best = 0
  items.forEach((item, i) => {
    const there = items[best]
    if (there && Math.abs(startOf(item) - at) < Math.abs(startOf(there) - at)) best = i
  })
  return best
}

const spanOf = (from: number, to: number) => ({
  insetInlineStart: `${from}%`,
  inlineSize: `${Math.max(0, to - from)}%`,
})

/** Cuts stretches to a window, and joins neighbours of one status. */
export function cut(stretches: readonly Stretch[], from: number, to: number): Stretch[] {
  const kept: Stretch[] = []
  for (const one of stretches) {
    const part = { ...one, from: Math.max(one.from, from), to: Math.min(one.to, to) }
    if (part.to <= part.from) continue
    const last = kept[kept.length - 1]
    if (last && last.status === part.status && last.to === part.from) kept[kept.length - 1] = { ...last, to: part.to }
    else kept.push(part)
  }
  return kept
}

/** How long stretches had a status within a window, in milliseconds. */
export function lengthOf(stretches: readonly Stretch[], status: Stretch['status'], from: number, to: number): number {
  return cut(stretches, from, to).reduce((sum, one) => (one.status === status ? sum + one.to - one.from : sum), 0)
}
