import { useMemo } from 'react'
import { useReading } from '../i18n'
import { room, TimeAxis, ValueAxis } from './axis'
import css from './charts.module.css'
import { niceTicks, timeTicks } from './scale'
import { useCursor, useWidth } from './use'

/** One kind of thing that is counted; `down` ones hang from the line: they took people away. */
export interface Kind {
  readonly key: string
  readonly tone: string
  readonly down: boolean
}

export interface BarsProps {
  readonly label: string
  /** The beginnings of the steps. */
  readonly ats: readonly number[]
  readonly step: number
  readonly kinds: readonly Kind[]
  readonly counts: readonly Readonly<Record<string, number>>[]
  /** False where no server was looking: then there is no bar and no zero either. */
  readonly known: readonly boolean[]
  readonly from: number
  readonly to: number
  readonly height?: number
  readonly say: (place: number) => string
}

/** Bars per step: what brought people above the line, what took them away below it. */
export function Bars({ label, ats, step, kinds, counts, known, from, to, height = 150, say }: BarsProps) {
  const { format: f } = useReading()
  const [ref, width] = useWidth<HTMLDivElement>()
  const sum = (one: Readonly<Record<string, number>>, down: boolean) =>
    kinds.reduce((n, kind) => (kind.down === down ? n + (one[kind.key] ?? 0) : n), 0)
  const axis = useMemo(() => {
    const highest = Math.max(1, ...counts.flatMap((one) => [sum(one, false), sum(one, true)]))
    return niceTicks(highest, 3)
  }, [counts, kinds])
  const end = axis[axis.length - 1] ?? 1
  const middle = (room.top + height - room.bottom) / 2
  const half = middle - room.top
  const scale = width / Math.max(1, to - from)
  const x = (at: number) => (at - from) * scale
  const y = (value: number) => middle - (value / end) * half
  const wide = Math.max(1, step * scale)
  const ticks = useMemo(
    () => timeTicks(from, to, f, Math.max(2, width / 76)),
    [Math.floor(from / 10_000), to - from, f, width],
  )
  const cursor = useCursor(ats.length, (px) => Math.floor((from + px / (scale || 1) - (ats[0] ?? 0)) / step))
  const here = cursor.place === null ? undefined : ats[cursor.place]
  const last = ats.length - 1
  const words = last < 0 ? label : say(cursor.place ?? last)
  const bars = useMemo(
    () =>
      ats.map((at, i) => {
        const one = counts[i] ?? {}
        const place = { true: 0, false: 0 }
        return kinds.map((kind) => {
          const n = one[kind.key] ?? 0
          if (n === 0) return null
          const side = String(kind.down) as 'true' | 'false'
          const before = place[side]
          place[side] += n
          const [a, b] = kind.down ? [y(-before), y(-place[side])] : [y(place[side]), y(before)]
          const gap = wide > 3 ? 1 : 0
          return (
            <rect
              key={`${at} ${kind.key}`}
              className={css.bar}
              data-tone={kind.tone}
              x={(at - (ats[0] ?? 0)) * scale}
              y={a}
              width={Math.max(1, wide - gap)}
              height={Math.max(0.75, b - a)}
            />
          )
        })
      }),
    [ats, counts, kinds, scale, end, height],
  )

  return (
    <>
      <div
        ref={ref}
        className={css.plot}
        style={{ height }}
        role="slider"
        tabIndex={0}
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, ats.length - 1)}
        aria-valuenow={cursor.place ?? Math.max(0, ats.length - 1)}
        aria-valuetext={words}
        {...cursor.handlers}
      >
        {width > 0 && (
          <svg width={width} height={height} aria-hidden="true" focusable="false">
            <ValueAxis
              ticks={[...axis.slice(1).map((v) => -v), ...axis]}
              y={y}
              write={(v) => f.number(v)}
              width={width}
            />
            <TimeAxis ticks={ticks} x={x} height={height} width={width} />
            {runs(known).map(([first, end]) => (
              <rect
                key={first}
                className={css.holeStep}
                x={x(ats[first] ?? from)}
                y={room.top}
                width={(end - first) * wide}
                height={2 * half}
              />
            ))}
            <g transform={`translate(${x(ats[0] ?? from)} 0)`}>{bars}</g>
            {here !== undefined && (
              <rect className={css.cursorStep} x={x(here)} y={room.top} width={Math.max(2, wide)} height={2 * half} />
            )}
          </svg>
        )}
      </div>
      <p className={css.chartReadout} aria-hidden="true">
        {words}
      </p>
    </>
  )
}

/** Where steps that nobody saw begin and end. */
export function runs(known: readonly boolean[]): [number, number][] {
  const found: [number, number][] = []
  known.forEach((seen, i) => {
    const last = found[found.length - 1]
    if (seen) return
    if (last && last[1] === i) last[1] = i + 1
    else found.push([i, i + 1])
  })
  return found
}
