import { type ReactNode, Suspense, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'
import { classes, Empty, Icon, MenuButton, Page } from '../components'
import { useLive, useMe, useServer } from '../data'
import { languageNames, languages, useReader, useReading } from '../i18n'
import { Announcer } from './announcer'
import { Boundary } from './boundary'
import { CallsDrawer } from './calls'
import { ShellContext, type ShellServices, type Toast, useShell } from './context'
import { copyText } from './copy'
import { Keys, Preferences } from './dialogs'
import { type Command, Palette } from './palette'
import { routes } from './routes'
import styles from './shell.module.css'
import { useShortcut } from './shortcuts'
import { Toasts } from './toasts'
import { TruthBadge } from './truth'

type Open = 'palette' | 'keys' | 'preferences' | 'calls' | null

/** The frame around every page. */
export function Shell({ preferring }: { readonly preferring: ShellServices['preferring'] }) {
  const { t, preferences } = useReading()
  const reader = useReader()
  const me = useMe()
  const live = useLive()
  const { session } = useServer()
  const [path, navigate] = useLocation()
  const [open, setOpen] = useState<Open>(null)
  const [toast, setToast] = useState<Toast & { readonly n: number }>()
  const [said, setSaid] = useState({ text: '', n: 0 })
  const main = useRef<HTMLElement>(null)
  const services = useMemo<ShellServices>(
    () => ({
      preferring,
      toast: (next) => setToast((last) => ({ ...next, n: (last?.n ?? 0) + 1 })),
      announce: (text) => setSaid((last) => ({ text, n: last.n + 1 })),
    }),
    [preferring],
  )
  const bare = routes.some((r) => r.bare && r.path === path)
  const nav = routes.filter((r) => r.nav && (!r.admins || me.role === 'admin'))

  // A page that is opened begins at its top, and so does who listens to it.
  const first = useRef(true)
  useEffect(() => {
    if (!first.current) main.current?.focus()
    first.current = false
  }, [path])

  const close = useCallback(() => setOpen(null), [])
  const signOut = useCallback(() => {
    session.signOut().catch(() => services.toast({ text: t('shell.signOutFailed') }))
  }, [session, services, t])
  // Whoever opens it sees the same, and the same times.
  const copyLink = useCallback(() => {
    const link = new URL(location.href)
    link.searchParams.set('tz', reader.get().format.zone)
    void copyText(link.href).then((copied) => services.toast({ text: t(copied ? 'act.copied' : 'act.notCopied') }))
  }, [reader, services, t])
  const openPerson = useCallback((id: string) => navigate(`/users/${id}`), [navigate])
  useShortcut({ keys: 'mod+k', text: 'shell.palette', run: () => setOpen('palette'), always: true })
  useShortcut({ keys: '?', text: 'shell.keys', run: () => setOpen('keys') })
  useShortcut({ keys: 'c', text: 'calls.open', run: () => setOpen('calls') })

  const commands = useMemo<Command[]>(
    () => [
      ...nav.flatMap((r) =>
        r.nav
          ? [
              {
                id: `go${r.path.replaceAll('/', '-')}`,
                text: t(r.nav.text),
                group: t('shell.go'),
                icon: r.nav.icon,
                keys: `g ${r.nav.key}`,
                run: () => navigate(r.path),
              },
            ]
          : [],
      ),
      {
        id: 'pause',
        text: t('shell.pauseKey'),
        group: t('shell.do'),
        icon: 'pause',
        keys: 'p',
        run: () => live.pause(live.truth.get().state !== 'paused'),
      },
      ...(['auto', 'light', 'dark'] as const).map((theme) => ({
        id: `theme-${theme}`,
        text: t(`shell.theme.${theme}`),
        group: t('shell.theme'),
        icon: 'theme' as const,
        run: () => preferring.change({ theme }),
      })),
      ...languages.map((language) => ({
        id: `language-${language}`,
        text: languageNames[language],
        group: t('shell.language'),
        icon: 'language' as const,
        run: () => void reader.set({ language }),
      })),
      {
        id: 'preferences',
        text: t('shell.preferences'),
        group: t('shell.do'),
        icon: 'settings',
        run: () => setOpen('preferences'),
      },
      {
        id: 'keys',
        text: t('shell.keys'),
        group: t('shell.do'),
        icon: 'keyboard',
        keys: '?',
        run: () => setOpen('keys'),
      },
      {
        id: 'calls',
        text: t('calls.open'),
        group: t('shell.do'),
        icon: 'code',
        keys: 'c',
        run: () => setOpen('calls'),
      },
      { id: 'copy-link', text: t('shell.copyLink'), group: t('shell.do'), icon: 'export', run: copyLink },
      { id: 'sign-out', text: t('shell.signOut'), group: t('shell.do'), icon: 'logout', run: signOut },
    ],
    [t, me.role],
  )

  if (bare) {
    return (
      <ShellContext value={services}>
        <Boundary key={path}>
          <Suspense>
            <Switch>
              {routes.map(({ path, Page, admins }) => (
                <Route key={path} path={path}>
                  {admins && me.role !== 'admin' ? <AdminsOnly /> : <Page />}
                </Route>
              ))}
            </Switch>
          </Suspense>
        </Boundary>
      </ShellContext>
    )
  }

  return (
    <ShellContext value={services}>
      <div className={styles.shell}>
        <a className={styles.skip} href="#main">
          {t('shell.skip')}
        </a>
        <nav className={styles.nav} aria-label={t('shell.nav')}>
          <Link href="/" className={styles.brand}>
            <Brand />
            <span>Presence</span>
          </Link>
          {nav.map((r) => (
            <NavLink key={r.path} path={r.path} current={path}>
              {r.nav && <Icon name={r.nav.icon} />}
              <span>{r.nav && t(r.nav.text)}</span>
            </NavLink>
          ))}
        </nav>
        <header className={styles.header}>
          <TruthBadge />
          <div className={styles.space} />
          <button
            type="button"
            className={styles.find}
            aria-keyshortcuts="Control+K Meta+K"
            onClick={() => setOpen('palette')}
          >
            <Icon name="search" />
            <span>{t('shell.paletteHint')}</span>
            <span className={classes(styles.kbd, styles.hint)} aria-hidden="true">
              Ctrl K
            </span>
          </button>
          <MenuButton
            kind="plain"
            icon="language"
            label={t('shell.language')}
            entries={languages.map((language) => ({
              label: <bdi lang={language}>{languageNames[language]}</bdi>,
              checked: preferences.language === language,
              run: () => void reader.set({ language }),
            }))}
          />
          <AccountMenu
            onPreferences={() => setOpen('preferences')}
            onKeys={() => setOpen('keys')}
            onCalls={() => setOpen('calls')}
            onCopyLink={copyLink}
            onSignOut={signOut}
          />
        </header>
        <main id="main" ref={main} className={styles.main} tabIndex={-1}>
          <Boundary key={path}>
            <Suspense>
              <Switch>
                {routes.map(({ path, Page, admins }) => (
                  <Route key={path} path={path}>
                    {admins && me.role !== 'admin' ? <AdminsOnly /> : <Page />}
                  </Route>
                ))}
                <Route path="/setup">
                  <Redirect to="/" replace />
                </Route>
                <Route>
                  <NoSuchPage />
                </Route>
              </Switch>
            </Suspense>
          </Boundary>
        </main>
        <Toasts toast={toast} onDone={() => setToast(undefined)} onCalls={() => setOpen('calls')} />
        <Announcer said={said} />
        {open === 'palette' && <Palette commands={commands} onPerson={openPerson} onClose={close} />}
        {open === 'calls' && <CallsDrawer onClose={close} />}
        {open === 'keys' && <Keys onClose={close} />}
        {open === 'preferences' && <Preferences onClose={close} />}
        {nav.map((r) => r.nav && <GoTo key={r.path} path={r.path} letter={r.nav.key} text={r.nav.text} />)}
      </div>
    </ShellContext>
  )
}

function GoTo({
  path,
  letter,
  text,
}: {
  path: string
  letter: string
  text: NonNullable<(typeof routes)[0]['nav']>['text']
}) {
  const [, navigate] = useLocation()
  useShortcut({ keys: `g ${letter}`, text, run: () => navigate(path) })
  return null
}

function NavLink({ path, current, children }: { path: string; current: string; children: ReactNode }) {
  const here = path === '/' ? current === '/' : current === path || current.startsWith(`${path}/`)
  return (
    <Link href={path} className={styles.link} aria-current={here ? 'page' : undefined}>
      {children}
    </Link>
  )
}

function AccountMenu({
  onPreferences,
  onKeys,
  onCalls,
  onCopyLink,
  onSignOut,
}: {
  readonly onPreferences: () => void
  readonly onKeys: () => void
  readonly onCalls: () => void
  readonly onCopyLink: () => void
  readonly onSignOut: () => void
}) {
  const { t } = useReading()
  const me = useMe()
  const { preferring } = useShell()
  return (
    <MenuButton
      kind="plain"
      icon="person"
      label={t('shell.account', { name: me.username })}
      entries={[
        `${me.username} · ${t(`role.${me.role}`)}`,
        ...(['auto', 'light', 'dark'] as const).map((theme) => ({
          label: t(`shell.theme.${theme}`),
          checked: preferring.get().theme === theme,
          run: () => preferring.change({ theme }),
        })),
        null,
        { label: t('shell.preferences'), icon: 'settings', run: onPreferences },
        { label: t('shell.keys'), icon: 'keyboard', run: onKeys },
        { label: t('calls.open'), icon: 'code', run: onCalls },
        { label: t('shell.copyLink'), icon: 'export', run: onCopyLink },
        null,
        { label: t('shell.signOut'), icon: 'logout', run: onSignOut },
      ]}
    />
  )
}

export function Brand({ size = 20 }: { readonly size?: number }) {
  return (
    <svg aria-hidden="true" width={size} height={size} viewBox="0 0 20 20">
      <circle cx="10" cy="10" r="7" fill="none" stroke="var(--online-fill)" strokeWidth="2.6" />
      <path d="M10 3a7 7 0 0 1 0 14z" fill="var(--online-fill)" />
    </svg>
  )
}

function AdminsOnly() {
  const { t } = useReading()
  return (
    <Page title={t('state.forbidden')}>
      <Empty title={t('shell.adminsOnly')}>{t('shell.adminsOnlyWhy')}</Empty>
    </Page>
  )
}

function NoSuchPage() {
  const { t } = useReading()
  return (
    <Page title={t('state.notFound')}>
      <Empty title={t('shell.noSuchPage')} acts={<Link href="/">{t('nav.overview')}</Link>} />
    </Page>
  )
}
