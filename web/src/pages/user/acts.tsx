import { useState } from 'react'
import { useCopy } from '../../app/copy'
import { Button, Dialog, Field, type MenuEntry, Select, TextField } from '../../components'
import { type Key, useReading } from '../../i18n'
import type { Account, Act } from '../../wire'
import { momentTyped } from './set'
import css from './user.module.css'

/** What asks before it is done. */
export type Question = 'logoutAll' | 'suspend' | 'ban' | 'trash' | 'forget' | 'password' | 'edit' | 'set'

export interface MenuOfActs {
  readonly account: Account
  /** What can be done at once. */
  readonly onAct: (act: Act) => void
  readonly onAsk: (question: Question) => void
}

/** What can be done with an account, by what it is now; what hurts stands apart at the end. */
export function useMenu({ account, onAct, onAsk }: MenuOfActs): MenuEntry[] {
  const { t } = useReading()
  const entries: MenuEntry[] = [
    { label: t('user.account.edit'), run: () => onAsk('edit') },
    { label: t('user.password'), run: () => onAsk('password') },
  ]
  if (account.account_status === 'suspended')
    entries.push({ label: t('user.activate'), run: () => onAct({ act: 'activate' }) })
  if (account.account_status === 'banned')
    entries.push({ label: t('user.unban'), run: () => onAct({ act: 'activate' }) })
  entries.push(null)
  if (account.account_status !== 'suspended' && account.account_status !== 'banned') {
    entries.push({ label: t('user.suspend'), danger: true, run: () => onAsk('suspend') })
  }
  if (account.account_status !== 'banned') entries.push({ label: t('user.ban'), danger: true, run: () => onAsk('ban') })
  entries.push({ label: t('user.forget'), danger: true, run: () => onAsk('forget') })
  entries.push({ label: t('user.trash'), danger: true, run: () => onAsk('trash') })
  return entries
}

type TextKey = Extract<Key, `user.${string}`>

/** Each question: its title and its consequence, both of which name the person, and what its button does. */
const questions: Readonly<
  Record<
    'suspend' | 'ban' | 'trash' | 'forget',
    { readonly title: NamedKey; readonly text: NamedKey; readonly act: Act['act']; readonly button: TextKey }
  >
> = {
  suspend: { title: 'user.suspend.title', text: 'user.suspend.text', act: 'suspend', button: 'user.suspend' },
  ban: { title: 'user.ban.title', text: 'user.ban.text', act: 'ban', button: 'user.ban' },
  trash: { title: 'user.trash.title', text: 'user.trash.text', act: 'trash', button: 'user.trash' },
  forget: { title: 'user.forget.title', text: 'user.forget.text', act: 'forget_history', button: 'user.forget' },
}

type NamedKey =
  | 'user.suspend.title'
  | 'user.suspend.text'
  | 'user.ban.title'
  | 'user.ban.text'
  | 'user.trash.title'
  | 'user.trash.text'
  | 'user.forget.title'
  | 'user.forget.text'

export interface ConfirmProps {
  readonly question: 'suspend' | 'ban' | 'trash' | 'forget'
  readonly name: string
  readonly now: number
  readonly retention: number | undefined
  readonly onClose: () => void
  readonly onAct: (act: Act) => void
}

/** Asks before something that hurts: it names the person, says what follows, and takes a reason for the audit log. */
export function Confirm({ question, name, now, retention, onClose, onAct }: ConfirmProps) {
  const { t, format: f } = useReading()
  const [reason, setReason] = useState('')
  const [typed, setTyped] = useState('')
  const q = questions[question]
  const until = question === 'suspend' ? momentTyped(typed, f.zone) : undefined
  const past = until !== undefined && until <= now
  const button = t(q.button as 'user.ban').replace('…', '')
  return (
    <Dialog
      title={t(q.title, { name })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button
            kind="danger"
            disabled={past}
            onClick={() =>
              onAct({
                act: q.act,
                reason: reason.trim() || undefined,
                until: until === undefined ? undefined : new Date(until).toISOString(),
              })
            }
          >
            {button}
          </Button>
        </>
      }
    >
      <div className={css.form}>
        <p>{t(q.text, { name })}</p>
        {question === 'forget' && retention && (
          <p className={css.soft}>{t('user.forget.kept', { time: f.durationLong(retention) })}</p>
        )}
        {question === 'suspend' && (
          <Field
            type="datetime-local"
            label={`${t('user.set.until')}: ${t('user.set.at', { zone: f.zoneLabel(now) })}`}
            value={typed}
            problem={past ? t('user.set.past') : undefined}
            hint={until === undefined ? t('user.set.until.lifted') : f.dateTime(until)}
            onChange={(e) => setTyped(e.target.value)}
          />
        )}
        <TextField
          label={t('user.reason')}
          hint={t('user.reason.help')}
          value={reason}
          rows={2}
          maxLength={500}
          onChange={(e) => setReason(e.target.value)}
        />
      </div>
    </Dialog>
  )
}

