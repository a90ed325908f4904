import type { ReactNode } from 'react'
import { Sparkline } from '../../charts'
import { useReading } from '../../i18n'
import type { FeedCounts, FeedHello } from '../../wire'
import css from './overview.module.css'

export interface TilesProps {
  readonly counts: FeedCounts | undefined
  readonly devices: number | undefined
  readonly connections: number | undefined
  readonly hello: FeedHello | undefined
  readonly stale: boolean
  /** The last hour, a value a minute. */
  readonly hour: { readonly [name in 'online' | 'away' | 'offline' | 'devices']: readonly (number | null)[] }
}

/** The numbers of now. The three states add up to everybody in every frame, because they come in one. */
export function Tiles({ counts, devices, connections, hello, stale, hour }: TilesProps) {
  const { t, format: f } = useReading()
  const silence = hello ? f.durationLong(hello.offline_after_ms) : '…'
  const present = counts ? counts.online + counts.away : 0
  return (
    <section className={css.tiles} aria-label={t('overview.tiles')} data-stale={stale || undefined}>
      <Tile
        tone="online"
        name={t('status.online')}
        value={counts?.online}
        values={hour.online}
        means={t('overview.online.means', { time: silence })}
      />
      <Tile
        tone="away"
        name={t('status.away')}
        value={counts?.away}
        values={hour.away}
        means={t('overview.away.means')}
      />
      <Tile
        tone="offline"
        name={t('status.offline')}
        value={counts?.offline}
        values={hour.offline}
        means={t('overview.offline.means', { time: silence })}
      />
      <Tile
        tone="present"
        name={t('overview.devices')}
        value={devices}
        values={hour.devices}
        means={
          present > 0 && devices !== undefined
            ? t('overview.devices.means', {
                ratio: f.decimal(devices / present, 2),
                n: connections === undefined ? '–' : f.number(connections),
              })
            : t('overview.devices.none')
        }
      />
    </section>
  )
}

interface TileProps {
  readonly tone: string
  readonly name: string
  readonly value: number | undefined
  readonly values: readonly (number | null)[]
  readonly means: ReactNode
}

function Tile({ tone, name, value, values, means }: TileProps) {
  const { t, format: f } = useReading()
  const before = values[0] ?? null
  return (
    <div className={css.tile} data-tone={tone}>
      <h2>
        <Mark tone={tone} />
        {name}
      </h2>
      <p className={css.number} data-number="">
        {value === undefined ? '–' : f.number(value)}
      </p>
      <Sparkline values={values} tone={tone} />
      <p className={css.means}>{means}</p>
      {before !== null && <p className={css.before}>{t('overview.hourAgo', { n: f.number(before) })}</p>}
    </div>
  )
}

/** Filled, half, hollow: the shape says it where no colour does. */
function Mark({ tone }: { readonly tone: string }) {
  return (
    <svg className={css.mark} data-tone={tone} viewBox="0 0 12 12" aria-hidden="true" focusable="false">
      {tone === 'present' ? (
        <rect x="1.75" y="2.75" width="8.5" height="6.5" rx="1" />
      ) : (
        <circle cx="6" cy="6" r="4.25" />
      )}
      {tone === 'away' && <path d="M6 1.75a4.25 4.25 0 0 1 0 8.5z" />}
    </svg>
  )
}
