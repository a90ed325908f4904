import { useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { ApiError, useApi } from '../../data'
import { type Reading, useReading } from '../../i18n'
import css from './overview.module.css'

/** Something that somebody should look at, as the server tells it. */
interface Item {
  readonly kind: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly count: number
}

interface AttentionList {
  readonly items: readonly Item[]
}

/** What each kind says, and the saved view that shows whom or what it is about. */
const kinds: Readonly<
  Record<string, { readonly say: (t: Reading['t'], n: number, f: Reading['format']) => string; readonly href: string }>
> = {
  held: { say: (t, n) => t('overview.attention.held', { n }), href: '/users?view=overrides' },
  silent: { say: (t, n) => t('overview.attention.silent', { n }), href: '/users?view=silent' },
  devices: { say: (t, n) => t('overview.attention.devices', { n }), href: '/users?view=devices' },
  pending: { say: (t, n) => t('overview.attention.pending', { n }), href: '/users?view=pending' },
  sweep: { say: (t, n, f) => t('overview.attention.sweep', { time: f.duration(n) }), href: '/system' },
  webhooks: { say: (t, n) => t('overview.attention.webhooks', { n }), href: '/webhooks' },
  backup: { say: (t) => t('overview.attention.backup'), href: '/system' },
}

const signs = { info: 'i', warning: '!', critical: '!!' } as const

export function Attention() {
  const { t, format: f } = useReading()
  const api = useApi()
  const list = useQuery({
    queryKey: ['attention'],
    queryFn: ({ signal }) => api.get<AttentionList>('/attention', {}, signal),
    refetchInterval: 10_000,
    retry: (n, error) => n < 2 && !(error instanceof ApiError),
  })
  const items = (list.data?.items ?? []).filter((item) => item.count > 0 && kinds[item.kind])
  return (
    <section className={css.attention} aria-labelledby="attention">
      <h2 id="attention">{t('overview.attention')}</h2>
      {list.isError && <p className={css.allIsWell}>{t('state.failed')}</p>}
      {list.data && items.length === 0 && <p className={css.allIsWell}>{t('overview.attention.none')}</p>}
      <ul>
        {items.map((item) => {
          const kind = kinds[item.kind]
          const words = kind?.say(t, item.count, f) ?? ''
          return (
            <li key={item.kind}>
              <Link href={kind?.href ?? '/'} aria-label={t('overview.attention.open', { what: words })}>
                <b className={css.severity} data-severity={item.severity} aria-hidden="true">
                  {signs[item.severity]}
                </b>
                <span>{words}</span>
              </Link>
            </li>
          )
        })}
      </ul>
    </section>
  )
}
