import { useMemo } from 'react'
import { useAddress } from '../../app/address'
import { Page } from '../../components'
import { useCounts, useLive, useNow, useTruth, useValue } from '../../data'
import { isRange, useApiCounts, useConcurrency, useSamples, useWeek } from '../../data/history'
import { useReading } from '../../i18n'
import { Attention } from './attention'
import { CauseChart } from './causes'
import css from './overview.module.css'
import { PeopleChart } from './people'
import { Tiles } from './tiles'
import { WeekMap } from './week'

/** How many people are here, how that came about, and what somebody should look at. */
export default function OverviewPage() {
  const { t, format: f } = useReading()
  const counts = useCounts()
  const truth = useTruth()
  const hello = useValue(useLive().hello)
  const now = useNow()
  const address = useAddress()
  const wanted = address.get('range')
  const range = isRange(wanted) ? wanted : '24h'
  const series = useConcurrency(range)
  const hour = useConcurrency('1h')
  const week = useWeek(f.zone)
  const api = useApiCounts()
  const live = truth.state === 'live'
  const samples = useSamples(now, live && counts !== undefined, counts && [counts.online, counts.online + counts.away])
  const shape = useMemo(() => {
    const items = hour.data?.items ?? []
    return {
      online: items.map((p) => p.online),
      away: items.map((p) => p.away),
      offline: items.map((p) => p.offline),
      devices: items.map((p) => p.devices),
    }
  }, [hour.data])
  const lastHour = {
    online: [...shape.online.slice(0, -1), counts?.online ?? null],
    away: [...shape.away.slice(0, -1), counts?.away ?? null],
    offline: [...shape.offline.slice(0, -1), counts?.offline ?? null],
    devices: [...shape.devices.slice(0, -1), api.data?.devices ?? null],
  }
  const stale = truth.state !== 'live' && truth.state !== 'starting'

  return (
    <Page
      title={t('overview.title')}
      about={
        counts && (
          <span className={css.foot}>{t('overview.sum', { total: counts.online + counts.away + counts.offline })}</span>
        )
      }
    >
      <Tiles
        counts={counts}
        devices={api.data?.devices}
        connections={api.data?.connections}
        hello={hello}
        stale={stale}
        hour={lastHour}
      />
      {series.data ? (
        <>
          <div className={css.panel}>
            <PeopleChart
              range={range}
              onRange={(next) => address.set({ range: next === '24h' ? null : next })}
              series={series.data}
              samples={samples}
              now={now}
              stale={stale}
            />
          </div>
          <div className={css.panel}>
            <CauseChart range={range} series={series.data} now={now} stale={stale} />
          </div>
        </>
      ) : (
        <p className={css.waiting} role="status">
          {series.isError ? t('state.failed') : t('state.loading')}
        </p>
      )}
      <div className={css.lower}>
        <div className={css.panel}>
          {week.data ? (
            <WeekMap week={week.data} now={now} stale={stale} />
          ) : (
            <p className={css.waiting}>{week.isError ? t('state.failed') : t('state.loading')}</p>
          )}
        </div>
        <div className={css.panel}>
          <Attention />
        </div>
      </div>
      {api.data && <Agreement counts={api.data} shown={counts} live={live} />}
    </Page>
  )
}

/** Says that what is shown and what the API counts are the same numbers, with the numbers. */
function Agreement({
  counts,
  shown,
  live,
}: {
  readonly counts: { readonly online: number; readonly away: number; readonly offline: number; readonly as_of: string }
  readonly shown: { readonly online: number; readonly away: number; readonly offline: number } | undefined
  readonly live: boolean
}) {
  const { t, format: f } = useReading()
  const same =
    live && shown && shown.online === counts.online && shown.away === counts.away && shown.offline === counts.offline
  const values = {
    online: counts.online,
    away: counts.away,
    offline: counts.offline,
    time: f.time(Date.parse(counts.as_of), true),
  }
  return <p className={css.foot}>{same ? t('overview.agree', values) : t('overview.differ', values)}</p>
}
