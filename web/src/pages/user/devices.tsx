import { Button } from '../../components'
import { type Reading, useReading } from '../../i18n'
import type { Session } from '../../wire'
import css from './user.module.css'
import { Moment } from './why'

export interface DevicesProps {
  readonly sessions: readonly Session[]
  readonly now: number
  readonly mayAct: boolean
  readonly onEnd: (session: Session) => void
  readonly onKeep: (session: Session) => void
}

/** Where somebody is signed in, the live ones first, and the way to end each of it. */
export function Devices({ sessions, now, mayAct, onEnd, onKeep }: DevicesProps) {
  const { t, format: f } = useReading()
  const real = sessions.filter((one) => one.kind !== 'stand_in')
  return (
    <section className={css.panel} aria-labelledby="devices">
      <h2 id="devices">{t('user.devices')}</h2>
      {sessions.length === 0 && <p className={css.soft}>{t('user.devices.none')}</p>}
      <ul className={css.devices}>
        {sessions.map((one) => {
          const name = nameOf(one, t)
          return (
            <li key={one.id} data-session={one.id} data-live={one.live || undefined}>
              <div className={css.deviceMain}>
                <b>
                  <bdi>{name}</bdi>
                </b>{' '}
                {one.current && <span className={css.badge}>{t('user.device.current')}</span>}{' '}
                <span className={css.deviceState} data-state={stateOf(one)}>
                  {t(`user.device.${stateOf(one)}`)}
                </span>
                <p className={css.soft}>
                  {one.ip && (
                    <>
                      <bdi>{one.ip}</bdi>
                      <Dot />
                    </>
                  )}
                  {one.kind === 'foreign' && (
                    <>
                      {t('user.device.foreign')}
                      <Dot />
                    </>
                  )}
                  {one.live && (
                    <>
                      {one.connections > 0 ? t('user.device.socket', { n: one.connections }) : t('user.device.beats')}
                      <Dot />
                    </>
                  )}
                  {one.last_signal_at && (
                    <>
                      <Moment at={Date.parse(one.last_signal_at)}>
                        {t('user.device.last', { ago: f.ago(Date.parse(one.last_signal_at), now) })}
                      </Moment>
                      <Dot />
                    </>
                  )}
                  {one.created_at && (
                    <Moment at={Date.parse(one.created_at)}>
                      {t('user.device.first', { ago: f.ago(Date.parse(one.created_at), now) })}
                    </Moment>
                  )}
                </p>
              </div>
              {mayAct && one.kind !== 'stand_in' && (
                <div className={css.deviceActs}>
                  {real.length > 1 && (
                    <Button kind="plain" aria-label={`${t('user.device.keep')}: ${name}`} onClick={() => onKeep(one)}>
                      {t('user.device.keep')}
                    </Button>
                  )}
                  <Button aria-label={`${t('user.device.logout')}: ${name}`} onClick={() => onEnd(one)}>
                    {t('user.device.logout')}
                  </Button>
                </div>
              )}
            </li>
          )
        })}
      </ul>
    </section>
  )
}

export function nameOf(session: Session, t: Reading['t']): string {
  if (session.kind === 'stand_in') return t('user.device.standIn')
  return session.device || t('user.unknownDevice')
}

function stateOf(one: Session): 'live' | 'idle' | 'leaving' | 'silent' {
  if (!one.live) return 'silent'
  if (one.leaving) return 'leaving'
  return one.idle ? 'idle' : 'live'
}

export function Dot() {
  return (
    <span className={css.dot} aria-hidden="true">
      {' · '}
    </span>
  )
}
