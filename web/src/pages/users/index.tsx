import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { useLocation } from 'wouter'
import { useAddress } from '../../app/address'
import { useShell } from '../../app/context'
import { useCopy } from '../../app/copy'
import { useShortcut } from '../../app/shortcuts'
import { Button, Empty, Failed, Icon, MenuButton, type MenuEntry, MenuPanel, Page } from '../../components'
import { useApi, useLive, useMayAct, usePeople } from '../../data'
import { type Filter, View } from '../../data/view'
import { useReading } from '../../i18n'
import { ActDialog, type ActName, type Asked, actsFor } from './acts'
import { Filters, facetText } from './filters'
import { columns, columnsOf, filterOf, names, serverQuery, sortOf, sortText, used, usual } from './query'
import { SavedViews } from './saved'
import { useStillness } from './stillness'
import { headings, Table } from './table'
import frame from './table.module.css'
import styles from './users.module.css'

/** Everybody, live: found, filtered, sorted and acted upon. */
export default function UsersPage() {
  const { t, format } = useReading()
  const address = useAddress()
  const live = useLive()
  const { people, ready } = usePeople()
  const [, navigate] = useLocation()
  const copy = useCopy()
  const mayAct = useMayAct()
  const view = useMemo(() => new View(people, live.now), [people, live])
  const version = useSyncExternalStore(view.subscribe, () => view.version)
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set())
  const [menuOpen, setMenuOpen] = useState(false)
  const [menu, setMenu] = useState<{ row: number; from: Element | { x: number; y: number } } | null>(null)
  const [asked, setAsked] = useState<Asked | null>(null)
  const card = useNarrow()
  const { table, handlers, behind } = useStillness(view, {
    chosen: chosen.size > 0,
    menu: menuOpen || menu !== null || asked !== null,
  })

  // The address says what is shown; what is typed is shown first and gets there when the typing stops.
  const [typed, setTyped] = useState(address.get('q') ?? '')
  const search = useDeferredValue(typed)
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => {
    if (document.activeElement !== input.current) setTyped(address.get('q') ?? '')
  }, [address])
  useEffect(() => {
    if (search === (address.get('q') ?? '')) return
    const timer = setTimeout(() => address.set({ q: search }), 250)
    return () => clearTimeout(timer)
  }, [search])
  const filter = useMemo<Filter>(() => ({ ...filterOf(address), search }), [address, search])
  const sort = useMemo(() => sortOf(address), [address])
  const shown = useMemo(() => columnsOf(address), [address])
  const there = ready === true
  useEffect(() => {
    if (there) view.show(filter, sort)
  }, [view, filter, sort, there])

  useShortcut({ keys: '/', text: 'users.key.search', run: () => input.current?.focus() })
  useShortcut(behind.moved || behind.fresh ? { keys: 's', text: 'users.sortNow', run: view.settle } : null)
  useShortcut({
    keys: 'Escape',
    text: 'users.key.back',
    run: () => {
      if (chosen.size) setChosen(new Set())
      else if (document.activeElement instanceof HTMLElement) document.activeElement.blur()
    },
  })

  const open = useCallback((row: number) => navigate(`/users/${people.id[row]}`), [navigate, people])
  const onMenu = useCallback((row: number, from: Element | { x: number; y: number }) => setMenu({ row, from }), [])
  const ask = (act: ActName, rows: readonly number[]) => setAsked({ act, rows })
  const rowMenu = (row: number): MenuEntry[] => [
    people.username[row] ?? '',
    { label: t('act.open'), icon: 'person', end: 'Enter', run: () => open(row) },
    {
      label: t('users.copyEmail'),
      run: () => copy(people.email[row] ?? ''),
    },
    null,
    ...actsFor(people, row).map((act) => ({
      label: t(`users.act.${act}`),
      danger: act === 'ban' || act === 'trash',
      disabled: !mayAct && t('users.mayNot'),
      run: () => ask(act, [row]),
    })),
  ]

  const about = there && (
    <span className={styles.count} data-testid="count">
      {used(filter).length ? t('users.match', { n: view.length }) : t('count.users', { n: view.length })}
    </span>
  )
  // Beside the title, where it comes and goes without moving what is below the pointer.
  const late = (behind.moved > 0 || behind.fresh > 0) && (
    <span className={styles.behind} data-testid="behind">
      {behind.moved > 0 && t('users.moved', { n: behind.moved })}{' '}
      {behind.fresh > 0 && t('users.fresh', { n: behind.fresh })}
      <Button kind="plain" onClick={view.settle} aria-keyshortcuts="s">
        {t('users.sortNow')}
      </Button>
    </span>
  )
  return (
    <Page
      full
      title={t('users.title')}
      about={
        <>
          {about}
          {late}
        </>
      }
      acts={
        <>
          <SavedViews search={address.search} onMenu={setMenuOpen} />
          <MenuButton
            kind="plain"
            icon="columns"
            label={t('users.columns')}
            onOpen={setMenuOpen}
            entries={columns.map((c) => ({
              label: t(headings[c]),
              many: true,
              checked: shown.includes(c),
              disabled: c === 'user' && t('users.always'),
              run: () => {
                const next = columns.filter((one) => (one === c ? !shown.includes(c) : shown.includes(one)))
                address.set({ cols: next.join() === usual.join() ? null : next })
              },
            }))}
          />
          <Export filter={filter} sort={sort} onMenu={setMenuOpen} />
        </>
      }
    >
      <div className={styles.bar}>
        <div className={styles.search}>
          <Icon name="search" />
          <input
            ref={input}
            type="search"
            aria-label={t('users.search')}
            placeholder={t('users.searchHint')}
            value={typed}
            dir="auto"
            autoComplete="off"
            spellCheck={false}
            onChange={(e) => setTyped(e.target.value)}
            onKeyDown={(e) => {
              if (e.key !== 'Escape') return
              e.preventDefault()
              if (typed) setTyped('')
              else input.current?.blur()
            }}
          />
        </div>
        <Filters address={address} filter={filter} onMenu={setMenuOpen} />
      </div>
      <div className={frame.frame}>
        {ready instanceof Error ? (
          <Failed onRetry={live.want} />
        ) : !there ? (
          <Loading />
        ) : view.length || !used(filter).length ? (
          <Table
            people={people}
            view={view}
            version={version}
            columns={shown}
            sort={sort}
            onSort={(s) => address.set({ sort: sortText(s) === '-seen' ? null : sortText(s) })}
            chosen={chosen}
            onChoose={setChosen}
            onMenu={onMenu}
            onOpen={open}
            table={table}
            handlers={handlers}
            card={card}
          />
        ) : (
          <NoMatch
            view={view}
            filter={filter}
            onDrop={(k) => (k === 'search' ? setTyped('') : address.set({ [names[k]]: null }, true))}
          />
        )}
        {there && people.size <= 1 && !used(filter).length && <FirstUser />}
        {chosen.size > 0 && (
          <div className={styles.bulk} role="toolbar" aria-label={t('users.chosenActs')}>
            <b className={styles.chosen}>{t('users.chosen', { n: chosen.size })}</b>
            {(['force_logout', 'hold'] as const).map((act) => (
              <Button key={act} disabled={!mayAct} onClick={() => ask(act, [...chosen])}>
                {t(`users.act.${act}`)}
              </Button>
            ))}
            <MenuButton
              label={t('act.more')}
              disabled={!mayAct}
              entries={(['lift', 'approve', 'activate', 'suspend', 'ban', 'trash'] as const).map((act) => ({
                label: t(`users.act.${act}`),
                danger: act === 'ban' || act === 'trash',
                run: () => ask(act, [...chosen]),
              }))}
            >
              {t('act.more')}
            </MenuButton>
            {!mayAct && <span className={styles.count}>{t('users.mayNot')}</span>}
            <span className={styles.end}>
              {chosen.size < view.length && (
                <Button kind="plain" onClick={() => setChosen(new Set(view.order.subarray(0, view.length)))}>
                  {t('users.chooseMatching', { n: view.length })}
                </Button>
              )}
              <Button kind="plain" onClick={() => setChosen(new Set())}>
                {t('users.chooseNone')}
              </Button>
            </span>
          </div>
        )}
      </div>
      {menu && (
        <MenuPanel
          label={t('users.actsOn', { name: people.username[menu.row] ?? '' })}
          from={menu.from}
          entries={rowMenu(menu.row)}
          onClose={() => setMenu(null)}
        />
      )}
      {asked && (
        <ActDialog
          asked={asked}
          people={people}
          onClose={(done) => {
            setAsked(null)
            if (done) setChosen(new Set())
          }}
        />
      )}
      <span className="visually-hidden" data-testid="shown">
        {format.number(view.length)}
      </span>
    </Page>
  )
}

