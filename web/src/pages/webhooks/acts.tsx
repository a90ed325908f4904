import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useShell } from '../../app/context'
import { useCopy } from '../../app/copy'
import { Problem } from '../../app/problem'
import { Button, Dialog, Secret as SecretText, Select } from '../../components'
import { useApi } from '../../data'
import { DAY, HOUR, SECOND, useReading } from '../../i18n'
import type { Webhook, WebhookWithSecret } from '../../wire'
import css from './webhooks.module.css'

/** Shows a secret, this once. */
export function Secret({
  title,
  made,
  onClose,
}: {
  readonly title: string
  readonly made: WebhookWithSecret
  readonly onClose: () => void
}) {
  const { t } = useReading()
  const copy = useCopy()
  return (
    <Dialog
      title={title}
      onClose={onClose}
      width={36}
      foot={
        <>
          <Button onClick={onClose}>{t('act.close')}</Button>
          <Button kind="primary" onClick={() => copy(made.secret)}>
            {t('act.copy')}
          </Button>
        </>
      }
    >
      <div className={css.form}>
        <p>{t('webhooks.once')}</p>
        <SecretText>{made.secret}</SecretText>
      </div>
    </Dialog>
  )
}

const overlaps = [HOUR, DAY, 7 * DAY] as const

/** Asks for a new secret and shows it. */
export function Rotate({ hook, onClose }: { readonly hook: Webhook; readonly onClose: () => void }) {
  const { t, format: f } = useReading()
  const api = useApi()
  const queries = useQueryClient()
  const [keep, setKeep] = useState(String(DAY / SECOND))
  const [made, setMade] = useState<WebhookWithSecret>()
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  if (made) return <Secret title={t('webhooks.rotated')} made={made} onClose={onClose} />
  const rotate = async () => {
    setBusy(true)
    setFailed(undefined)
    try {
      const wanted = { keep_old_seconds: Number(keep) }
      setMade(await api.send<WebhookWithSecret>('POST', `/webhooks/${hook.id}/secret`, wanted))
      void queries.invalidateQueries({ queryKey: ['webhooks'] })
    } catch (e) {
      setFailed(e)
      setBusy(false)
    }
  }
  return (
    <Dialog
      title={t('webhooks.rotate.title', { url: hook.url })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={busy} onClick={() => void rotate()}>
            {t('webhooks.rotate')}
          </Button>
        </>
      }
    >
      <div className={css.form}>
        {failed !== undefined && <Problem error={failed} />}
        <p>{t('webhooks.rotate.text')}</p>
        <Select label={t('webhooks.rotate.keep')} value={keep} onChange={(e) => setKeep(e.target.value)}>
          {overlaps.map((ms) => (
            <option key={ms} value={ms / SECOND}>
              {t('webhooks.rotate.for', { time: f.durationLong(ms) })}
            </option>
          ))}
          <option value="0">{t('webhooks.rotate.now')}</option>
        </Select>
      </div>
    </Dialog>
  )
}

export type Confirmed = 'pause' | 'delete'

/** Asks before something is lost. */
export function Confirm({
  act,
  hook,
  onClose,
}: {
  readonly act: Confirmed
  readonly hook: Webhook
  readonly onClose: () => void
}) {
  const { t } = useReading()
  const api = useApi()
  const shell = useShell()
  const queries = useQueryClient()
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const run = async () => {
    setBusy(true)
    setFailed(undefined)
    try {
      if (act === 'delete') await api.send('DELETE', `/webhooks/${hook.id}`)
      else await api.send('PATCH', `/webhooks/${hook.id}`, { state: 'paused' })
      const url = hook.url
      shell.toast({ text: act === 'delete' ? t('webhooks.deleted.done', { url }) : t('webhooks.paused.done', { url }) })
      onClose()
    } catch (e) {
      setFailed(e)
      setBusy(false)
    }
    void queries.invalidateQueries({ queryKey: ['webhooks'] })
  }
  return (
    <Dialog
      title={t(`webhooks.${act}.title`, { url: hook.url })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="danger" disabled={busy} onClick={() => void run()}>
            {t(`webhooks.${act}`)}
          </Button>
        </>
      }
    >
      <div className={css.form}>
        {failed !== undefined && <Problem error={failed} />}
        <p>{t(`webhooks.${act}.text`)}</p>
      </div>
    </Dialog>
  )
}
