import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Problem } from '../../app/problem'
import { Button, Dialog, Field } from '../../components'
import { useApi } from '../../data'
import { type Reading, readDigits, useReading } from '../../i18n'
import type { NewWebhook, Webhook, WebhookEventTypes, WebhookWithSecret } from '../../wire'
import { choose, everything, groupOf, idsOf, tells } from './choices'
import css from './webhooks.module.css'

export const causes = [
  'login',
  'heartbeat',
  'activity',
  'touch',
  'connect',
  'disconnect',
  'idle',
  'active',
  'timeout',
  'logout',
  'forced',
  'admin',
] as const

const events = [
  'user.online',
  'user.away',
  'user.offline',
  'session.started',
  'session.ended',
  'account.created',
  'account.updated',
  'account.activated',
  'account.suspended',
  'account.banned',
  'account.deleted',
  'account.restored',
  'gap',
] as const
const groups = ['user', 'session', 'account'] as const

/** What an event is, in the reader's language; in the server's words where only a newer server knows it. */
function wordsOf(name: string, text: string, t: Reading['t']): string {
  const known = events.find((one) => one === name)
  return known ? t(`webhooks.event.${known}`) : text
}

const mostBatch = 1000

/** Makes a webhook, or changes one. */
export function EditWebhook({
  hook,
  onClose,
  onMade,
}: {
  readonly hook?: Webhook
  readonly onClose: () => void
  readonly onMade: (made: WebhookWithSecret) => void
}) {
  const { t, format: f } = useReading()
  const api = useApi()
  const queries = useQueryClient()
  const types = useQuery({
    queryKey: ['webhook-events'],
    queryFn: ({ signal }) => api.get<WebhookEventTypes>('/webhooks/events', {}, signal),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const [url, setUrl] = useState(hook?.url ?? 'https://')
  const [description, setDescription] = useState(hook?.description ?? '')
  const [chosen, setChosen] = useState<readonly string[]>(hook?.events ?? ['user.*'])
  const [only, setOnly] = useState<readonly string[]>(hook?.causes ?? [])
  const [people, setPeople] = useState(hook?.users.join(', ') ?? '')
  const [batch, setBatch] = useState(f.digit(String(hook?.batch_size ?? 100)))
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const size = Number(readDigits(batch))
  const whole = Number.isInteger(size) && size >= 1 && size <= mostBatch
  const ready = !busy && chosen.length > 0 && whole && /^https?:\/\/./.test(url.trim())

  const submit = async () => {
    if (!ready) return
    setBusy(true)
    setFailed(undefined)
    const wanted: NewWebhook = {
      url: url.trim(),
      description: description.trim(),
      events: [...chosen],
      causes: [...only],
      users: idsOf(readDigits(people)),
      batch_size: size,
    }
    try {
      if (hook) {
        await api.send('PATCH', `/webhooks/${hook.id}`, wanted)
        onClose()
      } else onMade(await api.send<WebhookWithSecret>('POST', '/webhooks', wanted))
    } catch (e) {
      setFailed(e)
      setBusy(false)
    }
    void queries.invalidateQueries({ queryKey: ['webhooks'] })
  }

  return (
    <Dialog
      title={t(hook ? 'webhooks.edit.title' : 'webhooks.new')}
      onClose={onClose}
      width={40}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={!ready} onClick={() => void submit()}>
            {t(hook ? 'act.save' : 'webhooks.make')}
          </Button>
        </>
      }
    >
      <form
        className={css.form}
        onSubmit={(e) => {
          e.preventDefault()
          void submit()
        }}
      >
        {failed !== undefined && <Problem error={failed} />}
        <Field
          label={t('webhooks.url')}
          hint={t('webhooks.url.help')}
          type="url"
          dir="ltr"
          value={url}
          maxLength={2048}
          onChange={(e) => setUrl(e.target.value)}
        />
        <Field
          label={t('webhooks.description')}
          dir="auto"
          value={description}
          maxLength={200}
          onChange={(e) => setDescription(e.target.value)}
        />
        <fieldset className={css.choices}>
          <legend>{t('webhooks.events')}</legend>
          <Choice name={everything} chosen={chosen} onChoose={setChosen}>
            {t('webhooks.everything')}
          </Choice>
          {groups.map((group) => (
            <div key={group}>
              <Choice name={`${group}.*`} chosen={chosen} onChoose={setChosen} covered={chosen.includes(everything)}>
                {t(`webhooks.group.${group}`)}
              </Choice>
              <div className={css.inner}>
                {types.data?.items
                  .filter((type) => groupOf(type.name) === `${group}.*`)
                  .map((type) => (
                    <Choice
                      key={type.name}
                      name={type.name}
                      chosen={chosen}
                      onChoose={setChosen}
                      covered={tells(chosen, type.name) && !chosen.includes(type.name)}
                    >
                      {wordsOf(type.name, type.text, t)}
                    </Choice>
                  ))}
              </div>
            </div>
          ))}
          {types.isError && <p className={css.soft}>{t('state.failed')}</p>}
        </fieldset>
        <fieldset className={css.causes}>
          <legend>{t('webhooks.causes.choose')}</legend>
          {causes.map((cause) => (
            <label key={cause}>
              <input
                type="checkbox"
                checked={only.includes(cause)}
                onChange={(e) => setOnly(e.target.checked ? [...only, cause] : only.filter((one) => one !== cause))}
              />
              <span>{t(`cause.${cause}`)}</span>
            </label>
          ))}
          <p className={css.soft}>{t('webhooks.causes.help')}</p>
        </fieldset>
        <Field
          label={t('webhooks.users.choose')}
          hint={t('webhooks.users.help')}
          dir="ltr"
          value={people}
          onChange={(e) => setPeople(e.target.value)}
        />
        <Field
          label={t('webhooks.batch')}
          hint={t('webhooks.batch.help')}
          problem={whole ? undefined : t('settings.wrong.bounds')}
          inputMode="numeric"
          value={batch}
          onChange={(e) => setBatch(e.target.value)}
        />
      </form>
    </Dialog>
  )
}

function Choice({
  name,
  chosen,
  onChoose,
  covered = false,
  children,
}: {
  readonly name: string
  readonly chosen: readonly string[]
  readonly onChoose: (chosen: readonly string[]) => void
  /** Chosen already by a group that it is of. */
  readonly covered?: boolean
  readonly children: React.ReactNode
}) {
  return (
    <label>
      <input
        type="checkbox"
        checked={covered || chosen.includes(name)}
        disabled={covered}
        onChange={(e) => onChoose(choose(chosen, name, e.target.checked))}
      />
      <span>
        <code>{name}</code> {children}
      </span>
    </label>
  )
}
