import { useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { ApiError, useApi } from '../../data'
import { type Reading, useReading } from '../../i18n'
import css from './overview.module.css'

/** Something that somebody should look at, as the server tells it. */
interface Concern {
  readonly key: string
  readonly state: 'info' | 'warn' | 'fail'
  readonly count: number
  readonly text: string
  readonly page: string
}

interface AttentionList {
  readonly items: readonly Concern[]
}

const hours = 24

/** What a concern says in the reader's language; the server's words are for what only a newer server knows. */
function words(one: Concern, t: Reading['t']): string {
  const n = one.count
  switch (one.key) {
    case 'held':
      return t('overview.attention.held', { n })
    case 'silent':
      return t('overview.attention.silent', { n, hours })
    case 'many_devices':
      return t('overview.attention.devices', { n })
    case 'pending':
      return t('overview.attention.pending', { n })
    case 'expiry_lag':
      return t('overview.attention.late')
    case 'webhooks':
      return t('overview.attention.webhooks')
    case 'system':
      return t('overview.attention.system')
    default:
      return one.text
  }
}

/** The list that shows whom or what it is about, as the dashboard's own pages are addressed. */
const places: Readonly<Record<string, string>> = {
  held: '/users?held=1',
  silent: `/users?presence=online,away&unseen=${hours}h`,
  many_devices: '/users?devices=4',
  pending: '/users?account=pending',
}

const signs = { info: 'i', warn: '!', fail: '!!' } as const

export function Attention() {
  const { t } = useReading()
  const api = useApi()
  const list = useQuery({
    queryKey: ['attention'],
    queryFn: ({ signal }) => api.get<AttentionList>('/attention', { silent_hours: hours }, signal),
    refetchInterval: 10_000,
    retry: (n, error) => n < 2 && !(error instanceof ApiError),
  })
  const items = list.data?.items ?? []
  return (
    <section className={css.attention} aria-labelledby="attention">
      <h2 id="attention">{t('overview.attention')}</h2>
      {list.isError && <p className={css.allIsWell}>{t('state.failed')}</p>}
      {list.data && items.length === 0 && <p className={css.allIsWell}>{t('overview.attention.none')}</p>}
      <ul>
        {items.map((one) => (
          <li key={`${one.key} ${one.text}`}>
            <Link href={places[one.key] ?? `/${one.page}`} title={one.key === 'system' ? one.text : undefined}>
              <b className={css.severity} data-state={one.state} aria-hidden="true">
                {signs[one.state]}
              </b>
              <span>{words(one, t)}</span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
