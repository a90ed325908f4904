import { useMemo } from 'react'
import { type Cell, ChartFrame, LegendItem, Lines } from '../../charts'
import { devicesOf, isRange, presentOf, type Range, ranges, type Samples, tailOf } from '../../data/history'
import { useReading } from '../../i18n'
import type { Concurrency } from '../../wire'
import css from './overview.module.css'

export interface PeopleChartProps {
  readonly range: Range
  readonly onRange: (range: Range) => void
  readonly series: Concurrency
  readonly samples: Samples
  readonly now: number
  readonly stale: boolean
}

const back: Readonly<Record<Range, number>> = {
  '1h': 3_600_000,
  '24h': 86_400_000,
  '7d': 7 * 86_400_000,
  '30d': 30 * 86_400_000,
}

/** How many people were there. A step's mean stands in its middle; the last hour's second by second is added as it happens. */
export function PeopleChart({ range, onRange, series, samples, now, stale }: PeopleChartProps) {
  const { t, format: f } = useReading()
  const step = series.step_seconds * 1000
  const asOf = Date.parse(series.as_of)
  const { ats, lines, steps } = useMemo(() => presentOf(series), [series])
  const drawn = useMemo(() => [...lines, devicesOf(series, steps.length)], [lines, series, steps])
  const last = steps.findLast((p) => p.online !== null)
  const tail = tailOf(samples, last ? Math.min(last.from + step, asOf) : 0, ['online', 'present'])
  const best = steps.reduce<{ n: number; at: number } | undefined>(
    (found, p) =>
      p.peak_online !== null && (!found || p.peak_online > found.n) ? { n: p.peak_online, at: p.from } : found,
    undefined,
  )
  const when = (p: { from: number }) =>
    step >= 3_600_000
      ? `${f.date(p.from, 'short')} ${f.timeRange(p.from, p.from + step)}`
      : f.moment(p.from, now, false)
  const number = (n: number | null) => (n === null ? '–' : f.decimal(n, 1))

  return (
    <ChartFrame
      title={t('overview.concurrency')}
      zone={f.zoneLabel(now)}
      stale={stale}
      controls={<Ranges range={range} onRange={onRange} />}
      legend={
        <>
          <LegendItem mark="online">{t('overview.concurrency.online')}</LegendItem>
          <LegendItem mark="present" line="thick">
            {t('overview.concurrency.present')}
          </LegendItem>
          <LegendItem mark="devices" line="dashed">
            {t('overview.concurrency.devices')}
          </LegendItem>
          <LegendItem mark="peak" line="thin">
            {t('overview.concurrency.peak')}
          </LegendItem>
          {best && (
            <span className={css.best}>
              {t('overview.concurrency.best', { n: f.number(best.n), time: f.moment(best.at, now, false) })}
            </span>
          )}
        </>
      }
      twin={{
        file: `people-present-${range}`,
        head: [
          t('chart.time'),
          t('status.online'),
          t('status.away'),
          t('status.offline'),
          t('overview.concurrency.peak'),
          t('overview.devices'),
          t('overview.connections'),
        ],
        rows: () =>
          steps.map((p) => [
            when(p),
            ...[p.online, p.away, p.offline, p.peak_online, p.devices, p.connections].map(number),
          ]),
        csvHead: ['at', 'at_local', 'online', 'away', 'offline', 'peak_online', 'devices', 'connections'],
        csvRows: () =>
          steps.map((p): Cell[] => [
            p.at,
            f.isoLocal(p.from),
            p.online,
            p.away,
            p.offline,
            p.peak_online,
            p.devices,
            p.connections,
          ]),
      }}
    >
      {ats.length || tail ? (
        <Lines
          label={t('overview.concurrency.label')}
          ats={ats}
          step={step}
          lines={drawn}
          tail={tail}
          from={now - back[range]}
          to={now}
          gapText={t('chart.gap')}
          say={(place) => {
            const p = steps[place]
            if (!p) return ''
            return p.online === null
              ? `${when(p)}: ${t('chart.gap')}`
              : t('overview.concurrency.say', {
                  time: when(p),
                  online: number(p.online),
                  present: number(p.online + (p.away ?? 0)),
                  peak: number(p.peak_online),
                  devices: number(p.devices),
                })
          }}
        />
      ) : (
        <p className={css.empty}>{t('chart.nothing')}</p>
      )}
    </ChartFrame>
  )
}

function Ranges({ range, onRange }: { readonly range: Range; readonly onRange: (range: Range) => void }) {
  const { t } = useReading()
  const name = (one: Range) => {
    const n = Number.parseInt(one, 10)
    return one.endsWith('h') ? t('overview.range.hours', { n }) : t('overview.range.days', { n })
  }
  return (
    <span className={css.ranges} role="group" aria-label={t('overview.range')}>
      {ranges.map((one) => (
        <button key={one} type="button" aria-pressed={one === range} onClick={() => isRange(one) && onRange(one)}>
          {name(one)}
        </button>
      ))}
    </span>
  )
}
