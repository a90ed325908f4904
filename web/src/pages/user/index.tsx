import { useState } from 'react'
import { Link, useParams } from 'wouter'
import { useAddress } from '../../app/address'
import { useShell } from '../../app/context'
import { useTell } from '../../app/problem'
import { Button, Empty, Failed, Icon, MenuButton, Page, Status } from '../../components'
import { ApiError, useLive, useMayAct, useNow, useTruth } from '../../data'
import { useReading } from '../../i18n'
import type { Act, Session, UserDetail } from '../../wire'
import { Confirm, ConfirmLogout, Edit, type Question, ResetPassword, useMenu } from './acts'
import { useActs, useDetail, useHistory, useMarks, useRetention } from './data'
import { Devices, nameOf } from './devices'
import { Log } from './log'
import { SetStatus } from './set'
import { boundsOf, dateOf, isSpan, momentOfDate, type Span, UserTimeline } from './timeline'
import { Totals } from './totals'
import css from './user.module.css'
import { Moment, Why } from './why'

/** One person: why they have their status, where they are signed in, when they were here, and what can be done. */
export default function UserPage() {
  const { t } = useReading()
  const { id = '' } = useParams<{ id: string }>()
  const detail = useDetail(id)
  if (detail.data) return <Person key={id} id={id} detail={detail.data} />
  if (detail.error instanceof ApiError && (detail.error.status === 404 || detail.error.status === 422)) {
    return (
      <Page title={t('user.title')}>
        <Empty title={t('user.missing', { id })} acts={<Link href="/users">{t('act.back')}</Link>}>
          {t('user.missing.help')}
        </Empty>
      </Page>
    )
  }
  return (
    <Page title={t('user.title')}>
      {detail.isError ? <Failed onRetry={() => void detail.refetch()} /> : <p role="status">{t('state.loading')}</p>}
    </Page>
  )
}

function Person({ id, detail }: { readonly id: string; readonly detail: UserDetail }) {
  const { t, format: f } = useReading()
  const { toast } = useShell()
  const tell = useTell()
  const address = useAddress()
  const now = useNow()
  const truth = useTruth()
  const live = useLive()
  const mayAct = useMayAct()
  const retention = useRetention()
  const acts = useActs(id)
  const [asking, setAsking] = useState<Question | null>(null)
  const { account, sessions, presence } = detail
  const name = account.username
  const fullName = `${account.first_name} ${account.last_name}`.trim()

  const wanted = address.get('span')
  const span: Span = isSpan(wanted) ? wanted : 'day'
  const at = momentOfDate(address.get('date'), f.zone) ?? now
  const [from, to] = boundsOf(span, at, f)
  const history = useHistory(id, from, to, f.zone)
  const marks = useMarks(id, from, to, span === 'day')

  /** Does something, says that it is done, or why not. */
  const perform = async (work: Promise<void>, done: string, undo?: () => void) => {
    setAsking(null)
    try {
      await work
      toast({ text: done, act: undo && { label: t('act.undo'), run: undo } })
      void live.again([id])
    } catch (error) {
      toast({
        text: t('user.failed', { reason: tell(error) }),
        lasts: 10_000,
      })
    }
  }
  const act = (body: Act) =>
    void perform(
      acts.act(body),
      doneText(body, name, t),
      body.act === 'trash' ? () => act({ act: 'restore' }) : undefined,
    )
  const menu = useMenu({ account, onAct: act, onAsk: setAsking })
  const devices = sessions.filter((one) => one.kind !== 'stand_in').length
  const step = (by: -1 | 0 | 1) => {
    const [next] = by === 0 ? [now] : boundsOf(span, at, f, by)
    address.set({ date: f.sameDay(next, now) ? null : dateOf(next, f.zone) })
  }

  return (
    <Page
      title={fullName || name}
      about={
        <span className={css.about}>
          <Status status={presence.status} held={presence.held} />
          <bdi>{name}</bdi>
          {account.account_status !== 'active' && (
            <span className={css.badge}>{t(`account.${account.account_status}`)}</span>
          )}
          {!account.is_active && <span className={css.badge}>{t('account.closed')}</span>}
          {account.role !== 'user' && <span className={css.badge}>{t(`role.${account.role}`)}</span>}
        </span>
      }
      acts={
        mayAct && (
          <>
            {account.account_status === 'pending' && (
              <Button kind="primary" onClick={() => act({ act: 'approve' })}>
                {t('user.approve')}
              </Button>
            )}
            <Button onClick={() => setAsking('set')}>{t('user.set')}</Button>
            <Button disabled={devices === 0} onClick={() => setAsking('logoutAll')}>
              {t('user.logoutAll')}
            </Button>
            <MenuButton label={t('act.more')} entries={menu} />
          </>
        )
      }
    >
      <Why detail={detail} now={now} />
      <Facts detail={detail} now={now} retention={retention} mayAct={mayAct} />
      <Devices
        sessions={sessions}
        now={now}
        mayAct={mayAct}
        onEnd={(session: Session) =>
          void perform(acts.endSession(session), t('user.done.logout', { device: nameOf(session, t) }))
        }
        onKeep={(session: Session) =>
          void perform(acts.keepOnly(session, sessions), t('user.done.kept', { device: nameOf(session, t) }))
        }
      />
      <div className={css.panel}>
        {history.data ? (
          <>
            <UserTimeline
              name={name}
              span={span}
              from={from}
              to={to}
              history={history.data}
              marks={marks.data}
              sessions={sessions}
              now={now}
              live={truth.state === 'live'}
              onSpan={(next) => address.set({ span: next === 'day' ? null : next })}
              onStep={step}
            />
            <Totals history={history.data} username={name} />
          </>
        ) : (
          <p role="status" className={css.soft}>
            {history.isError ? t('state.failed') : t('state.loading')}
          </p>
        )}
      </div>
      <Log transitions={detail.transitions} sessions={sessions} now={now} />
      {asking === 'set' && <SetStatus hold={detail.hold} now={now} onClose={() => setAsking(null)} onAct={act} />}
      {asking === 'logoutAll' && (
        <ConfirmLogout name={name} devices={devices} onClose={() => setAsking(null)} onAct={act} />
      )}
      {asking === 'edit' && (
        <Edit
          account={account}
          onClose={() => setAsking(null)}
          onEdit={(change) => void perform(acts.edit(change), t('state.saved'))}
        />
      )}
      {asking === 'password' && (
        <ResetPassword
          name={name}
          onClose={() => setAsking(null)}
          onEdit={(change) => void perform(acts.edit(change), t('user.done.password', { name }))}
        />
      )}
      {(asking === 'suspend' || asking === 'ban' || asking === 'trash' || asking === 'forget') && (
        <Confirm
          question={asking}
          name={name}
          now={now}
          retention={retention}
          onClose={() => setAsking(null)}
          onAct={act}
        />
      )}
    </Page>
  )
}

