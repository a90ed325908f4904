import { type ReactNode, useEffect, useId, useRef } from 'react'
import { useReading } from '../i18n'
import { IconButton } from './button'
import { classes } from './classes'
import styles from './dialog.module.css'

export interface DialogProps {
  readonly title: string
  readonly onClose: () => void
  readonly children: ReactNode
  /** Buttons, the one that does it last. */
  readonly foot?: ReactNode
  /** In rem. */
  readonly width?: number
  /** A dialog without its own frame, near the top: the palette. */
  readonly bare?: boolean
}

/** A dialog over everything: the browser keeps the focus inside and gives it back. On small screens a sheet from below. */
export function Dialog({ title, onClose, children, foot, width = 30, bare = false }: DialogProps) {
  const { t } = useReading()
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = ref.current
    const before = document.activeElement
    dialog?.showModal()
    return () => {
      dialog?.close()
      if (before instanceof HTMLElement && before.isConnected) before.focus()
    }
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc is the browser's
    <dialog
      ref={ref}
      className={classes(styles.dialog, bare && styles.top)}
      style={{ '--width': `${width}rem` } as React.CSSProperties}
      aria-labelledby={bare ? undefined : id}
      aria-label={bare ? title : undefined}
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
      onClick={(e) => {
        if (e.target === e.currentTarget) onClose()
      }}
    >
      <div className={classes(styles.frame, bare && styles.bare)}>
        {!bare && (
          <div className={styles.head}>
            <h2 id={id}>{title}</h2>
            <IconButton icon="close" label={t('act.close')} onClick={onClose} />
          </div>
        )}
        {children}
        {foot && <div className={styles.foot}>{foot}</div>}
      </div>
    </dialog>
  )
}
