import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useLocation } from 'wouter'
import { Button, Field, Notice } from '../components'
import { ApiError, useServer } from '../data'
import { languageNames, languages, useReader, useReading } from '../i18n'
import type { SetUpNeeded } from '../wire'
import styles from './door.module.css'
import { Brand } from './shell'

/** What somebody sees who is not in: one column, and the choice of a language. */
export function Door({ title, about, children }: { title: string; about?: ReactNode; children?: ReactNode }) {
  const { language } = useReading()
  const reader = useReader()
  useEffect(() => {
    document.title = `${title} · Presence`
  }, [title])
  return (
    <div className={styles.door}>
      <main className={styles.card}>
        <Brand size={36} />
        <div className={styles.head}>
          <h1>{title}</h1>
          {about && <p>{about}</p>}
        </div>
        {children}
        <div className={styles.languages}>
          {languages.map((l) => (
            <button
              key={l}
              type="button"
              lang={l === 'prs' ? 'fa-AF' : l}
              aria-pressed={l === language}
              onClick={() => void reader.set({ language: l })}
            >
              {languageNames[l]}
            </button>
          ))}
        </div>
      </main>
    </div>
  )
}

/** Signing in shows the address that was asked for: it is still there. */
export function SignIn({ ended }: { readonly ended: boolean }) {
  const { t, format } = useReading()
  const { session } = useServer()
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const [needed, setNeeded] = useState(false)
  const name = useRef<HTMLInputElement>(null)
  const password = useRef<HTMLInputElement>(null)
  useEffect(() => {
    name.current?.focus()
    fetch('/api/v1/session/setup', { headers: { 'Presence-Session': '1' } })
      .then((r) => r.json() as Promise<SetUpNeeded>)
      .then(
        (s) => setNeeded(s.needed),
        () => undefined,
      )
  }, [])
  const submit = async () => {
    setBusy(true)
    setProblem('')
    try {
      await session.signIn(name.current?.value ?? '', password.current?.value ?? '')
    } catch (e) {
      const code = e instanceof ApiError ? e.code : ''
      setProblem(
        !(e instanceof ApiError)
          ? t('state.offline')
          : code === 'bad_credentials' || code === 'validation'
            ? t('door.wrong')
            : code === 'account_not_active'
              ? t('door.notActive')
              : code === 'throttled'
                ? t('door.throttled', { time: format.durationLong((e.problem.retry_after ?? 60) * 1000) })
                : t('state.failed'),
      )
      password.current?.select()
    } finally {
      setBusy(false)
    }
  }
  return (
    <Door title={t('door.signIn')} about={ended ? t('door.ended') : undefined}>
      {needed && <Notice>{t('door.setUpFirst')}</Notice>}
      <form
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          void submit()
        }}
      >
        {problem && <Notice kind="danger">{problem}</Notice>}
        <Field ref={name} label={t('door.username')} name="username" autoComplete="username" required dir="auto" />
        <Field
          ref={password}
          label={t('door.password')}
          name="password"
          type="password"
          autoComplete="current-password"
          required
        />
        <Button kind="primary" type="submit" disabled={busy}>
          {t('door.enter')}
        </Button>
      </form>
    </Door>
  )
}

/** The first admin, by the link that the server printed. The token leaves the address at once. */
export function SetUp({ token }: { readonly token: string }) {
  const { t } = useReading()
  const { session } = useServer()
  const [, navigate] = useLocation()
  const [problem, setProblem] = useState<{ field: string; text: string }>({ field: '', text: '' })
  const [busy, setBusy] = useState(false)
  const submit = async (form: FormData) => {
    const text = (name: string) => String(form.get(name) ?? '')
    setBusy(true)
    setProblem({ field: '', text: '' })
    try {
      await session.setUp({ token, username: text('username'), email: text('email'), password: text('password') })
      navigate('/', { replace: true })
    } catch (e) {
      const error = e instanceof ApiError ? e : undefined
      setProblem({
        field: error?.problem.field ?? '',
        text: !error
          ? t('state.offline')
          : error.code === 'setup_token'
            ? t('door.linkUsed')
            : error.code === 'setup_done'
              ? t('door.setUpDone')
              : (error.problem.errors?.[0]?.detail ?? error.message),
      })
    } finally {
      setBusy(false)
    }
  }
  const of = (field: string) => (problem.field === field ? problem.text : undefined)
  const known = ['username', 'email', 'password'].includes(problem.field)
  return (
    <Door title={t('door.setUp')} about={t('door.setUpAbout')}>
      <form
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          void submit(new FormData(e.currentTarget))
        }}
      >
        {problem.text && !known && <Notice kind="danger">{problem.text}</Notice>}
        <Field
          label={t('door.username')}
          name="username"
          autoComplete="username"
          required
          autoFocus
          problem={of('username')}
        />
        <Field label={t('door.email')} name="email" type="email" autoComplete="email" problem={of('email')} />
        <Field
          label={t('door.password')}
          name="password"
          type="password"
          autoComplete="new-password"
          required
          problem={of('password')}
          hint={t('door.passwordHint')}
        />
        <Button kind="primary" type="submit" disabled={busy}>
          {t('door.create')}
        </Button>
      </form>
    </Door>
  )
}

/** Somebody who is signed in and no staff: who they are, and why there is nothing to see. */
export function NotStaff({ name }: { readonly name: string }) {
  const { t } = useReading()
  const { session } = useServer()
  return (
    <Door title={t('door.notStaff')} about={t('door.notStaffWhy', { name })}>
      <Button onClick={() => void session.signOut()}>{t('shell.signOut')}</Button>
    </Door>
  )
}

export function Unreachable() {
  const { t } = useReading()
  const { session } = useServer()
  useEffect(() => {
    const timer = setInterval(() => void session.start(), 3000)
    return () => clearInterval(timer)
  }, [session])
  return <Door title={t('state.offline')} about={t('door.unreachable')} />
}
