import { useEffect } from 'react'
import { Button, classes, Icon } from '../components'
import { useLive, useTruth } from '../data'
import { useReading } from '../i18n'
import styles from './shell.module.css'
import { useShortcut } from './shortcuts'

/** What can be believed of what is on the screen, in words; and the button that makes it stand still. */
export function TruthBadge() {
  const { t } = useReading()
  const live = useLive()
  const paused = useTruth().state === 'paused'
  const pause = () => live.pause(live.truth.get().state !== 'paused')
  useShortcut({ keys: 'p', text: 'shell.pauseKey', run: pause })
  return (
    <>
      <TruthWords />
      <Button kind="plain" aria-pressed={paused} onClick={pause} title={t('shell.pauseKey')}>
        <Icon name={paused ? 'play' : 'pause'} />
        <span className="visually-hidden">{t('shell.pause')}</span>
      </Button>
    </>
  )
}

/** The words alone, for pages without controls. */
export function TruthWords() {
  const { t, format } = useReading()
  const truth = useTruth()
  useEffect(() => {
    document.documentElement.dataset.truth = truth.state
  }, [truth.state])
  const time = truth.asOf ? format.time(truth.asOf, true) : ''
  const paused = truth.state === 'paused'
  return (
    <div
      className={classes(
        styles.truth,
        truth.state === 'live' && styles.live,
        paused && styles.paused,
        (truth.state === 'reconnecting' || truth.state === 'denied') && styles.lost,
      )}
      data-testid="truth"
    >
      <i className={styles.beacon} />
      <span>
        {truth.state === 'live' && t('shell.live')}
        {truth.state === 'starting' && t('shell.starting')}
        {truth.state === 'reconnecting' && t('shell.reconnecting', { time })}
        {truth.state === 'denied' && t('shell.denied', { time })}
        {paused && (
          <>
            {t('shell.paused')}{' '}
            <span className={classes(styles.held, 'number')}>{t('shell.held', { n: truth.held })}</span>
          </>
        )}
      </span>
    </div>
  )
}