function useNarrow(): boolean {
  const query = useMemo(() => matchMedia('(max-width: 40rem)'), [])
  return useSyncExternalStore(
    (listener) => {
      query.addEventListener('change', listener)
      return () => query.removeEventListener('change', listener)
    },
    () => query.matches,
  )
}

/** Where rows will be. */
function Loading() {
  const { t } = useReading()
  return (
    <div className={frame.scroll} style={{ position: 'relative' }} aria-busy="true">
      <span className="visually-hidden">{t('state.loading')}</span>
      {Array.from({ length: 12 }, (_, i) => i).map((i) => (
        <i key={i} className={frame.skeleton} style={{ insetBlockStart: `${i * 2.25 + 1}rem`, opacity: 1 - i / 13 }} />
      ))}
    </div>
  )
}

/** Nothing matches: which part of the filter leaves out most, and a key to drop it. */
function NoMatch({
  view,
  filter,
  onDrop,
}: {
  readonly view: View
  readonly filter: Filter
  readonly onDrop: (k: keyof Filter) => void
}) {
  const { t } = useReading()
  const best = useMemo(
    () =>
      used(filter)
        .map((k) => ({ k, n: view.without(k) }))
        .reduce((a, b) => (b.n > a.n ? b : a)),
    [view, filter],
  )
  useShortcut({ keys: 'd', text: 'users.key.drop', run: () => onDrop(best.k) })
  return (
    <Empty
      title={t('users.noMatch')}
      acts={
        <Button onClick={() => onDrop(best.k)} aria-keyshortcuts="d">
          {t('users.dropFilter', { what: t(facetText(best.k)) })}
        </Button>
      }
    >
      <p>{t('users.noMatchWhy', { what: t(facetText(best.k)), n: best.n })}</p>
    </Empty>
  )
}

