import { type Cell, csv, download } from '../../charts'
import { Button } from '../../components'
import { SECOND, useReading } from '../../i18n'
import type { History } from '../../wire'
import css from './user.module.css'

/** What the stretch of time on the screen adds up to. */
export function Totals({ history, username }: { readonly history: History; readonly username: string }) {
  const { t, format: f } = useReading()
  const length = (seconds: number) => f.duration(seconds * SECOND)
  const { totals } = history
  const save = () =>
    download(
      `totals-${username}-${history.from.slice(0, 10)}.csv`,
      csv(
        ['date', 'online_seconds', 'away_seconds', 'offline_seconds', 'not_recorded_seconds', 'time_zone'],
        history.days.map((day): Cell[] => [
          day.date,
          day.totals.online_seconds,
          day.totals.away_seconds,
          day.totals.offline_seconds,
          day.totals.unknown_seconds,
          f.zone,
        ]),
      ),
    )
  return (
    <section className={css.totals} aria-label={t('user.totals')}>
      <dl>
        <Total name={t('user.totals.online')} value={length(totals.online_seconds)} />
        <Total name={t('user.totals.away')} value={length(totals.away_seconds)} />
        <Total name={t('user.totals.longest')} value={length(history.longest_online_seconds)} />
        <Total name={t('user.totals.days', { n: history.days_present })} value={f.number(history.days_present)} />
        {totals.unknown_seconds > 0 && <Total name={t('user.totals.unknown')} value={length(totals.unknown_seconds)} />}
      </dl>
      <Button kind="plain" aria-label={t('act.csvOf', { what: t('user.totals') })} onClick={save}>
        {t('act.csv')}
      </Button>
    </section>
  )
}

function Total({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}
