import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link } from 'wouter'
import { useShell } from '../../app/context'
import { Problem, useTell } from '../../app/problem'
import { Button, Dialog, Empty, Failed, Field, Page } from '../../components'
import { useApi, useLive } from '../../data'
import { useReading } from '../../i18n'
import type { Trash, TrashedUser } from '../../wire'
import css from './trash.module.css'

/** Who was deleted: by whom, why, until when they can be brought back; and both ways out of here. */
export default function TrashPage() {
  const { t, format: f } = useReading()
  const api = useApi()
  const live = useLive()
  const { toast } = useShell()
  const tell = useTell()
  const queries = useQueryClient()
  const [erasing, setErasing] = useState<TrashedUser>()
  const trash = useQuery({
    queryKey: ['trash'],
    queryFn: ({ signal }) => api.get<Trash>('/trash', {}, signal),
    refetchInterval: 15_000,
  })
  const restore = async ({ account }: TrashedUser) => {
    try {
      await api.send('POST', `/users/${account.id}/acts`, { act: 'restore' })
      toast({ text: t('trash.restored', { name: account.username }) })
      void live.again([account.id])
    } catch (e) {
      toast({ text: tell(e), lasts: 10_000 })
    }
    void queries.invalidateQueries({ queryKey: ['trash'] })
  }
  const keep = trash.data?.retention_seconds
  return (
    <Page
      title={t('trash.title')}
      about={
        <p className={css.soft}>
          {keep ? t('trash.kept.for', { time: f.durationLong(keep * 1000) }) : t('trash.kept')}
        </p>
      }
    >
      {trash.isPending ? (
        <p className={css.soft} role="status">
          {t('state.loading')}
        </p>
      ) : trash.isError ? (
        <Failed onRetry={() => void trash.refetch()} />
      ) : trash.data.items.length === 0 ? (
        <Empty title={t('trash.none')} acts={<Link href="/users">{t('nav.users')}</Link>}>
          {t('trash.none.help')}
        </Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
        <section className={css.scroll} tabIndex={0} aria-label={t('trash.title')}>
          <table className={css.table}>
            <thead>
              <tr>
                <th scope="col">{t('trash.user')}</th>
                <th scope="col">{t('trash.deleted')}</th>
                <th scope="col">{t('trash.by')}</th>
                <th scope="col">{t('trash.reason')}</th>
                <th scope="col">{t('trash.left')}</th>
                <th scope="col">
                  <span className="visually-hidden">{t('trash.acts')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {trash.data.items.map((one) => (
                <Row
                  key={one.account.id}
                  one={one}
                  onRestore={() => void restore(one)}
                  onErase={() => setErasing(one)}
                />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {trash.data && trash.data.total > trash.data.items.length && (
        <p className={css.soft}>{t('trash.more', { n: trash.data.total - trash.data.items.length })}</p>
      )}
      {erasing && <Erase one={erasing} onClose={() => setErasing(undefined)} />}
    </Page>
  )
}

function Row({
  one: { account, deleted_at, deleted_by, deleted_by_name, reason, erased_at },
  onRestore,
  onErase,
}: {
  readonly one: TrashedUser
  readonly onRestore: () => void
  readonly onErase: () => void
}) {
  const { t, format: f } = useReading()
  const { now } = useLive()
  const name = account.username
  const when = (at: string) => (
    <time dateTime={at} title={f.dateTime(Date.parse(at))}>
      {f.moment(Date.parse(at), now())}
    </time>
  )
  return (
    <tr>
      <td>
        <bdi className={css.name}>{name}</bdi>
        <bdi className={css.soft}>{account.email}</bdi>
      </td>
      <td>{when(deleted_at)}</td>
      <td>
        {deleted_by === '' ? (
          <span className={css.soft}>{t('trash.by.unknown')}</span>
        ) : deleted_by.startsWith('-') ? (
          <bdi dir="ltr">{`API ${deleted_by.slice(1)}`}</bdi>
        ) : (
          <Link href={`/users/${deleted_by}`}>
            <bdi>{deleted_by_name || `#${deleted_by}`}</bdi>
          </Link>
        )}
      </td>
      <td>
        <bdi>{reason}</bdi>
      </td>
      <td>{erased_at ? when(erased_at) : <span className={css.soft}>{t('trash.left.never')}</span>}</td>
      <td>
        <Button onClick={onRestore} aria-label={t('trash.restore.of', { name })}>
          {t('trash.restore')}
        </Button>{' '}
        <Button kind="danger" onClick={onErase} aria-label={t('trash.erase.of', { name })}>
          {t('trash.erase')}
        </Button>
      </td>
    </tr>
  )
}

/** Erasing is for good: the name has to be typed. */
function Erase({ one: { account }, onClose }: { readonly one: TrashedUser; readonly onClose: () => void }) {
  const { t } = useReading()
  const api = useApi()
  const { toast } = useShell()
  const queries = useQueryClient()
  const [typed, setTyped] = useState('')
  const [failed, setFailed] = useState<unknown>()
  const [busy, setBusy] = useState(false)
  const sure = typed.trim() === account.username
  const erase = async () => {
    if (!sure || busy) return
    setBusy(true)
    try {
      await api.send('DELETE', `/trash/${account.id}`)
      toast({ text: t('trash.erased') })
      onClose()
    } catch (e) {
      setFailed(e)
      setBusy(false)
    }
    void queries.invalidateQueries({ queryKey: ['trash'] })
  }
  return (
    <Dialog
      title={t('trash.erase.title', { name: account.username })}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="danger" disabled={!sure || busy} onClick={() => void erase()}>
            {t('trash.erase.do')}
          </Button>
        </>
      }
    >
      <form
        className={css.form}
        onSubmit={(e) => {
          e.preventDefault()
          void erase()
        }}
      >
        {failed !== undefined && <Problem error={failed} />}
        <p className={css.text}>{t('trash.erase.text')}</p>
        <Field
          label={t('trash.erase.type', { name: account.username })}
          value={typed}
          autoComplete="off"
          spellCheck={false}
          dir="auto"
          onChange={(e) => setTyped(e.target.value)}
        />
      </form>
    </Dialog>
  )
}