/** Nobody but the admin yet: how the first one comes, and that they will appear here by themselves. */
function FirstUser() {
  const { t } = useReading()
  const snippet = `<script src="${location.origin}/sdk/presence.js" data-token-url="/my/token" defer></script>\n<i data-presence="7"></i>`
  return (
    <div className={styles.waiting}>
      <h2>{t('users.first')}</h2>
      <p>{t('users.firstHow')}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it scrolls sideways, so keys must reach it */}
      <pre className={styles.snippet} tabIndex={0}>
        {snippet}
      </pre>
      <p className={styles.count}>{t('users.firstWait')}</p>
    </div>
  )
}

/** The view as a file, made by the server; it is in the audit that somebody took it. */
function Export({
  filter,
  sort,
  onMenu,
}: {
  readonly filter: Filter
  readonly sort: ReturnType<typeof sortOf>
  readonly onMenu: (open: boolean) => void
}) {
  const { t, format } = useReading()
  const api = useApi()
  const live = useLive()
  const mayAct = useMayAct()
  const { toast } = useShell()
  const save = async (kind: 'csv' | 'json', bom = false) => {
    const query = serverQuery(filter, sort, live.now())
    if (!query) return
    try {
      const params = new URLSearchParams({ ...query, format: kind, bom: String(bom), tz: format.zone })
      const r = await api.fetch(`/users/export?${params}`)
      if (!r.ok) throw new Error(`status ${r.status}`)
      const url = URL.createObjectURL(await r.blob())
      const a = document.createElement('a')
      a.href = url
      a.download = `users-${format.isoLocal(live.now()).slice(0, 10)}.${kind}`
      a.click()
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    } catch {
      toast({ text: t('state.failed') })
    }
  }
  const disabled = !mayAct ? t('users.mayNot') : !serverQuery(filter, sort, 0) ? t('users.noExport') : false
  return (
    <MenuButton
      kind="plain"
      icon="export"
      label={t('users.export')}
      onOpen={onMenu}
      entries={[
        { label: 'CSV', disabled, run: () => void save('csv') },
        { label: t('users.csvBom'), disabled, run: () => void save('csv', true) },
        { label: 'JSON', disabled, run: () => void save('json') },
      ]}
    />
  )
}
