import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useAddress } from '../../app/address'
import { useShell } from '../../app/context'
import { useTell } from '../../app/problem'
import { Button, Empty, Failed, MenuButton, Notice, Page } from '../../components'
import { useApi, useLive } from '../../data'
import { Say, SECOND, useReading } from '../../i18n'
import type { Webhook, WebhookDeliveryDetail, WebhookList, WebhookWithSecret } from '../../wire'
import { Confirm, type Confirmed, Rotate, Secret } from './acts'
import { standingOf } from './choices'
import { causes, EditWebhook } from './form'
import { Delivery, Log, outcomes } from './log'
import { StandingMark } from './mark'
import css from './webhooks.module.css'

type Open =
  | { readonly what: 'new' }
  | { readonly what: 'edit' | 'rotate' | Confirmed; readonly hook: Webhook }
  | { readonly what: 'secret'; readonly made: WebhookWithSecret }

/** The servers that are told what happens, how that goes, and what was sent to them. */
export default function Webhooks() {
  const { t, format: f } = useReading()
  const api = useApi()
  const address = useAddress()
  const [open, setOpen] = useState<Open>()
  const list = useQuery({
    queryKey: ['webhooks'],
    queryFn: ({ signal }) => api.get<WebhookList>('/webhooks', {}, signal),
    refetchInterval: 5 * SECOND,
  })
  const close = () => setOpen(undefined)
  const hook = list.data?.items.find((one) => one.id === address.get('hook'))
  const delivery = address.get('delivery')
  const make = (
    <Button kind="primary" icon="plus" onClick={() => setOpen({ what: 'new' })}>
      {t('webhooks.new')}
    </Button>
  )
  return (
    <Page title={t('webhooks.title')} about={<p className={css.about}>{t('webhooks.about')}</p>} acts={make}>
      {list.isPending ? (
        <p className={css.soft}>{t('state.loading')}</p>
      ) : !list.data ? (
        <Failed onRetry={() => void list.refetch()} />
      ) : (
        <>
          {list.isError && (
            <Notice kind="danger">{t('state.stale', { time: f.time(Date.parse(list.data.as_of), true) })}</Notice>
          )}
          {list.data.items.length === 0 ? (
            <Empty title={t('webhooks.none')} acts={make}>
              {t('webhooks.none.help')}
            </Empty>
          ) : (
            <ul className={css.hooks}>
              {list.data.items.map((one) => (
                <Hook
                  key={one.id}
                  hook={one}
                  chosen={one === hook}
                  onOpen={(what) => setOpen({ what, hook: one })}
                  onLog={() => address.set({ hook: one.id, delivery: null, state: null }, true)}
                  onDelivery={(id) => address.set({ hook: one.id, delivery: id, state: null }, true)}
                />
              ))}
            </ul>
          )}
        </>
      )}
      {hook && (
        <Log
          key={`log ${hook.id}`}
          hook={hook}
          outcome={outcomes.find((one) => one === address.get('state'))}
          onOutcome={(outcome) => address.set({ state: outcome ?? null })}
          onOpen={(id) => address.set({ delivery: id }, true)}
          onClose={() => address.set({ hook: null, state: null })}
        />
      )}
      {hook && delivery && (
        <Delivery
          key={`delivery ${delivery}`}
          hook={hook.id}
          id={delivery}
          onClose={() => address.set({ delivery: null })}
        />
      )}
      {open?.what === 'new' && <EditWebhook onClose={close} onMade={(made) => setOpen({ what: 'secret', made })} />}
      {open?.what === 'edit' && <EditWebhook hook={open.hook} onClose={close} onMade={close} />}
      {open?.what === 'secret' && <Secret title={t('webhooks.done')} made={open.made} onClose={close} />}
      {open?.what === 'rotate' && <Rotate hook={open.hook} onClose={close} />}
      {(open?.what === 'pause' || open?.what === 'delete') && (
        <Confirm act={open.what} hook={open.hook} onClose={close} />
      )}
    </Page>
  )
}

interface HookProps {
  readonly hook: Webhook
  /** Its deliveries are shown. */
  readonly chosen: boolean
  readonly onOpen: (what: 'edit' | 'rotate' | Confirmed) => void
  readonly onLog: () => void
  readonly onDelivery: (id: string) => void
}

