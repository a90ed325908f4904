import { useState } from 'react'
import { Link } from 'wouter'
import { Problem } from '../../app/problem'
import { Button, TextField } from '../../components'
import { useApi, useLive } from '../../data'
import { type Key, Say, useReading } from '../../i18n'
import type { IdentityCheck, IdentityVerdict } from '../../wire'
import css from './identity.module.css'
import { useUsername } from './name'

type ReasonKey = Extract<Key, `identity.reason.${string}`>

/** Says of a pasted token whether it would be let in, and if not, exactly why. The token leaves the field for the server alone. */
export function Check() {
  const { t } = useReading()
  const api = useApi()
  const [token, setToken] = useState('')
  const [verdict, setVerdict] = useState<IdentityVerdict>()
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const pasted = token.trim().replace(/^bearer\s+/i, '')
  const check = async () => {
    if (!pasted || busy) return
    setBusy(true)
    setFailed(undefined)
    try {
      const asked: IdentityCheck = { token: pasted }
      setVerdict(await api.send<IdentityVerdict>('POST', '/identity/check', asked))
    } catch (e) {
      setVerdict(undefined)
      setFailed(e)
    } finally {
      setBusy(false)
    }
  }
  return (
    <section className={css.panel} aria-labelledby="identity-check">
      <h2 id="identity-check">{t('identity.check')}</h2>
      <p className={css.soft}>{t('identity.check.about')}</p>
      <form
        className={css.form}
        onSubmit={(e) => {
          e.preventDefault()
          void check()
        }}
      >
        <TextField
          label={t('identity.token')}
          className={css.token}
          dir="ltr"
          rows={4}
          maxLength={8192}
          spellCheck={false}
          autoComplete="off"
          placeholder="eyJ…"
          value={token}
          onChange={(e) => {
            setToken(e.target.value)
            setVerdict(undefined)
          }}
        />
        <div>
          <Button kind="primary" type="submit" disabled={!pasted || busy}>
            {t('identity.check.do')}
          </Button>
        </div>
      </form>
      {failed !== undefined && <Problem error={failed} />}
      <div role="status">{verdict && <Verdict verdict={verdict} />}</div>
    </section>
  )
}

function Verdict({ verdict: v }: { readonly verdict: IdentityVerdict }) {
  const { t, pack, format: f } = useReading()
  const now = useLive().now()
  const name = useUsername(v.user)
  const key = `identity.reason.${v.reason}`
  const reason = key in pack.texts ? t(key as ReasonKey) : v.detail
  const user = v.user && <Link href={`/users/${v.user}`}>{name ?? `#${v.user}`}</Link>
  const says: readonly (readonly [string, string, string?])[] = [
    ['iss', v.iss],
    ['sub', v.sub],
    ['alg', v.alg],
    ['kid', v.kid],
  ]
  return (
    <div className={css.verdict} data-verdict={v.accepted ? 'accepted' : v.reason}>
      <p className={v.accepted ? css.good : css.bad}>
        <b>{t(v.accepted ? 'identity.accepted' : 'identity.refused')}</b>{' '}
        {v.accepted ? user ? <Say k="identity.accepted.as" v={{ user }} /> : t('identity.accepted.new') : reason}
      </p>
      {!v.accepted && v.detail && v.detail !== reason && (
        <p className={css.soft}>
          <bdi lang="en" dir="ltr">
            {v.detail}
          </bdi>
        </p>
      )}
      <h3>{t('identity.says')}</h3>
      <dl className={css.says}>
        {says.map(([name, value]) => (
          <div key={name}>
            <dt>
              <code dir="ltr">{name}</code>
            </dt>
            <dd>
              {value ? <bdi dir="ltr">{value}</bdi> : <span className={css.soft}>{t('identity.says.nothing')}</span>}
            </dd>
          </div>
        ))}
        <div>
          <dt>{t('identity.says.expires')}</dt>
          <dd>
            {v.expires_at ? (
              <time dateTime={v.expires_at}>{f.moment(Date.parse(v.expires_at), now)}</time>
            ) : (
              <span className={css.soft}>{t('identity.says.nothing')}</span>
            )}
          </dd>
        </div>
        <div>
          <dt>{t('identity.says.issuer')}</dt>
          <dd>{v.issuer ? <bdi>{v.issuer}</bdi> : <span className={css.soft}>{t('identity.says.nothing')}</span>}</dd>
        </div>
      </dl>
    </div>
  )
}
