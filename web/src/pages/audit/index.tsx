import { useInfiniteQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'wouter'
import { useAddress } from '../../app/address'
import { useShell } from '../../app/context'
import { Button, Empty, Failed, MenuButton, Page } from '../../components'
import { ApiError, type People, useApi, useLive, usePeople } from '../../data'
import { Say, useReading } from '../../i18n'
import type { AuditEntry, AuditPage } from '../../wire'
import css from './audit.module.css'
import { type Difference, differences, write } from './difference'

/** What admins did, newest first: who, what, on whom, from what to what, why, from where. */
export default function Audit() {
  const { t, format: f } = useReading()
  const api = useApi()
  const live = useLive()
  const shell = useShell()
  const { people } = usePeople()
  const address = useAddress()
  const filter = {
    actor: address.get('actor') ?? undefined,
    target: address.get('target') ?? undefined,
    action: address.get('action') ?? undefined,
  }
  const pages = useInfiniteQuery({
    queryKey: ['audit', filter],
    queryFn: ({ pageParam, signal }) =>
      api.get<AuditPage>('/audit', { limit: 100, cursor: pageParam, ...filter }, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  })
  const entries = useMemo(() => pages.data?.pages.flatMap((page) => page.items) ?? [], [pages.data])
  const seen = useMemo(
    () => ({
      actions: [...new Set([...entries.map((e) => e.action), ...(filter.action ? [filter.action] : [])])].sort(),
      actors: [...new Set([...entries.map((e) => e.actor), ...(filter.actor ? [filter.actor] : [])])]
        .filter(Boolean)
        .sort(),
    }),
    [entries, filter.action, filter.actor],
  )
  const filtered = Boolean(filter.actor || filter.target || filter.action)
  const clear = (
    <Button onClick={() => address.set({ actor: null, target: null, action: null })}>{t('audit.clear')}</Button>
  )
  const download = async (format: 'csv' | 'json') => {
    const query = new URLSearchParams({ format, ...(format === 'csv' && { bom: 'true', tz: f.zone }) })
    for (const [name, value] of Object.entries(filter)) if (value) query.set(name, value)
    try {
      const r = await api.fetch(`/audit/export?${query}`)
      if (!r.ok) throw new ApiError(r.status, { code: 'failed', detail: r.statusText })
      const url = URL.createObjectURL(await r.blob())
      const link = document.createElement('a')
      link.href = url
      link.download = `audit-${new Date(live.now()).toISOString().slice(0, 10)}.${format}`
      link.click()
      setTimeout(() => URL.revokeObjectURL(url), 60_000)
    } catch {
      shell.toast({ text: t('state.failed') })
    }
  }

  return (
    <Page
      title={t('audit.title')}
      about={
        <p className={css.about}>
          <Say k="audit.about" v={{ command: <code dir="ltr">presence audit verify</code> }} />
        </p>
      }
      acts={
        <>
          <MenuButton
            label={t('audit.action')}
            icon="filter"
            entries={[
              { label: t('audit.action.all'), checked: !filter.action, run: () => address.set({ action: null }) },
              ...seen.actions.map((action) => ({
                label: <bdi>{action}</bdi>,
                checked: filter.action === action,
                run: () => address.set({ action }),
              })),
            ]}
          >
            {filter.action ? <bdi>{filter.action}</bdi> : t('audit.action.all')}
          </MenuButton>
          <MenuButton
            label={t('audit.actor')}
            icon="person"
            entries={[
              { label: t('audit.actor.all'), checked: !filter.actor, run: () => address.set({ actor: null }) },
              ...seen.actors.map((actor) => ({
                label: <Actor id={actor} people={people} />,
                checked: filter.actor === actor,
                run: () => address.set({ actor }),
              })),
            ]}
          >
            {filter.actor ? <Actor id={filter.actor} people={people} /> : t('audit.actor.all')}
          </MenuButton>
          <MenuButton
            label={t('audit.export')}
            icon="export"
            entries={[
              { label: t('audit.export.csv'), run: () => void download('csv') },
              { label: t('audit.export.json'), run: () => void download('json') },
            ]}
          >
            {t('audit.export')}
          </MenuButton>
        </>
      }
    >
      {filter.target && (
        <p className={css.chip}>
          {t('audit.target')} <bdi>{nameOf(people, filter.target)}</bdi> {clear}
        </p>
      )}
      {pages.isPending ? (
        <p className={css.soft}>{t('state.loading')}</p>
      ) : pages.isError ? (
        <Failed onRetry={() => void pages.refetch()} />
      ) : entries.length === 0 ? (
        filtered ? (
          <Empty title={t('audit.noMatch')} acts={clear} />
        ) : (
          <Empty title={t('audit.none')}>{t('audit.none.help')}</Empty>
        )
      ) : (
        <>
          {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
          <section className={css.scroll} tabIndex={0} aria-label={t('audit.title')}>
            <table className={css.table}>
              <thead>
                <tr>
                  {(['when', 'who', 'what', 'whom', 'change', 'from'] as const).map((column) => (
                    <th key={column} scope="col">
                      {t(`audit.${column}`)}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {entries.map((e) => (
                  <Row key={e.id} entry={e} people={people} now={live.now()} />
                ))}
              </tbody>
            </table>
          </section>
          <p className={css.soft}>
            {pages.hasNextPage ? (
              <Button disabled={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
                {t('audit.more')}
              </Button>
            ) : (
              t('audit.end')
            )}
          </p>
        </>
      )}
    </Page>
  )
}

function Row({ entry: e, people, now }: { readonly entry: AuditEntry; readonly people: People; readonly now: number }) {
  const { t, format: f } = useReading()
  const at = Date.parse(e.at)
  const changes = differences(e.before, e.after)
  return (
    <tr>
      <td className={css.when}>
        <time dateTime={e.at} title={f.dateTime(at)}>
          {f.moment(at, now)}
        </time>
      </td>
      <td>
        <Actor id={e.actor} people={people} link />
      </td>
      <td>
        <bdi className={css.action}>{e.action}</bdi>
      </td>
      <td>
        {e.target && !e.target.startsWith('-') ? (
          <Link href={`/users/${e.target}`}>
            <bdi>{e.target_name || `#${e.target}`}</bdi>
          </Link>
        ) : (
          <bdi>{e.target_name || e.target}</bdi>
        )}
      </td>
      <td>
        {changes.length > 0 && (
          <ul className={css.changes}>
            {changes.map((c) => (
              <Changed key={c.field} change={c} />
            ))}
          </ul>
        )}
        {e.reason && (
          <p className={css.reason}>
            <Say k="audit.reason" v={{ reason: e.reason }} />
          </p>
        )}
      </td>
      <td className={css.soft}>
        <bdi dir="ltr">{e.ip}</bdi>
        {e.user_agent && (
          <span className={css.agent} title={e.user_agent}>
            <bdi>{e.user_agent}</bdi>
          </span>
        )}
        {e.request_id && (
          <span className={css.agent} title={e.request_id}>
            <Say k="audit.request" v={{ id: e.request_id }} />
          </span>
        )}
        {!e.ip && !e.user_agent && !e.request_id && t('audit.cli')}
      </td>
    </tr>
  )
}

function Changed({ change: c }: { readonly change: Difference }) {
  const { t } = useReading()
  const shown = (value: unknown) => (value === undefined ? t('audit.nothing') : <bdi>{write(value)}</bdi>)
  return (
    <li>
      <bdi className={css.field}>{c.field}</bdi>{' '}
      {c.before !== undefined && (
        <>
          <del>{shown(c.before)}</del> <span aria-hidden="true">→</span>{' '}
        </>
      )}
      <ins>{shown(c.after)}</ins>
    </li>
  )
}

/** Who did it: an admin, an API token, or the command line on the server's machine. */
function Actor({
  id,
  people,
  link = false,
}: {
  readonly id: string
  readonly people: People
  readonly link?: boolean
}) {
  const { t } = useReading()
  if (!id) return <span>{t('audit.cli')}</span>
  if (id.startsWith('-')) return <Say k="audit.token" v={{ id: id.slice(1) }} />
  const name = <bdi>{nameOf(people, id)}</bdi>
  return link ? <Link href={`/users/${id}`}>{name}</Link> : name
}

function nameOf(people: People, id: string): string {
  const row = people.row(id)
  return (row === undefined ? '' : people.username[row]) || `#${id}`
}
