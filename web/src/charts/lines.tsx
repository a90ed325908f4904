import { memo, useMemo } from 'react'
import { useReading } from '../i18n'
import { room, TimeAxis, ValueAxis } from './axis'
import css from './charts.module.css'
import { areaPath, gaps, linePath, nearest, niceTicks, timeTicks } from './scale'
import { useCursor, useWidth } from './use'

/** One line: a value at each moment, null where nobody was looking. */
export interface Line {
  readonly key: string
  /** Names its colour and stroke in the style sheet. */
  readonly tone: string
  readonly values: readonly (number | null)[]
  readonly area?: boolean
}

/** What was seen since the history was fetched; drawn after it, so that a second costs no more than a second. */
export interface Tail {
  readonly ats: readonly number[]
  readonly values: Readonly<Record<string, readonly number[]>>
}

export interface LinesProps {
  readonly label: string
  /** The moments of the values, in order, in equal steps. */
  readonly ats: readonly number[]
  /** The length of a step in milliseconds: what is further apart is not joined. */
  readonly step: number
  readonly lines: readonly Line[]
  readonly tail?: Tail
  readonly from: number
  readonly to: number
  readonly height?: number
  /** A moment in words, with its values, as the cursor meets it. */
  readonly say: (place: number) => string
  readonly gapText: string
}

/** Lines over time. Gaps stay gaps: nothing is drawn where nothing was recorded. */
export function Lines({ label, ats, step, lines, tail, from, to, height = 220, say, gapText }: LinesProps) {
  const { format: f } = useReading()
  const [ref, width] = useWidth<HTMLDivElement>()
  const top = useMemo(() => {
    const highest = Math.max(
      0,
      ...lines.flatMap((line) => [...line.values, ...(tail?.values[line.key] ?? [])].map((v) => v ?? 0)),
    )
    return niceTicks(highest, 4)
  }, [lines, tail])
  const end = top[top.length - 1] ?? 1
  const scale = width / Math.max(1, to - from)
  const x = (at: number) => (at - from) * scale
  const floor = height - room.bottom
  const y = (value: number) => floor - (value / end) * (floor - room.top)
  const ticks = useMemo(
    () => timeTicks(from, to, f, Math.max(2, width / 76)),
    [Math.floor(from / 10_000), to - from, f, width],
  )
  const cursor = useCursor(ats.length, (px) => nearest(ats, from + px / (scale || 1)))
  const here = cursor.place === null ? undefined : ats[cursor.place]
  const holes = useMemo(() => gaps(ats.map((at, i) => ({ at, value: lines[0]?.values[i] ?? null }))), [ats, lines])
  const last = ats.length - 1
  const words = last < 0 ? label : say(cursor.place ?? last)

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
            <ValueAxis ticks={top} y={y} write={(v) => f.decimal(v, 1)} width={width} />
            <TimeAxis ticks={ticks} x={x} height={height} width={width} />
            {holes.map((hole) => {
              const [a, b] = [Math.max(0, x(hole.from)), Math.min(width, x(hole.to))]
              return b - a < 1 ? null : (
                <g key={hole.from} className={css.hole}>
                  <rect x={a} y={room.top} width={b - a} height={floor - room.top} />
                  {b - a > 90 && (
                    <text x={(a + b) / 2} y={(room.top + floor) / 2} textAnchor="middle">
                      {gapText}
                    </text>
                  )}
                </g>
              )
            })}
            <g transform={`translate(${x(ats[0] ?? from)} 0)`}>
              <Past ats={ats} lines={lines} scale={scale} floor={floor} pixel={(floor - room.top) / end} />
            </g>
            {tail && <Now ats={ats} step={step} lines={lines} tail={tail} x={x} y={y} />}
            {here !== undefined && (
              <g className={css.cursor}>
                <line x1={x(here)} x2={x(here)} y1={room.top} y2={floor} />
                {lines.map((line) => {
                  const value = cursor.place === null ? null : (line.values[cursor.place] ?? null)
                  return value === null ? null : (
                    <circle
                      key={line.key}
                      className={css.dot}
                      data-tone={line.tone}
                      cx={x(here)}
                      cy={y(value)}
                      r={3.5}
                    />
                  )
                })}
              </g>
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

/** History, drawn once: it only moves along as time goes on. */
const Past = memo(function Past({
  ats,
  lines,
  scale,
  floor,
  pixel,
}: {
  ats: readonly number[]
  lines: readonly Line[]
  scale: number
  floor: number
  pixel: number
}) {
  const first = ats[0] ?? 0
  const xs = ats.map((at) => (at - first) * scale)
  return lines.map((line) => {
    const ys = line.values.map((v) => (v === null ? null : floor - v * pixel))
    return (
      <g key={line.key} className={css.line} data-tone={line.tone}>
        {line.area && <path className={css.lineArea} d={areaPath(xs, ys, floor)} />}
        <path className={css.lineStroke} d={linePath(xs, ys)} />
      </g>
    )
  })
})

function Now({
  ats,
  step,
  lines,
  tail,
  x,
  y,
}: {
  ats: readonly number[]
  step: number
  lines: readonly Line[]
  tail: Tail
  x: (at: number) => number
  y: (v: number) => number
}) {
  return lines.map((line) => {
    const values = tail.values[line.key]
    const start = tail.ats[0]
    if (!values || start === undefined) return null
    const last = line.values.findLastIndex((v) => v !== null)
    const [lastAt, lastValue] = [ats[last], line.values[last]]
    const joined = lastAt !== undefined && typeof lastValue === 'number' && start - lastAt <= 1.6 * step
    const xs = [...(joined ? [x(lastAt)] : []), ...tail.ats.map(x)]
    const ys = [...(joined ? [y(lastValue)] : []), ...values.map(y)]
    const [cx, cy] = [xs[xs.length - 1], ys[ys.length - 1]]
    return (
      <g key={line.key} className={css.line} data-tone={line.tone}>
        {line.area && <path className={css.lineArea} d={areaPath(xs, ys, y(0))} />}
        <path className={css.lineStroke} d={linePath(xs, ys)} />
        {cx !== undefined && cy !== undefined && <circle className={css.dot} cx={cx - 3} cy={cy} r={3} />}
      </g>
    )
  })
}
