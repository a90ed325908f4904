import { useReading } from '../i18n'
import { classes } from './classes'
import { Icon } from './icon'
import styles from './status.module.css'

export type StatusName = 'online' | 'away' | 'offline'

/** The shape of a status: a full disc, a half one, a ring. Colour only repeats what the shape says. */
export function StatusMark({ status, size = 10 }: { readonly status: StatusName; readonly size?: number }) {
  return (
    <svg className={styles.mark} aria-hidden="true" width={size} height={size} viewBox="0 0 10 10">
      <circle className={styles.ring} cx="5" cy="5" r="4" fill="none" stroke="currentColor" strokeWidth="1.6" />
      {status === 'online' && <circle className={styles.fill} cx="5" cy="5" r="4.5" fill="currentColor" />}
      {status === 'away' && <path className={styles.fill} d="M5 .5a4.500 4.500 0 0 1 0 9z" fill="currentColor" />}
    </svg>
  )
}

/** A status in shape, word and colour; with a lock when somebody set it by hand. */
export function Status({ status, held = false }: { readonly status: StatusName; readonly held?: boolean }) {
  const { t } = useReading()
  return (
    <span className={classes(styles.status, styles[status])} data-status={status}>
      <StatusMark status={status} />
      <span className={styles.word}>{t(`status.${status}`)}</span>
      {held && (
        <span className={styles.lock} title={t('status.held')}>
          <Icon name="lock" size={12} />
          <span className="visually-hidden">{t('status.held')}</span>
        </span>
      )}
    </span>
  )
}