/** Asks before every device is logged out at once. */
export function ConfirmLogout({
  name,
  devices,
  onClose,
  onAct,
}: {
  readonly name: string
  readonly devices: number
  readonly onClose: () => void
  readonly onAct: (act: Act) => void
}) {
  const { t } = useReading()
  return (
    <Dialog
      title={t('user.confirm.logoutAll', { name })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="danger" onClick={() => onAct({ act: 'force_logout' })}>
            {t('user.logoutAll')}
          </Button>
        </>
      }
    >
      <p>{t('user.confirm.logoutAll.text', { n: devices })}</p>
    </Dialog>
  )
}

export interface EditProps {
  readonly account: Account
  readonly onClose: () => void
  readonly onEdit: (change: Readonly<Record<string, string>>) => void
}

const fields = [
  ['first_name', 'user.account.firstName', 'text'],
  ['last_name', 'user.account.lastName', 'text'],
  ['username', 'user.account.username', 'text'],
  ['email', 'user.account.email', 'email'],
] as const

/** Changes what an account says; only what was changed is sent. */
export function Edit({ account, onClose, onEdit }: EditProps) {
  const { t } = useReading()
  const [values, setValues] = useState<Readonly<Record<string, string>>>({})
  const submit = () => onEdit(values)
  return (
    <Dialog
      title={t('user.account.edit')}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={Object.keys(values).length === 0} onClick={submit}>
            {t('act.save')}
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
        {fields.map(([name, label, type]) => (
          <Field
            key={name}
            type={type}
            dir="auto"
            label={t(label)}
            value={values[name] ?? account[name]}
            maxLength={254}
            onChange={(e) => setValues({ ...values, [name]: e.target.value })}
          />
        ))}
        <Select
          label={t('user.account.role')}
          value={values.role ?? account.role}
          onChange={(e) => setValues({ ...values, role: e.target.value })}
        >
          {(['user', 'moderator', 'admin'] as const).map((role) => (
            <option key={role} value={role}>
              {t(`role.${role}`)}
            </option>
          ))}
        </Select>
        <button type="submit" hidden />
      </form>
    </Dialog>
  )
}

/** Makes a password that nobody has to think of, shows it once, and sets it. */
export function ResetPassword({
  name,
  onClose,
  onEdit,
}: {
  readonly name: string
  readonly onClose: () => void
  readonly onEdit: EditProps['onEdit']
}) {
  const { t } = useReading()
  const [password] = useState(freshPassword)
  const copy = useCopy()
  return (
    <Dialog
      title={t('user.password.title', { name })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="danger" onClick={() => onEdit({ password })}>
            {t('user.password').replace('…', '')}
          </Button>
        </>
      }
    >
      <div className={css.form}>
        <p>{t('user.password.text', { name })}</p>
        <div className={css.password}>
          <code>{password}</code>
          <Button onClick={() => copy(password)}>{t('act.copy')}</Button>
        </div>
      </div>
    </Dialog>
  )
}

/** 20 letters and digits that are not mistaken for one another, in groups: 100 bits. */
export function freshPassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789A' // 32
  const random = crypto.getRandomValues(new Uint8Array(20))
  const letters = [...random].map((byte) => alphabet[byte & 31])
  return [0, 5, 10, 15].map((at) => letters.slice(at, at + 5).join('')).join('-')
}
