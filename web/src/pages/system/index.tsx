import { useQuery } from '@tanstack/react-query'
import type { Label } from '../../app/label'
import { Failed, Icon, type IconName, Notice, Page } from '../../components'
import { useApi, useLive } from '../../data'
import { Say, SECOND, useReading } from '../../i18n'
import type { Fact, System } from '../../wire'
import { amount, barOf } from './amount'
import css from './system.module.css'

/** How the node that answers is, each number with its limit. */
export default function SystemPage() {
  const { t, format: f } = useReading()
  const api = useApi()
  const now = useLive().now()
  const system = useQuery({
    queryKey: ['system'],
    queryFn: ({ signal }) => api.get<System>('/system', {}, signal),
    refetchInterval: 5 * SECOND,
    retry: false, // it is asked again soon
  })
  const told = system.data
  const asOf = told && f.time(Date.parse(told.as_of), true)
  const bad = told?.facts.filter((fact) => fact.state !== 'ok').length ?? 0
  return (
    <Page title={t('system.title')} about={<p className={css.about}>{t('system.about')}</p>}>
      {!told ? (
        system.isError ? (
          <Failed onRetry={() => void system.refetch()} />
        ) : (
          <p className={css.soft}>{t('state.loading')}</p>
        )
      ) : (
        <>
          {system.isError && (
            <Notice kind="danger">
              <Say k="state.stale" v={{ time: <time dateTime={told.as_of}>{asOf}</time> }} />
            </Notice>
          )}
          <dl className={css.server} data-stale={system.isError || undefined}>
            <Item name={t('system.version')}>
              <bdi dir="ltr">{told.version}</bdi>
            </Item>
            <Item name={t('system.node')}>
              <bdi dir="ltr">{told.node}</bdi>
            </Item>
            <Item name={t('system.started')}>
              <time dateTime={told.started_at}>{f.moment(Date.parse(told.started_at), now)}</time>
            </Item>
            <Item name={t('system.uptime')}>{f.durationLong(told.uptime_seconds * SECOND)}</Item>
          </dl>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the page scrolls by keys, and there is nothing else on it to stand on */}
          <section className={css.panel} tabIndex={0} aria-labelledby="facts" data-stale={system.isError || undefined}>
            <header className={css.head}>
              <h2 id="facts">{t('system.facts')}</h2>
              <p data-bad={bad > 0 || undefined}>{bad ? t('system.look', { n: bad }) : t('system.well')}</p>
              <time dateTime={told.as_of}>{t('system.asOf', { time: asOf ?? '' })}</time>
            </header>
            <ul className={css.facts}>
              {told.facts.map((fact) => (
                <FactRow key={fact.key} fact={fact} />
              ))}
            </ul>
          </section>
          <p className={css.about}>
            <Say k="system.doctor" v={{ command: <code>presence doctor</code> }} />
          </p>
        </>
      )}
    </Page>
  )
}

function Item({ name, children }: { readonly name: string; readonly children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

interface Known {
  readonly name: Label
  readonly means: Label | 'system.broadcast_lag.means'
  /** Said when there is no number. */
  readonly none?: Label
}

/** What we have words for. The server says the others itself: it may be newer than this page. */
const known: Readonly<Record<string, Known>> = {
  sockets: { name: 'system.sockets', means: 'system.sockets.means' },
  heartbeats: { name: 'system.heartbeats', means: 'system.heartbeats.means' },
  broadcast_lag: { name: 'system.broadcast_lag', means: 'system.broadcast_lag.means' },
  readers_behind: { name: 'system.readers_behind', means: 'system.readers_behind.means' },
  store_backlog: { name: 'system.store_backlog', means: 'system.store_backlog.means' },
  expiry_lag: { name: 'system.expiry_lag', means: 'system.expiry_lag.means' },
  memory: { name: 'system.memory', means: 'system.memory.means' },
  open_files: { name: 'system.open_files', means: 'system.open_files.means' },
  database_size: { name: 'system.database_size', means: 'system.database_size.means' },
  wal_size: { name: 'system.wal_size', means: 'system.wal_size.means' },
  backup_age: { name: 'system.backup_age', means: 'system.backup_age.means', none: 'system.backup_age.none' },
}

const marks: Readonly<Record<Fact['state'], IconName>> = { ok: 'check', warn: 'alert', fail: 'close' }

function FactRow({ fact }: { readonly fact: Fact }) {
  const reading = useReading()
  const { t, format: f } = reading
  const { value, warn, limit } = fact
  const words = known[fact.key]
  const means = words && (value === null ? words.none : words.means)
  const said = means === 'system.broadcast_lag.means' ? t(means, { part: f.percent(0.99) }) : means && t(means)
  const bounded = fact.state !== 'ok' || warn !== undefined || limit !== undefined
  const write = (n: number) => amount(n, fact.unit, reading)
  const lines =
    warn !== undefined && limit !== undefined
      ? t('system.fromAndLimit', { warn: write(warn), limit: write(limit) })
      : limit !== undefined
        ? t('system.limit', { limit: write(limit) })
        : warn !== undefined
          ? t('system.from', { warn: write(warn) })
          : ''
  return (
    <li data-fact={fact.key} data-state={bounded ? fact.state : 'plain'}>
      <span className={css.name}>
        <b>{words ? t(words.name) : <bdi>{fact.key}</bdi>}</b>
        <span>{said ?? <bdi dir="auto">{fact.text}</bdi>}</span>
      </span>
      <span className={css.value}>{value === null ? t('system.unknown') : write(value)}</span>
      <span className={css.limit}>
        <BarOf fact={fact} />
        <span>{lines}</span>
      </span>
      <span className={css.state}>
        {bounded && <Icon name={marks[fact.state]} />}
        {t(bounded ? `system.state.${fact.state}` : 'system.state.plain')}
      </span>
    </li>
  )
}

/** The number on the way to its limit, the red line. The words beside it say the same. */
function BarOf({ fact }: { readonly fact: Fact }) {
  const bar = barOf(fact)
  if (!bar) return null
  const at = (part: number) => `${(part * 100).toFixed(2)}%`
  return (
    <span className={css.bar} aria-hidden="true">
      <i className={css.filled} style={{ inlineSize: at(bar.filled) }} />
      {bar.warn !== undefined && <i className={css.warnLine} style={{ insetInlineStart: at(bar.warn) }} />}
      {bar.limit !== undefined && <i className={css.redLine} style={{ insetInlineStart: at(bar.limit) }} />}
    </span>
  )
}
