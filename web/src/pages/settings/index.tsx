import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { useShell } from '../../app/context'
import { Problem } from '../../app/problem'
import { Button, Empty, Failed, Field, Notice, Page } from '../../components'
import { useApi, useLive, useMayAct } from '../../data'
import { type Key, Say, useReading } from '../../i18n'
import type { NewTimeouts, Settings, Timeouts, TimeoutsNow, TimeoutsPreview } from '../../wire'
import { TimeoutsPicture } from './picture'
import css from './settings.module.css'
import { bounds, lostBeats, type Name, names, problem } from './timeouts'

/** When somebody is away or offline: on one picture, with what a change would do, before it is made. */
export default function SettingsPage() {
  const { t } = useReading()
  const api = useApi()
  const timeouts = useQuery({
    queryKey: ['timeouts'],
    queryFn: ({ signal }) => api.get<TimeoutsNow>('/settings/timeouts', {}, signal),
  })
  const settings = useQuery({
    queryKey: ['settings'],
    queryFn: ({ signal }) => api.get<Settings>('/settings', {}, signal),
  })
  return (
    <Page title={t('settings.title')}>
      {timeouts.isPending ? (
        <p className={css.soft}>{t('state.loading')}</p>
      ) : timeouts.isError ? (
        <Failed onRetry={() => void timeouts.refetch()} />
      ) : (
        <TimeoutsForm now={timeouts.data} />
      )}
      <section className={css.panel} aria-labelledby="server-settings">
        <h2 id="server-settings">{t('settings.server')}</h2>
        <p className={css.soft}>
          <Say k="settings.server.about" v={{ command: <code dir="ltr">presence config show</code> }} />
        </p>
        {settings.data?.server?.length ? (
          // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
          <div className={css.scroll} tabIndex={0} role="group" aria-label={t('settings.value')}>
            <table className={css.table}>
              <thead>
                <tr>
                  <th scope="col">{t('settings.key')}</th>
                  <th scope="col">{t('settings.value')}</th>
                  <th scope="col">{t('settings.source')}</th>
                </tr>
              </thead>
              <tbody>
                {settings.data.server.map((s) => (
                  <tr key={s.key}>
                    <td>
                      <code dir="ltr">{s.key}</code>
                    </td>
                    <td>{s.value ? <bdi dir="ltr">{s.value}</bdi> : <span className={css.soft}>–</span>}</td>
                    <td className={css.soft}>
                      <bdi dir="ltr">{s.source}</bdi>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : settings.isError ? (
          <Failed onRetry={() => void settings.refetch()} />
        ) : (
          <Empty title={t('state.loading')} />
        )}
      </section>
    </Page>
  )
}

type FieldKey = Extract<Key, `settings.timeout.${Name}`>

function TimeoutsForm({ now }: { readonly now: TimeoutsNow }) {
  const { t, format: f } = useReading()
  const api = useApi()
  const shell = useShell()
  const queries = useQueryClient()
  const mayAct = useMayAct()
  const [draft, setDraft] = useState<Timeouts>(() => only(now))
  const [reason, setReason] = useState('')
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const server = only(now)
  const same = (a: Timeouts, b: Timeouts) => names.every((name) => a[name] === b[name])
  useEffect(() => setDraft(server), [JSON.stringify(server)])
  const changed = !same(draft, server)
  const wrong = problem(draft)
  const preview = usePreview(draft, wrong === undefined)

  const send = async (what: () => Promise<TimeoutsNow>) => {
    setBusy(true)
    setFailed(undefined)
    try {
      queries.setQueryData(['timeouts'], await what())
      void queries.invalidateQueries({ queryKey: ['settings'] })
      setReason('')
      shell.toast({ text: t('state.saved') })
    } catch (e) {
      setFailed(e)
    } finally {
      setBusy(false)
    }
  }
  const save = (timeouts: Timeouts, why: string) =>
    send(() =>
      api.send<TimeoutsNow>('PUT', '/settings/timeouts', {
        ...timeouts,
        reason: why || undefined,
      } satisfies NewTimeouts),
    )
  const seconds = (n: number) => f.durationLong(n * 1000)

  return (
    <>
      <section className={css.panel} aria-labelledby="timeouts">
        <h2 id="timeouts">{t('settings.timeouts')}</h2>
        <p className={css.sentence}>
          {t('settings.sentence', {
            beat: seconds(draft.heartbeat_interval),
            offline: seconds(draft.offline_after),
            idle: seconds(draft.idle_after),
            grace: seconds(draft.leave_grace),
          })}{' '}
          {t('settings.lost', { n: lostBeats(draft) })}
        </p>
        <TimeoutsPicture
          timeouts={draft}
          disabled={!mayAct || busy}
          onChange={(name, value) => setDraft((d) => ({ ...d, [name]: value }))}
        />
        <div className={css.fields}>
          {names.map((name) => (
            <Field
              key={name}
              label={t(`settings.timeout.${name}` as FieldKey)}
              hint={t('settings.seconds', { least: bounds[name][0], most: bounds[name][1] })}
              problem={wrong?.name === name ? sentence(wrong.what) : undefined}
              type="number"
              inputMode="decimal"
              dir="ltr"
              min={bounds[name][0]}
              max={bounds[name][1]}
              step="any"
              disabled={!mayAct || busy}
              value={Number.isNaN(draft[name]) ? '' : draft[name]}
              onChange={(e) => setDraft((d) => ({ ...d, [name]: e.target.valueAsNumber }))}
            />
          ))}
        </div>
        {wrong === undefined && draft.offline_after < 120 && <Notice>{t('settings.warn.hidden')}</Notice>}
        {changed && wrong === undefined && preview && (
          <p className={css.preview} aria-live="polite">
            {preview.offline === 0
              ? t('settings.preview.none', { present: preview.present })
              : t('settings.preview', { n: preview.offline, present: preview.present })}
          </p>
        )}
        {failed !== undefined && <Problem error={failed} />}
        {mayAct && (
          <form
            className={css.acts}
            onSubmit={(e) => {
              e.preventDefault()
              void save(draft, reason)
            }}
          >
            <Field
              label={t('settings.reason')}
              value={reason}
              maxLength={500}
              onChange={(e) => setReason(e.target.value)}
            />
            <Button kind="primary" type="submit" disabled={!changed || wrong !== undefined || busy}>
              {t('act.save')}
            </Button>
            {changed && (
              <Button kind="plain" disabled={busy} onClick={() => setDraft(server)}>
                {t('settings.discard')}
              </Button>
            )}
          </form>
        )}
        <p className={css.soft}>
          {now.source === 'dashboard' ? t('settings.from.dashboard') : t('settings.from.configuration')}{' '}
          {now.source === 'dashboard' && mayAct && (
            <Button
              disabled={busy}
              onClick={() => void send(() => api.send<TimeoutsNow>('DELETE', '/settings/timeouts'))}
            >
              {t('settings.reset', {
                offline: seconds(now.configured.offline_after),
                beat: seconds(now.configured.heartbeat_interval),
              })}
            </Button>
          )}
        </p>
      </section>
      {now.history.length > 0 && (
        <History now={now} busy={busy || !mayAct} onUse={(timeouts) => void save(timeouts, '')} />
      )}
    </>
  )

  function sentence(what: 'missing' | 'bounds' | 'beats'): string {
    if (what === 'beats') return t('settings.wrong.beats', { least: seconds(2 * draft.heartbeat_interval) })
    return t('settings.wrong.bounds')
  }
}

function History({
  now,
  busy,
  onUse,
}: {
  readonly now: TimeoutsNow
  readonly busy: boolean
  readonly onUse: (t: Timeouts) => void
}) {
  const { t, format: f } = useReading()
  const live = useLive()
  return (
    <section className={css.panel} aria-labelledby="timeouts-history">
      <h2 id="timeouts-history">{t('settings.history')}</h2>
      <ol className={css.history}>
        {now.history.map((h, i) => (
          <li key={h.at}>
            <time dateTime={h.at}>{f.moment(Date.parse(h.at), live.now())}</time>
            <bdi>{h.by_name || `#${h.by}`}</bdi>
            <span>
              {h.timeouts
                ? t('settings.history.set', {
                    offline: f.duration(h.timeouts.offline_after * 1000),
                    beat: f.duration(h.timeouts.heartbeat_interval * 1000),
                    idle: f.duration(h.timeouts.idle_after * 1000),
                    grace: f.duration(h.timeouts.leave_grace * 1000),
                  })
                : t('settings.history.reset')}
              {h.reason && (
                <>
                  {' '}
                  <bdi className={css.soft}>{h.reason}</bdi>
                </>
              )}
            </span>
            {h.timeouts && i > 0 && (
              <Button kind="plain" disabled={busy} onClick={() => h.timeouts && onUse(only(h.timeouts))}>
                {t('settings.history.again')}
              </Button>
            )}
          </li>
        ))}
      </ol>
    </section>
  )
}

function only(timeouts: Timeouts): Timeouts {
  const { heartbeat_interval, idle_after, offline_after, leave_grace, refresh_interval } = timeouts
  return { heartbeat_interval, idle_after, offline_after, leave_grace, refresh_interval }
}

/** What these would do to those who are present, a moment after the last change of mind. */
function usePreview(timeouts: Timeouts, good: boolean): TimeoutsPreview | undefined {
  const api = useApi()
  const text = JSON.stringify(timeouts)
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 300)
    return () => clearTimeout(timer)
  }, [text])
  const preview = useQuery({
    queryKey: ['timeouts', 'preview', settled],
    queryFn: () => api.send<TimeoutsPreview>('POST', '/settings/timeouts/preview', JSON.parse(settled)),
    enabled: good && settled === text,
    refetchInterval: 10_000,
  })
  return settled === text ? preview.data : undefined
}
