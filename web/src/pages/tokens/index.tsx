import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useShell } from '../../app/context'
import { useCopy } from '../../app/copy'
import { Problem, useTell } from '../../app/problem'
import { Button, Dialog, Empty, Failed, Field, Page, Secret, Select } from '../../components'
import { useApi, useLive } from '../../data'
import { DAY, Say, useReading } from '../../i18n'
import type { MadeToken, NewToken, Token, TokenList } from '../../wire'
import css from './tokens.module.css'

const scopes = ['touch', 'read', 'tickets', 'logout', 'admin:read'] as const

/** The tokens of backends: what each may do, when it was used last, and its end. */
export default function Tokens() {
  const { t } = useReading()
  const api = useApi()
  const [making, setMaking] = useState(false)
  const [ending, setEnding] = useState<Token | null>(null)
  const tokens = useQuery({
    queryKey: ['tokens'],
    queryFn: ({ signal }) => api.get<TokenList>('/tokens', {}, signal),
    refetchInterval: 15_000,
  })
  const make = (
    <Button kind="primary" icon="plus" onClick={() => setMaking(true)}>
      {t('tokens.new')}
    </Button>
  )
  return (
    <Page title={t('tokens.title')} about={<p className={css.about}>{t('tokens.about')}</p>} acts={make}>
      {tokens.isPending ? (
        <p className={css.soft}>{t('state.loading')}</p>
      ) : tokens.isError ? (
        <Failed onRetry={() => void tokens.refetch()} />
      ) : tokens.data.items.length === 0 ? (
        <Empty title={t('tokens.none')} acts={make}>
          {t('tokens.none.help')}
        </Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
        <section className={css.scroll} tabIndex={0} aria-label={t('tokens.title')}>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">{t('tokens.name')}</th>
                <th scope="col">{t('tokens.scopes')}</th>
                <th scope="col">{t('tokens.used')}</th>
                <th scope="col">{t('tokens.made')}</th>
                <th scope="col">{t('tokens.ends')}</th>
                <th scope="col">
                  <span className="visually-hidden">{t('tokens.revoke')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {tokens.data.items.map((token) => (
                <Row key={token.id} token={token} onRevoke={() => setEnding(token)} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {making && <Make onClose={() => setMaking(false)} />}
      {ending && <Revoke token={ending} onClose={() => setEnding(null)} />}
    </Page>
  )
}

function Row({ token, onRevoke }: { readonly token: Token; readonly onRevoke: () => void }) {
  const { t, format: f } = useReading()
  const now = useLive().now()
  const when = (at: string | null, otherwise: string) =>
    at ? <time dateTime={at}>{f.moment(Date.parse(at), now)}</time> : otherwise
  return (
    <tr className={token.status === 'active' ? undefined : css.over}>
      <td>
        <bdi className={css.name}>{token.name}</bdi>
        <code dir="ltr">{token.hint}…</code>
      </td>
      <td>
        <ul className={css.scopes}>
          {token.scopes.map((scope) => (
            <li key={scope}>
              <bdi dir="ltr">{scope}</bdi>
            </li>
          ))}
        </ul>
      </td>
      <td>{when(token.last_used_at, t('time.never'))}</td>
      <td>{when(token.created_at, '')}</td>
      <td>
        {token.status === 'revoked' ? (
          <Say k="tokens.revoked" v={{ time: when(token.revoked_at, '') }} />
        ) : token.status === 'expired' ? (
          <Say k="tokens.expired" v={{ time: when(token.expires_at, '') }} />
        ) : (
          when(token.expires_at, t('tokens.noEnd'))
        )}
      </td>
      <td>
        {token.status === 'active' && (
          <Button kind="danger" onClick={onRevoke} aria-label={t('tokens.revoke.of', { name: token.name })}>
            {t('tokens.revoke')}
          </Button>
        )}
      </td>
    </tr>
  )
}

/** Makes a token and shows it, this once. */
function Make({ onClose }: { readonly onClose: () => void }) {
  const { t } = useReading()
  const api = useApi()
  const live = useLive()
  const copy = useCopy()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [chosen, setChosen] = useState<readonly NewToken['scopes'][number][]>(['touch', 'read'])
  const [days, setDays] = useState('')
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const [made, setMade] = useState<MadeToken>()

  const submit = async () => {
    setBusy(true)
    setFailed(undefined)
    const wanted: NewToken = { name: name.trim(), scopes: [...chosen] }
    if (days) wanted.expires_at = new Date(live.now() + Number(days) * DAY).toISOString()
    try {
      setMade(await api.send<MadeToken>('POST', '/tokens', wanted))
      void queries.invalidateQueries({ queryKey: ['tokens'] })
    } catch (e) {
      setFailed(e)
    } finally {
      setBusy(false)
    }
  }
  if (made) {
    return (
      <Dialog
        title={t('tokens.done', { name: made.name })}
        onClose={onClose}
        width={36}
        foot={
          <>
            <Button onClick={onClose}>{t('act.close')}</Button>
            <Button kind="primary" onClick={() => copy(made.token)}>
              {t('act.copy')}
            </Button>
          </>
        }
      >
        <div className={css.form}>
          <p>{t('tokens.once')}</p>
          <Secret>{made.token}</Secret>
          <p className={css.soft}>
            <code dir="ltr">Authorization: Bearer {made.hint}…</code>
          </p>
        </div>
      </Dialog>
    )
  }
  return (
    <Dialog
      title={t('tokens.new')}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={busy || !name.trim() || !chosen.length} onClick={() => void submit()}>
            {t('tokens.make')}
          </Button>
        </>
      }
    >
      <form
        className={css.form}
        onSubmit={(e) => {
          e.preventDefault()
          if (name.trim() && chosen.length) void submit()
        }}
      >
        {failed !== undefined && <Problem error={failed} />}
        <Field
          label={t('tokens.name')}
          hint={t('tokens.name.help')}
          value={name}
          maxLength={100}
          dir="auto"
          onChange={(e) => setName(e.target.value)}
        />
        <fieldset className={css.choices}>
          <legend>{t('tokens.scopes')}</legend>
          {scopes.map((scope) => (
            <label key={scope}>
              <input
                type="checkbox"
                checked={chosen.includes(scope)}
                onChange={(e) => setChosen(e.target.checked ? [...chosen, scope] : chosen.filter((s) => s !== scope))}
              />
              <span>
                <code dir="ltr">{scope}</code> {t(`tokens.scope.${scope}`)}
              </span>
            </label>
          ))}
        </fieldset>
        <Select label={t('tokens.ends')} value={days} onChange={(e) => setDays(e.target.value)}>
          <option value="">{t('tokens.noEnd')}</option>
          {[30, 90, 365].map((n) => (
            <option key={n} value={n}>
              {t('tokens.days', { n })}
            </option>
          ))}
        </Select>
      </form>
    </Dialog>
  )
}

function Revoke({ token, onClose }: { readonly token: Token; readonly onClose: () => void }) {
  const { t } = useReading()
  const api = useApi()
  const tell = useTell()
  const shell = useShell()
  const queries = useQueryClient()
  const [busy, setBusy] = useState(false)
  const revoke = async () => {
    setBusy(true)
    try {
      await api.send('DELETE', `/tokens/${token.id}`)
      shell.toast({ text: t('tokens.revoked.done', { name: token.name }) })
      onClose()
    } catch (e) {
      shell.toast({ text: tell(e) })
      setBusy(false)
    }
    void queries.invalidateQueries({ queryKey: ['tokens'] })
  }
  return (
    <Dialog
      title={t('tokens.revoke.title', { name: token.name })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="danger" disabled={busy} onClick={() => void revoke()}>
            {t('tokens.revoke')}
          </Button>
        </>
      }
    >
      <p className={css.form}>{t('tokens.revoke.text')}</p>
    </Dialog>
  )
}
