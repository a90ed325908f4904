import { useState } from 'react'
import { Button, Dialog, Field, Select } from '../../components'
import { HOUR, MINUTE, momentOf, useReading } from '../../i18n'
import type { Act, Hold, Status } from '../../wire'
import css from './user.module.css'

const untils = ['quarter', 'hour', 'day', 'date', 'lifted'] as const
type Until = (typeof untils)[number]

export interface SetStatusProps {
  readonly hold: Hold | undefined
  readonly now: number
  readonly onClose: () => void
  readonly onAct: (act: Act) => void
}

/** Decides somebody's status by hand, for a while, with a note; or lets signals decide again. */
export function SetStatus({ hold, now, onClose, onAct }: SetStatusProps) {
  const { t, format: f } = useReading()
  const [status, setStatus] = useState<Status | 'auto'>(hold?.status ?? 'online')
  const [until, setUntil] = useState<Until>('hour')
  const [typed, setTyped] = useState('')
  const [note, setNote] = useState(hold?.note ?? '')
  const moment = untilOf(until, typed, now, f)
  const past = until === 'date' && moment !== undefined && moment <= now
  const ready = status === 'auto' || until === 'lifted' || (moment !== undefined && !past)
  const submit = () => {
    if (!ready) return
    onAct(
      status === 'auto'
        ? { act: 'lift' }
        : {
            act: 'hold',
            status,
            note: note.trim() || undefined,
            until: moment === undefined ? undefined : new Date(moment).toISOString(),
          },
    )
  }
  return (
    <Dialog
      title={t('user.set')}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={!ready} onClick={submit}>
            {status === 'auto' ? t('user.set.lift') : t('user.set.save', { status: t(`status.${status}`) })}
          </Button>
        </>
      }
    >
      <form
        className={css.form}
        onSubmit={(event) => {
          event.preventDefault()
          submit()
        }}
      >
        <fieldset className={css.choices}>
          <legend className="visually-hidden">{t('chart.status')}</legend>
          {(['auto', 'online', 'away', 'offline'] as const).map((one) => (
            <label key={one}>
              <input type="radio" name="status" value={one} checked={status === one} onChange={() => setStatus(one)} />
              <span>{one === 'auto' ? t('user.set.auto') : t(`status.${one}`)}</span>
            </label>
          ))}
        </fieldset>
        {status !== 'auto' && (
          <>
            <Select
              label={t('user.set.until')}
              value={until}
              hint={moment !== undefined && !past ? `${f.dateTime(moment)} ${f.zoneLabel(moment)}` : undefined}
              onChange={(e) => setUntil(untils.find((one) => one === e.target.value) ?? 'hour')}
            >
              {untils.map((one) => (
                <option key={one} value={one}>
                  {t(`user.set.until.${one}`)}
                </option>
              ))}
            </Select>
            {until === 'date' && (
              <Field
                type="datetime-local"
                label={t('user.set.at', { zone: f.zoneLabel(now) })}
                value={typed}
                problem={past ? t('user.set.past') : undefined}
                onChange={(e) => setTyped(e.target.value)}
              />
            )}
            <Field
              label={t('user.set.note')}
              hint={t('user.set.note.help')}
              value={note}
              maxLength={500}
              onChange={(e) => setNote(e.target.value)}
            />
          </>
        )}
      </form>
    </Dialog>
  )
}

/** The moment that a choice stands for; undefined while there is none. */
export function untilOf(
  until: Until,
  typed: string,
  now: number,
  f: { readonly zone: string; dayStart(at: number, days?: number): number },
): number | undefined {
  switch (until) {
    case 'quarter':
      return now + 15 * MINUTE
    case 'hour':
      return now + HOUR
    case 'day':
      return f.dayStart(now, 1)
    case 'date':
      return momentTyped(typed, f.zone)
    case 'lifted':
      return undefined
  }
}

/** What a field for date and time says ("2026-11-24T08:30"), on the clock of a zone. */
export function momentTyped(typed: string, zone: string): number | undefined {
  const found = /^(\d{4,6})-(\d\d)-(\d\d)T(\d\d):(\d\d)/.exec(typed)
  if (!found) return undefined
  const [year, month, day, hour, minute] = found.slice(1).map(Number)
  return momentOf(zone, year ?? 0, month ?? 1, day ?? 1, hour, minute)
}
