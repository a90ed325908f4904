import type { ReactNode } from 'react'
import { useReading } from '../i18n'
import { Button } from './button'
import { classes } from './classes'
import styles from './notice.module.css'

/** Something to know, beside what one does. */
export function Notice({
  kind = 'plain',
  children,
}: {
  readonly kind?: 'plain' | 'danger'
  readonly children: ReactNode
}) {
  return (
    <div className={classes(styles.notice, styles[kind])} role={kind === 'danger' ? 'alert' : undefined}>
      {children}
    </div>
  )
}

/** What a page shows in place of what it has not: why, and what to do. */
export function Empty({
  title,
  children,
  acts,
}: {
  readonly title: string
  readonly children?: ReactNode
  readonly acts?: ReactNode
}) {
  return (
    <div className={styles.empty}>
      <h2>{title}</h2>
      {children && <div>{children}</div>}
      {acts && <div className={styles.acts}>{acts}</div>}
    </div>
  )
}

/** What a page shows when its data could not be had. */
export function Failed({ onRetry }: { readonly onRetry?: () => void }) {
  const { t } = useReading()
  return <Empty title={t('state.failed')} acts={onRetry && <Button onClick={onRetry}>{t('act.retry')}</Button>} />
}
