import css from './charts.module.css'
import type { TimeTick } from './scale'

/** The room that a plot leaves for the words of its axes, in CSS pixels. */
export const room = { top: 8, bottom: 22, start: 0, end: 0 } as const

/** Hours and days below a plot. */
export function TimeAxis({
  ticks,
  x,
  height,
  width,
}: {
  readonly ticks: readonly TimeTick[]
  readonly x: (at: number) => number
  readonly height: number
  readonly width: number
}) {
  return (
    <g className={css.axis}>
      {ticks.map((tick) => {
        const place = x(tick.at)
        return (
          <g key={tick.at}>
            <line
              className={css.tick}
              data-day={tick.day || undefined}
              x1={place}
              x2={place}
              y1={room.top}
              y2={height - room.bottom}
            />
            {place > 24 && place < width - 24 && (
              <text x={place} y={height - 6} textAnchor="middle">
                {tick.text}
              </text>
            )}
          </g>
        )
      })}
    </g>
  )
}

/** Values at the edge of a plot, above their lines. */
export function ValueAxis({
  ticks,
  y,
  write,
  width,
}: {
  readonly ticks: readonly number[]
  readonly y: (value: number) => number
  readonly write: (value: number) => string
  readonly width: number
}) {
  return (
    <g className={css.axis}>
      {ticks.map((value) => (
        <g key={value}>
          <line
            className={css.grid}
            data-zero={value === 0 || undefined}
            x1={0}
            x2={width}
            y1={y(value)}
            y2={y(value)}
          />
          {value !== 0 && (
            <text className={css.axisValue} x={2} y={y(value) + 12}>
              {write(Math.abs(value))}
            </text>
          )}
        </g>
      ))}
    </g>
  )
}