/** What is known of an account in one line, and what its owner keeps to themselves. */
function Facts({
  detail: { account, privacy, presence },
  now,
  retention,
  mayAct,
}: {
  readonly detail: UserDetail
  readonly now: number
  readonly retention: number | undefined
  readonly mayAct: boolean
}) {
  const { t, format: f } = useReading()
  const seen = presence.last_seen ? Date.parse(presence.last_seen) : undefined
  return (
    <ul className={css.facts}>
      <li>
        {seen === undefined ? (
          t('user.neverSeen')
        ) : (
          <Moment at={seen}>{t('user.lastSeen', { ago: f.ago(seen, now) })}</Moment>
        )}
      </li>
      <li>
        <bdi>{account.email}</bdi>
      </li>
      <li>
        <Moment at={Date.parse(account.joined_at)}>
          {t('user.joined', { date: f.date(Date.parse(account.joined_at)) })}
        </Moment>
      </li>
      {mayAct && (
        <li>
          <Link href={`/audit?target=${encodeURIComponent(account.id)}`}>
            {t('user.audit', { name: account.username })}
          </Link>
        </li>
      )}
      {retention && <li>{t('user.forget.kept', { time: f.durationLong(retention) })}</li>}
      {(privacy.hide_status || privacy.hide_last_seen) && (
        <li className={css.private}>
          <Icon name="lock" size={12} /> <b>{t('status.private')}</b>{' '}
          {privacy.hide_status ? t('user.private.status') : t('user.private.seen')}
        </li>
      )}
    </ul>
  )
}

function doneText(body: Act, name: string, t: ReturnType<typeof useReading>['t']): string {
  switch (body.act) {
    case 'force_logout':
      return t('user.done.logoutAll', { name })
    case 'hold':
      return t('user.done.held', { name, status: t(`word.${body.status ?? 'online'}`) })
    case 'lift':
      return t('user.done.lifted', { name })
    case 'approve':
      return t('user.done.approved', { name })
    case 'suspend':
      return t('user.done.suspended', { name })
    case 'ban':
      return t('user.done.banned', { name })
    case 'activate':
      return t('user.done.activated', { name })
    case 'trash':
      return t('user.done.trashed', { name })
    case 'restore':
      return t('user.done.restored', { name })
    case 'forget_history':
      return t('user.done.forgotten', { name })
    default:
      return t('state.saved')
  }
}
