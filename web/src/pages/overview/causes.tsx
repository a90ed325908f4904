import { useMemo } from 'react'
import { Bars, type Cell, ChartFrame, type Kind, LegendItem } from '../../charts'
import type { Range } from '../../data/history'
import { type Key, useReading } from '../../i18n'
import type { Concurrency } from '../../wire'
import css from './overview.module.css'

/**
 * Every cause a change can have, in the order in which it is stacked. What brings people stands above the line, what
 * takes them away hangs below: an outage looks like nothing else, and not like lunch.
 */
export const kinds: readonly (Kind & { readonly text: Extract<Key, `cause.${string}`> })[] = [
  { key: 'login', tone: 'login', down: false, text: 'cause.login' },
  { key: 'connect', tone: 'connect', down: false, text: 'cause.connect' },
  { key: 'heartbeat', tone: 'signal', down: false, text: 'cause.heartbeat' },
  { key: 'activity', tone: 'signal', down: false, text: 'cause.activity' },
  { key: 'touch', tone: 'signal', down: false, text: 'cause.touch' },
  { key: 'active', tone: 'signal', down: false, text: 'cause.active' },
  { key: 'admin', tone: 'admin', down: false, text: 'cause.admin' },
  { key: 'idle', tone: 'idle', down: true, text: 'cause.idle' },
  { key: 'timeout', tone: 'timeout', down: true, text: 'cause.timeout' },
  { key: 'logout', tone: 'leave', down: true, text: 'cause.logout' },
  { key: 'disconnect', tone: 'leave', down: true, text: 'cause.disconnect' },
  { key: 'forced', tone: 'forced', down: true, text: 'cause.forced' },
  { key: 'node_lost', tone: 'lost', down: true, text: 'cause.node_lost' },
]

const known = new Set(kinds.map((kind) => kind.key))

export interface CauseChartProps {
  readonly range: Range
  readonly series: Concurrency
  readonly now: number
  readonly stale: boolean
}

/** Why the number of people changed, step by step. */
export function CauseChart({ range, series, now, stale }: CauseChartProps) {
  const { t, format: f } = useReading()
  const step = series.step_seconds * 1000
  const { ats, counts, seen, totals } = useMemo(() => {
    const counts = series.items.map((p) => {
      const one: Record<string, number> = {}
      for (const [cause, n] of Object.entries(p.changes ?? {})) {
        const key = known.has(cause) ? cause : 'admin' // a cause of a newer server is not lost
        one[key] = (one[key] ?? 0) + n
      }
      return one
    })
    const totals: Record<string, number> = {}
    for (const one of counts) for (const [cause, n] of Object.entries(one)) totals[cause] = (totals[cause] ?? 0) + n
    const last = series.items.length - 1
    return {
      ats: series.items.map((p) => Date.parse(p.at)),
      counts,
      totals,
      seen: series.items.map((p, i) => p.online !== null || i === last || Boolean(p.changes)),
    }
  }, [series])
  const there = kinds.filter((kind) => totals[kind.key])
  const when = (at: number) =>
    step >= 3_600_000 ? `${f.date(at, 'short')} ${f.timeRange(at, at + step)}` : f.moment(at, now, false)
  const words = (one: Readonly<Record<string, number>>) =>
    f.list(
      kinds
        .filter((kind) => one[kind.key])
        .sort((a, b) => (one[b.key] ?? 0) - (one[a.key] ?? 0))
        .map((kind) => t('overview.why.cause', { n: one[kind.key] ?? 0, cause: t(kind.text) })),
    )

  return (
    <ChartFrame
      title={t('overview.why')}
      zone={f.zoneLabel(now)}
      stale={stale}
      legend={
        there.length ? (
          there.map((kind) => (
            <LegendItem key={kind.key} mark={kind.tone}>
              {t(kind.text)} <b className={css.count}>{f.number(totals[kind.key] ?? 0)}</b>
            </LegendItem>
          ))
        ) : (
          <span>{t('overview.why.quiet')}</span>
        )
      }
      twin={{
        file: `why-it-changed-${range}`,
        head: [t('chart.time'), ...there.map((kind) => t(kind.text))],
        rows: () => ats.map((at, i) => [when(at), ...there.map((kind) => f.number(counts[i]?.[kind.key] ?? 0))]),
        csvHead: ['at', 'at_local', ...kinds.map((kind) => kind.key)],
        csvRows: () =>
          ats.map((at, i): Cell[] => [
            new Date(at).toISOString(),
            f.isoLocal(at),
            ...kinds.map((kind) => counts[i]?.[kind.key] ?? 0),
          ]),
      }}
    >
      <Bars
        label={t('overview.why.label')}
        ats={ats}
        step={step}
        kinds={kinds}
        counts={counts}
        known={seen}
        from={ats[0] ?? now}
        to={(ats[ats.length - 1] ?? now) + step}
        say={(place) => {
          const one = counts[place] ?? {}
          const time = when(ats[place] ?? now)
          if (!seen[place]) return `${time}: ${t('chart.gap')}`
          return Object.keys(one).length
            ? t('overview.why.say', { time, causes: words(one) })
            : t('overview.why.none', { time })
        }}
      />
    </ChartFrame>
  )
}
