import { memo } from 'react'
import css from './charts.module.css'
import { areaPath, linePath } from './scale'

export interface SparklineProps {
  /** Values in equal steps; null where nothing was recorded. */
  readonly values: readonly (number | null)[]
  /** The status whose colour it has. */
  readonly tone: string
}

/** The shape of the last hour behind a number, which says the rest: hidden from those who listen. */
export const Sparkline = memo(function Sparkline({ values, tone }: SparklineProps) {
  const known = values.filter((v) => v !== null)
  const low = Math.min(...known)
  const high = Math.max(...known)
  // The shape fills the height, but a level that hardly moves stays a level.
  const span = Math.max(high - low, Math.abs(high) * 0.02, 1)
  const xs = values.map((_, i) => (i * 100) / Math.max(1, values.length - 1))
  const ys = values.map((v) => (v === null ? null : 27 - ((v - low) / span) * 24))
  return (
    <svg
      className={css.sparkline}
      data-tone={tone}
      viewBox="0 0 100 28"
      preserveAspectRatio="none"
      aria-hidden="true"
      focusable="false"
    >
      <path className={css.sparkArea} d={areaPath(xs, ys, 28)} />
      <path className={css.sparkLine} d={linePath(xs, ys)} vectorEffect="non-scaling-stroke" />
    </svg>
  )
})
