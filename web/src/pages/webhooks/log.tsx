import { useInfiniteQuery, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { useCopy } from '../../app/copy'
import { Problem } from '../../app/problem'
import { Button, Dialog, Failed, IconButton } from '../../components'
import { ApiError, useApi, useLive } from '../../data'
import { SECOND, useReading } from '../../i18n'
import type { Webhook, WebhookDelivery, WebhookDeliveryDetail, WebhookDeliveryPage } from '../../wire'
import { readable } from './choices'
import { OutcomeMark } from './mark'
import css from './webhooks.module.css'

export const outcomes = ['pending', 'succeeded', 'failed'] as const
export type Outcome = (typeof outcomes)[number]

/** What was sent to a webhook, newest first. */
export function Log({
  hook,
  outcome,
  onOutcome,
  onOpen,
  onClose,
}: {
  readonly hook: Webhook
  readonly outcome: Outcome | undefined
  readonly onOutcome: (outcome: Outcome | undefined) => void
  readonly onOpen: (delivery: string) => void
  readonly onClose: () => void
}) {
  const { t, format: f } = useReading()
  const api = useApi()
  const now = useLive().now()
  const pages = useInfiniteQuery({
    queryKey: ['deliveries', hook.id, outcome],
    queryFn: ({ pageParam, signal }) =>
      api.get<WebhookDeliveryPage>(
        `/webhooks/${hook.id}/deliveries`,
        { limit: 50, cursor: pageParam, state: outcome },
        signal,
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: 5 * SECOND,
  })
  const place = useRef<HTMLElement>(null)
  useEffect(() => {
    place.current?.scrollIntoView({ block: 'nearest' })
  }, [])
  const list = pages.data?.pages.flatMap((page) => page.items) ?? []
  return (
    <section ref={place} className={css.log} aria-labelledby="deliveries">
      <header>
        <h2 id="deliveries">{t('deliveries.title', { url: hook.url })}</h2>
        <label>
          <span>{t('deliveries.filter')}</span>
          <select value={outcome ?? ''} onChange={(e) => onOutcome(outcomes.find((one) => one === e.target.value))}>
            <option value="">{t('deliveries.all')}</option>
            {outcomes.map((one) => (
              <option key={one} value={one}>
                {t(`deliveries.state.${one}`)}
              </option>
            ))}
          </select>
        </label>
        <IconButton icon="close" label={t('act.close')} onClick={onClose} />
      </header>
      {pages.isPending ? (
        <p className={css.quiet}>{t('state.loading')}</p>
      ) : pages.isError && list.length === 0 ? (
        <Failed onRetry={() => void pages.refetch()} />
      ) : list.length === 0 ? (
        <p className={css.quiet}>{t(outcome ? 'deliveries.noMatch' : 'deliveries.none')}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
        <section className={css.scroll} tabIndex={0} aria-labelledby="deliveries">
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">{t('deliveries.made')}</th>
                <th scope="col">{t('deliveries.state')}</th>
                <th scope="col">{t('deliveries.carries')}</th>
                <th scope="col">{t('deliveries.answer')}</th>
                <th scope="col">{t('deliveries.took')}</th>
                <th scope="col">{t('deliveries.attempts')}</th>
              </tr>
            </thead>
            <tbody>
              {list.map((one) => {
                const time = f.moment(Date.parse(one.created_at), now)
                return (
                  <tr key={one.id}>
                    <td>
                      <button
                        type="button"
                        className={css.link}
                        aria-label={t('deliveries.look', { time })}
                        onClick={() => onOpen(one.id)}
                      >
                        <time dateTime={one.created_at}>{time}</time>
                      </button>
                    </td>
                    <td>
                      <OutcomeMark state={one.state} />
                    </td>
                    <td>{one.kind === 'test' ? t('deliveries.test') : t('deliveries.events', { n: one.events })}</td>
                    <td>
                      <Answer status={one.http_status} error={one.error} tried={one.attempts > 0} />
                    </td>
                    <td>{one.attempts > 0 ? t('time.millis', { n: Math.ceil(one.duration_ms) }) : ''}</td>
                    <td>{f.number(one.attempts)}</td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </section>
      )}
      {pages.hasNextPage && (
        <p className={css.more}>
          <Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
            {t('deliveries.more')}
          </Button>
        </p>
      )}
    </section>
  )
}

function Answer({
  status,
  error,
  tried = true,
}: {
  readonly status: number
  readonly error?: string
  readonly tried?: boolean
}) {
  const { t, format: f } = useReading()
  if (!tried) return null
  return (
    <span className={css.answer}>
      <b>{status ? f.digit(String(status)) : t('deliveries.noAnswer')}</b>
      {error && <bdi dir="auto">{error}</bdi>}
    </span>
  )
}

/** One delivery: what was sent, what came back each time, and sending it again. */
export function Delivery({
  hook,
  id,
  onClose,
}: {
  readonly hook: string
  readonly id: string
  readonly onClose: () => void
}) {
  const { t, format: f } = useReading()
  const api = useApi()
  const copy = useCopy()
  const queries = useQueryClient()
  const now = useLive().now()
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const delivery = useQuery({
    queryKey: ['delivery', hook, id],
    queryFn: ({ signal }) => api.get<WebhookDeliveryDetail>(`/webhooks/${hook}/deliveries/${id}`, {}, signal),
    refetchInterval: 5 * SECOND,
  })
  const told = delivery.data
  const retry = async () => {
    setBusy(true)
    setFailed(undefined)
    try {
      const after = await api.send<WebhookDeliveryDetail>('POST', `/webhooks/${hook}/deliveries/${id}/retry`)
      queries.setQueryData(['delivery', hook, id], after)
    } catch (e) {
      setFailed(e)
    } finally {
      setBusy(false)
    }
    void queries.invalidateQueries({ queryKey: ['webhooks'] })
    void queries.invalidateQueries({ queryKey: ['deliveries', hook] })
  }
  const gone = delivery.error instanceof ApiError && delivery.error.status === 404
  return (
    <Dialog
      title={t('delivery.title', { time: told ? f.moment(Date.parse(told.created_at), now) : '…' })}
      onClose={onClose}
      width={46}
      foot={
        <>
          {told && <Button onClick={() => copy(told.body)}>{t('delivery.copyBody')}</Button>}
          <Button onClick={onClose}>{t('act.close')}</Button>
          {told && (
            <Button kind="primary" disabled={busy} onClick={() => void retry()}>
              {t(busy ? 'webhooks.testing' : 'delivery.retry')}
            </Button>
          )}
        </>
      }
    >
      {!told ? (
        <p className={css.soft}>
          {gone ? t('delivery.lost') : delivery.isError ? t('state.failed') : t('state.loading')}
        </p>
      ) : (
        <div className={css.delivery}>
          {failed !== undefined && <Problem error={failed} />}
          <p role="status">
            <OutcomeMark state={told.state} /> <Outcome delivery={told} />
          </p>
          <p className={css.soft}>
            {t('delivery.message')} <code>{told.message_id}</code>
          </p>
          <h3>{t('delivery.attempts')}</h3>
          <ol className={css.attempts}>
            {told.log.map((attempt, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: attempts are only added, at the end
              <li key={i}>
                <p>
                  <time dateTime={attempt.at}>{f.moment(Date.parse(attempt.at), now)}</time>
                  <Answer status={attempt.http_status} error={attempt.error} />
                  <span>{t('time.millis', { n: Math.ceil(attempt.duration_ms) })}</span>
                  {attempt.manual && <span>{t('delivery.manual')}</span>}
                </p>
                {attempt.response && (
                  <p className={css.response}>
                    {t('delivery.response')} <code dir="auto">{attempt.response}</code>
                  </p>
                )}
              </li>
            ))}
          </ol>
          <h3>{t('delivery.body')}</h3>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
          <pre className={css.body} tabIndex={0}>
            {readable(told.body)}
          </pre>
        </div>
      )}
    </Dialog>
  )
}

function Outcome({ delivery }: { readonly delivery: WebhookDelivery }) {
  const { t, format: f } = useReading()
  if (!delivery.attempts) return null
  const status = f.digit(String(delivery.http_status))
  if (delivery.state === 'succeeded') return t('delivery.arrived', { status })
  return delivery.http_status ? t('delivery.refused', { status }) : t('delivery.silent')
}
