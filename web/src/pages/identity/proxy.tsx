import { useQuery } from '@tanstack/react-query'
import { Link } from 'wouter'
import { useAddress } from '../../app/address'
import { useCopy } from '../../app/copy'
import { Button, Failed, Select } from '../../components'
import { useApi, useNow } from '../../data'
import { Say, useReading } from '../../i18n'
import type { ProxiesSeen } from '../../wire'
import { blockOf, isProxy, proxies } from './blocks'
import css from './identity.module.css'
import { useUsername } from './name'

const names = { nginx: 'nginx', traefik: 'Traefik', caddy: 'Caddy' } as const

/** The configuration for a proxy, and whether one asks. */
export function ProxyPanel() {
  const { t } = useReading()
  const copy = useCopy()
  const address = useAddress()
  const chosen = address.get('proxy')
  const proxy = isProxy(chosen) ? chosen : 'nginx'
  const block = blockOf(proxy, location.origin)
  return (
    <section className={css.panel} aria-labelledby="identity-proxy">
      <h2 id="identity-proxy">{t('identity.proxy')}</h2>
      <p className={css.soft}>{t('identity.proxy.about')}</p>
      <div className={css.which}>
        <Select
          label={t('identity.proxy.which')}
          value={proxy}
          hint={t(`identity.proxy.${proxy}.about`)}
          onChange={(e) => address.set({ proxy: e.target.value === 'nginx' ? null : e.target.value })}
        >
          {proxies.map((one) => (
            <option key={one} value={one}>
              {names[one]}
            </option>
          ))}
        </Select>
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
      <pre className={css.block} dir="ltr" tabIndex={0} aria-label={names[proxy]} role="group">
        {block}
      </pre>
      <div>
        <Button onClick={() => copy(block)}>{t('identity.copy')}</Button>
      </div>
      <SeenLine />
    </section>
  )
}

function SeenLine() {
  const { t, format: f } = useReading()
  const api = useApi()
  const now = useNow()
  const seen = useQuery({
    queryKey: ['proxies'],
    queryFn: ({ signal }) => api.get<ProxiesSeen>('/identity/proxies', {}, signal),
    refetchInterval: 2_000,
  })
  const name = useUsername(seen.data?.user ?? '')
  if (seen.isError) return <Failed onRetry={() => void seen.refetch()} />
  if (!seen.data) return <p className={css.soft}>{t('state.loading')}</p>
  const { asked_at, known_at, status, user } = seen.data
  const state = known_at ? 'known' : asked_at ? 'nobody' : 'waiting'
  return (
    <p className={state === 'known' ? css.good : state === 'nobody' ? css.bad : css.waiting} data-proxy={state}>
      {state === 'known' ? (
        <Say
          k="identity.proxy.known"
          v={{
            user: <Link href={`/users/${user}`}>{name ?? `#${user}`}</Link>,
            ago: f.ago(Date.parse(known_at ?? ''), now),
          }}
        />
      ) : state === 'nobody' ? (
        <Say k="identity.proxy.nobody" v={{ ago: f.ago(Date.parse(asked_at ?? ''), now), status: `${status}` }} />
      ) : (
        t('identity.proxy.waiting')
      )}
    </p>
  )
}
