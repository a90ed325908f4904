import { StatusMark } from '../../components'
import { type Key, Say, useReading } from '../../i18n'
import type { Session, Transition } from '../../wire'
import { useName } from './data'
import { Dot, nameOf } from './devices'
import css from './user.module.css'
import { Moment } from './why'

export interface LogProps {
  readonly transitions: readonly Transition[]
  readonly sessions: readonly Session[]
  readonly now: number
}

/** The last changes of status: what, why, by whom, where. */
export function Log({ transitions, sessions, now }: LogProps) {
  const { t, format: f } = useReading()
  return (
    <section className={css.panel} aria-labelledby="log">
      <h2 id="log">{t('user.log')}</h2>
      {transitions.length === 0 ? (
        <p className={css.soft}>{t('user.log.none')}</p>
      ) : (
        <div className={css.logScroll}>
          <table className={css.log}>
            <caption className="visually-hidden">{t('user.log.last', { n: transitions.length })}</caption>
            <thead className="visually-hidden">
              <tr>
                <th scope="col">{t('chart.time')}</th>
                <th scope="col">{t('chart.status')}</th>
                <th scope="col">{t('chart.cause')}</th>
                <th scope="col">{t('chart.device')}</th>
              </tr>
            </thead>
            <tbody>
              {transitions.map((one) => {
                const at = Date.parse(one.at)
                const session = sessions.find((s) => s.id === one.session)
                return (
                  <tr key={`${one.at} ${one.to}`}>
                    <td>
                      <Moment at={at}>{f.moment(at, now)}</Moment>
                    </td>
                    <td>
                      <span className={css.move} data-status={one.to}>
                        <StatusMark status={one.to} />
                        <span>
                          <Say k="user.log.move" v={{ from: t(`word.${one.from}`), to: t(`word.${one.to}`) }} />
                        </span>
                      </span>
                    </td>
                    <td>
                      {t(causeKey(one.cause))}
                      {one.actor && (
                        <>
                          {' '}
                          <By id={one.actor} />
                        </>
                      )}
                    </td>
                    <td className={css.soft}>
                      {session && <bdi>{nameOf(session, t)}</bdi>}
                      {session && one.node && <Dot />}
                      {one.node && <Say k="user.log.node" v={{ node: one.node }} />}
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  )
}

function By({ id }: { readonly id: string }) {
  const { t } = useReading()
  const name = useName(id)
  return <Say k="user.log.by" v={{ admin: name ?? t('user.someone') }} />
}

type CauseKey = Extract<Key, `cause.${string}`>

const causes: Readonly<Record<string, CauseKey>> = {
  login: 'cause.login',
  heartbeat: 'cause.heartbeat',
  activity: 'cause.activity',
  touch: 'cause.touch',
  connect: 'cause.connect',
  disconnect: 'cause.disconnect',
  idle: 'cause.idle',
  active: 'cause.active',
  timeout: 'cause.timeout',
  logout: 'cause.logout',
  forced: 'cause.forced',
  admin: 'cause.admin',
  node_lost: 'cause.node_lost',
}

/** A cause in words; one of a newer server is at least called a cause. */
function causeKey(cause: string): CauseKey {
  return causes[cause] ?? 'cause.other'
}
