import { useEffect, useMemo, useState } from 'react'
import { TruthWords } from '../../app/truth'
import { LegendItem, Lines } from '../../charts'
import { StatusMark } from '../../components'
import { useCounts, useNow, useTruth } from '../../data'
import { presentOf, tailOf, useConcurrency, useSamples } from '../../data/history'
import { HOUR, useReading } from '../../i18n'
import css from './tv.module.css'

const hours = 24
const zoom = 2 // of the chart: what is on its axes is read from far away (tv.module.css says the same)

/** How many are here, for a screen on the wall: large, and with nothing to press. */
export default function Tv() {
  const { t, format: f } = useReading()
  const counts = useCounts()
  const truth = useTruth()
  const now = useNow()
  const live = truth.state === 'live'
  const series = useConcurrency('24h')
  const samples = useSamples(now, live && counts !== undefined, counts && [counts.online, counts.online + counts.away])
  const past = useMemo(() => series.data && presentOf(series.data), [series.data])
  const height = useHeight()
  useEffect(() => {
    document.title = `${t('tv.title')} · Presence`
  }, [t])
  const step = (series.data?.step_seconds ?? 0) * 1000
  const last = past?.steps.findLast((p) => p.online !== null)
  const asOf = series.data ? Date.parse(series.data.as_of) : 0
  const tail = tailOf(samples, last ? Math.min(last.from + step, asOf) : 0, ['online', 'present'])
  return (
    <main className={css.tv} data-stale={(!live && truth.state !== 'starting') || undefined}>
      <header className={css.head}>
        <h1 className="visually-hidden">{t('tv.title')}</h1>
        <TruthWords />
        <time className={css.clock} dateTime={new Date(now).toISOString()}>
          {f.time(now)}
        </time>
      </header>
      <ul className={css.counts}>
        {(['online', 'away', 'offline'] as const).map((status) => (
          <li key={status} data-status={status}>
            <span className={css.name}>
              <StatusMark status={status} size={32} />
              {t(`status.${status}`)}
            </span>
            <b>{counts ? f.number(counts[status]) : '–'}</b>
          </li>
        ))}
      </ul>
      <section className={css.chart} aria-label={t('tv.hours', { n: hours })}>
        <p className={css.legend}>
          <span>{t('tv.hours', { n: hours })}</span>
          <LegendItem mark="online">{t('overview.concurrency.online')}</LegendItem>
          <LegendItem mark="present" line="thick">
            {t('overview.concurrency.present')}
          </LegendItem>
        </p>
        {past && (past.ats.length > 0 || tail) ? (
          <div className={css.plot} inert>
            <Lines
              label={t('tv.hours', { n: hours })}
              ats={past.ats}
              step={step}
              lines={past.lines}
              tail={tail}
              from={now - hours * HOUR}
              to={now}
              height={height}
              gapText={t('chart.gap')}
              say={() => ''}
            />
          </div>
        ) : (
          <p>{series.isError ? t('state.failed') : series.isPending ? t('state.loading') : t('chart.nothing')}</p>
        )}
      </section>
    </main>
  )
}

/** The height of the chart, as the window leaves it. */
function useHeight(): number {
  const measure = () => Math.max(120, Math.round((window.innerHeight * 0.5) / zoom))
  const [height, setHeight] = useState(measure)
  useEffect(() => {
    const again = () => setHeight(measure())
    window.addEventListener('resize', again)
    return () => window.removeEventListener('resize', again)
  }, [])
  return height
}
