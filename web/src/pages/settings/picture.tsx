import { type KeyboardEvent, type PointerEvent, useRef } from 'react'
import { type Key, useReading } from '../../i18n'
import type { Timeouts } from '../../wire'
import css from './settings.module.css'
import { bounds, type Name, rounded } from './timeouts'

interface Handle {
  readonly name: Name
  readonly lane: 0 | 1 | 2
}

const handles: readonly Handle[] = [
  { name: 'heartbeat_interval', lane: 0 },
  { name: 'offline_after', lane: 0 },
  { name: 'idle_after', lane: 1 },
  { name: 'leave_grace', lane: 2 },
]

const lanes = ['settings.lane.silence', 'settings.lane.input', 'settings.lane.socket'] as const
type FieldKey = Extract<Key, `settings.timeout.${Name}`>

export interface PictureProps {
  readonly timeouts: Timeouts
  readonly disabled: boolean
  readonly onChange: (name: Name, seconds: number) => void
}

/**
 * What happens after the last sign of life, after the last input, and after the last connection closed, on one scale.
 * Each boundary can be drawn along it, by pointer or by keys. Time runs from left to right in every language.
 */
export function TimeoutsPicture({ timeouts: t, disabled, onChange }: PictureProps) {
  const { t: say, format: f } = useReading()
  const box = useRef<HTMLDivElement>(null)
  // The scale does not move under the hand: it is that of when the drawing began.
  const held = useRef<number | null>(null)
  const fit = Math.max(60, ...handles.map((h) => (Number.isFinite(t[h.name]) ? t[h.name] : 0))) * 1.25
  const scale = held.current ?? fit
  const at = (seconds: number) => `${Math.min(100, Math.max(0, (seconds / scale) * 100))}%`

  const drag = (name: Name) => (e: PointerEvent<HTMLButtonElement>) => {
    if (disabled || (e.type === 'pointermove' && !e.currentTarget.hasPointerCapture(e.pointerId))) return
    if (e.type === 'pointerdown') {
      e.currentTarget.setPointerCapture(e.pointerId)
      held.current = scale
    }
    const rect = box.current?.getBoundingClientRect()
    if (rect) onChange(name, rounded(((e.clientX - rect.left) / rect.width) * scale, name))
  }
  const keys = (name: Name) => (e: KeyboardEvent) => {
    const step = (e.shiftKey ? 10 : 1) * (t[name] < 20 ? 1 : t[name] < 120 ? 5 : t[name] < 600 ? 15 : 60)
    const to =
      e.key === 'ArrowRight' || e.key === 'ArrowUp'
        ? t[name] + step
        : e.key === 'ArrowLeft' || e.key === 'ArrowDown'
          ? t[name] - step
          : e.key === 'Home'
            ? bounds[name][0]
            : undefined
    if (to === undefined || disabled) return
    e.preventDefault()
    e.stopPropagation()
    onChange(name, Math.min(bounds[name][1], Math.max(bounds[name][0], to)))
  }
  const beats = t.heartbeat_interval > 0 ? Math.min(60, Math.floor(t.offline_after / t.heartbeat_interval)) : 0

  return (
    <div className={css.picture} dir="ltr">
      {lanes.map((lane, n) => (
        <div key={lane} className={css.lane}>
          <div className={css.laneName} dir="auto">
            {say(lane)}
          </div>
          <div className={css.track} ref={n === 0 ? box : undefined}>
            {n === 0 && (
              <>
                <span className={css.online} style={{ insetInlineStart: 0, inlineSize: at(t.offline_after) }} />
                <span className={css.offline} style={{ insetInlineStart: at(t.offline_after), insetInlineEnd: 0 }} />
                {Array.from({ length: beats }, (_, i) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the i-th beat is the i-th beat
                  <span key={i} className={css.beat} style={{ insetInlineStart: at((i + 1) * t.heartbeat_interval) }} />
                ))}
              </>
            )}
            {n === 1 && (
              <>
                <span className={css.online} style={{ insetInlineStart: 0, inlineSize: at(t.idle_after) }} />
                <span className={css.away} style={{ insetInlineStart: at(t.idle_after), insetInlineEnd: 0 }} />
              </>
            )}
            {n === 2 && (
              <>
                <span className={css.online} style={{ insetInlineStart: 0, inlineSize: at(t.leave_grace) }} />
                <span className={css.offline} style={{ insetInlineStart: at(t.leave_grace), insetInlineEnd: 0 }} />
              </>
            )}
            {handles
              .filter((h) => h.lane === n)
              .map((h) => (
                <button
                  key={h.name}
                  type="button"
                  role="slider"
                  className={css.handle}
                  style={{ insetInlineStart: at(t[h.name]) }}
                  aria-label={say(`settings.timeout.${h.name}` as FieldKey)}
                  aria-valuemin={bounds[h.name][0]}
                  aria-valuemax={bounds[h.name][1]}
                  aria-valuenow={Number.isFinite(t[h.name]) ? t[h.name] : 0}
                  aria-valuetext={f.durationLong((t[h.name] || 0) * 1000)}
                  aria-disabled={disabled || undefined}
                  onPointerDown={drag(h.name)}
                  onPointerMove={drag(h.name)}
                  onPointerUp={() => {
                    held.current = null
                    onChange(h.name, t[h.name])
                  }}
                  onKeyDown={keys(h.name)}
                >
                  <span className={css.value}>
                    <bdi>{f.duration((t[h.name] || 0) * 1000)}</bdi>
                  </span>
                </button>
              ))}
          </div>
        </div>
      ))}
    </div>
  )
}
