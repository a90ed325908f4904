import type { ReactNode } from 'react'
import { Say, useReading } from '../../i18n'
import type { Session, UserDetail } from '../../wire'
import { useName } from './data'
import css from './user.module.css'

/**
 * Why somebody has the status they have and what comes next, in the reader's language: built from what decided, not from
 * the server's English. The countdown runs with the server's clock, and stands still when nobody knows better.
 */
export function Why({ detail, now }: { readonly detail: UserDetail; readonly now: number }) {
  const { why, hold } = detail
  return (
    <div className={css.why}>
      <p>
        <Because detail={detail} now={now} />{' '}
        {why.next && (
          <span className={css.next}>
            <Next detail={detail} now={now} />
          </span>
        )}
      </p>
      {hold?.note && (
        <p className={css.note}>
          <Say k="user.why.note" v={{ note: hold.note }} />
        </p>
      )}
    </div>
  )
}

function Because({ detail, now }: { readonly detail: UserDetail; readonly now: number }): ReactNode {
  const { t, format: f } = useReading()
  const { why, hold } = detail
  const admin = useName(hold?.by)
  const since = <Since at={why.since} now={now} />
  const decider = detail.sessions.find((one) => one.id === why.session)
  const device = decider?.device || t('user.unknownDevice')
  const signal = decider?.last_signal_at ? f.ago(Date.parse(decider.last_signal_at), now) : undefined
  switch (why.rule) {
    case 'hold': {
      const v = {
        status: t(`status.${why.status}`),
        admin: hold?.by ? (admin ?? t('user.someone')) : t('user.commandLine'),
      }
      return hold?.until ? (
        <Say k="user.why.held.until" v={{ ...v, until: f.moment(Date.parse(hold.until), now) }} />
      ) : (
        <Say k="user.why.held" v={v} />
      )
    }
    case 'own_status': {
      const until = detail.own_status?.until
      const status = t(`status.${why.status}`)
      return until ? (
        <Say k="user.why.own.until" v={{ status, until: f.moment(Date.parse(until), now) }} />
      ) : (
        <Say k="user.why.own" v={{ status }} />
      )
    }
    case 'active_session':
      if (isStandIn(decider)) return <Say k="user.why.standIn" v={{ since }} />
      if (decider?.leaving) return <Say k="user.why.leaving" v={{ since, device }} />
      return signal ? (
        <Say k="user.why.active" v={{ since, device, ago: signal }} />
      ) : (
        <Say k="user.why.active.plain" v={{ since, device }} />
      )
    case 'idle_session':
      if (isStandIn(decider)) return <Say k="user.why.idle.standIn" v={{ since }} />
      return signal ? (
        <Say k="user.why.idle" v={{ since, device, ago: signal }} />
      ) : (
        <Say k="user.why.idle.plain" v={{ since, device }} />
      )
    case 'never_seen':
      return t('user.why.never')
    case 'no_session':
      switch (why.cause) {
        case 'timeout':
          return <Say k="user.why.offline.timeout" v={{ since }} />
        case 'disconnect':
          return <Say k="user.why.offline.disconnect" v={{ since }} />
        case 'logout':
          return <Say k="user.why.offline.logout" v={{ since }} />
        case 'forced':
          return <Say k="user.why.offline.forced" v={{ since }} />
        case 'admin':
          return <Say k="user.why.offline.admin" v={{ since }} />
        default:
          return <Say k="user.why.offline" v={{ since }} />
      }
  }
}

function Next({ detail, now }: { readonly detail: UserDetail; readonly now: number }): ReactNode {
  const { t, format: f } = useReading()
  const { next, rule } = detail.why
  if (!next) return null
  const at = Date.parse(next.at)
  if (rule === 'hold' || rule === 'own_status')
    return <Say k="user.why.heldNext" v={{ status: t(`status.${next.status}`) }} />
  if (at <= now) return <Say k="user.why.next.due" v={{ status: t(`status.${next.status}`) }} />
  const countdown = (
    <b className={css.countdown} role="timer">
      {f.countdown(at - now)}
    </b>
  )
  const time = <Moment at={at}>{f.time(at, true)}</Moment>
  switch (next.status) {
    case 'away':
      return <Say k="user.why.next.away" v={{ countdown, time }} />
    case 'offline':
      return <Say k="user.why.next.offline" v={{ countdown, time }} />
    case 'online':
      return <Say k="user.why.next.online" v={{ countdown, time }} />
  }
}

const isStandIn = (session: Session | undefined) => session?.kind === 'stand_in'

function Since({ at, now }: { readonly at: string | null; readonly now: number }) {
  const { t, format: f } = useReading()
  if (!at) return t('time.never')
  return <Moment at={Date.parse(at)}>{f.moment(Date.parse(at), now)}</Moment>
}

/** A moment as it is read, with the exact one behind it. */
export function Moment({ at, children }: { readonly at: number; readonly children: ReactNode }) {
  const { format: f } = useReading()
  return (
    <time dateTime={new Date(at).toISOString()} title={`${f.dateTime(at, true)} ${f.zoneLabel(at)}`}>
      <bdi>{children}</bdi>
    </time>
  )
}