function Hook({ hook, chosen, onOpen, onLog, onDelivery }: HookProps) {
  const { t, format: f } = useReading()
  const api = useApi()
  const tell = useTell()
  const shell = useShell()
  const queries = useQueryClient()
  const now = useLive().now()
  const [testing, setTesting] = useState(false)
  const { url } = hook
  const standing = standingOf(hook)
  const when = (at: string) => <time dateTime={at}>{f.moment(Date.parse(at), now)}</time>
  const away = (at: string) => f.ago(Date.parse(at), now)

  const told = (e: unknown) => shell.toast({ text: tell(e) })
  const again = () => {
    void queries.invalidateQueries({ queryKey: ['webhooks'] })
    void queries.invalidateQueries({ queryKey: ['deliveries', hook.id] })
  }
  const test = async () => {
    setTesting(true)
    try {
      const came = await api.send<WebhookDeliveryDetail>('POST', `/webhooks/${hook.id}/test`)
      queries.setQueryData(['delivery', hook.id, came.id], came)
      onDelivery(came.id)
    } catch (e) {
      told(e)
    } finally {
      setTesting(false)
    }
    again()
  }
  const resume = async () => {
    try {
      await api.send('PATCH', `/webhooks/${hook.id}`, { state: 'active' })
      shell.toast({ text: t('webhooks.resumed.done', { url }) })
    } catch (e) {
      told(e)
    }
    again()
  }

  return (
    <li className={css.hook} data-webhook={hook.id} data-chosen={chosen || undefined}>
      <header>
        <div className={css.who}>
          <h2>
            <bdi dir="ltr">{url}</bdi>
          </h2>
          {hook.description && (
            <p>
              <bdi>{hook.description}</bdi>
            </p>
          )}
        </div>
        <div className={css.acts}>
          <Button disabled={testing} aria-label={t('webhooks.test.of', { url })} onClick={() => void test()}>
            {t(testing ? 'webhooks.testing' : 'webhooks.test')}
          </Button>
          <Button aria-pressed={chosen} aria-label={t('webhooks.log.of', { url })} onClick={onLog}>
            {t('webhooks.log')}
          </Button>
          <MenuButton
            label={t('webhooks.acts', { url })}
            entries={[
              { label: t('webhooks.edit'), icon: 'settings', run: () => onOpen('edit') },
              hook.state === 'active'
                ? { label: t('webhooks.pause'), icon: 'pause', run: () => onOpen('pause') }
                : { label: t('webhooks.resume'), icon: 'play', run: () => void resume() },
              { label: t('webhooks.rotate'), icon: 'tokens', run: () => onOpen('rotate') },
              null,
              { label: t('webhooks.delete'), icon: 'trash', danger: true, run: () => onOpen('delete') },
            ]}
          />
        </div>
      </header>
      <p className={css.standing}>
        <StandingMark standing={standing} />
        {hook.state !== 'active' && (
          <span>
            <Say k="webhooks.since" v={{ time: when(hook.state_since) }} />
          </span>
        )}
        <Means hook={hook} />
      </p>
      {hook.last_error && standing !== 'active' && (
        <p className={css.error}>
          <bdi dir="auto">{hook.last_error}</bdi>
        </p>
      )}
      <dl className={css.facts}>
        <div>
          <dt>{t('webhooks.queued')}</dt>
          <dd>
            {t('deliveries.events', { n: hook.queued })}
            {hook.oldest_queued_at && (
              <span>
                <Say k="webhooks.queued.since" v={{ time: away(hook.oldest_queued_at) }} />
              </span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t('webhooks.success')}</dt>
          <dd>{hook.last_success_at ? when(hook.last_success_at) : t('time.never')}</dd>
        </div>
        <div>
          <dt>{t('webhooks.failure')}</dt>
          <dd>{hook.last_failure_at ? when(hook.last_failure_at) : t('time.never')}</dd>
        </div>
        <div>
          <dt>{t('webhooks.events')}</dt>
          <dd>
            <Chips names={hook.events} />
          </dd>
        </div>
        {hook.causes.length > 0 && (
          <div>
            <dt>{t('webhooks.causes')}</dt>
            <dd>
              <ul className={css.chips}>
                {hook.causes.map((name) => {
                  const known = causes.find((one) => one === name)
                  return <li key={name}>{known ? t(`cause.${known}`) : <code>{name}</code>}</li>
                })}
              </ul>
            </dd>
          </div>
        )}
        {hook.users.length > 0 && (
          <div>
            <dt>{t('webhooks.users')}</dt>
            <dd>{t('count.users', { n: hook.users.length })}</dd>
          </div>
        )}
      </dl>
      {hook.old_secret_until && Date.parse(hook.old_secret_until) > now && (
        <p className={css.soft}>
          <Say k="webhooks.oldSecret" v={{ time: when(hook.old_secret_until) }} />
        </p>
      )}
    </li>
  )
}

/** What a state that is not well means for the receiver. */
function Means({ hook }: { readonly hook: Webhook }) {
  const { t, format: f } = useReading()
  const now = useLive().now()
  const standing = standingOf(hook)
  const when = (at: string) => <time dateTime={at}>{f.moment(Date.parse(at), now)}</time>
  const away = (at: string) => f.ago(Date.parse(at), now)
  switch (standing) {
    case 'active':
      return null
    case 'paused':
      return <span>{t('webhooks.paused.means')}</span>
    case 'gone':
      return <span>{t('webhooks.gone.means', { code: f.digit('410') })}</span>
    case 'failing':
      return <span>{t('webhooks.failing.means')}</span>
    case 'trouble':
      return (
        <span>
          {hook.failing_since && (
            <Say k="webhooks.trouble.means" v={{ n: hook.failures, time: when(hook.failing_since) }} />
          )}{' '}
          {hook.next_attempt_at && <Say k="webhooks.nextAttempt" v={{ time: away(hook.next_attempt_at) }} />}{' '}
          {hook.disable_at && <Say k="webhooks.disable" v={{ time: away(hook.disable_at) }} />}
        </span>
      )
  }
}

function Chips({ names }: { readonly names: readonly string[] }) {
  return (
    <ul className={css.chips}>
      {names.map((name) => (
        <li key={name}>
          <code>{name}</code>
        </li>
      ))}
    </ul>
  )
}
