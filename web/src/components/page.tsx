import { type ReactNode, useEffect } from 'react'
import { classes } from './classes'
import styles from './page.module.css'

export interface PageProps {
  readonly title: string
  /** Beside the title: what the numbers of the page are. */
  readonly about?: ReactNode
  /** At the end of the title's line. */
  readonly acts?: ReactNode
  /** As large as the window: the page scrolls inside. */
  readonly full?: boolean
  readonly children: ReactNode
}

/** The frame of every page: its title, also of the window, and what can be done with all of it. */
export function Page({ title, about, acts, full = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Presence`
  }, [title])
  return (
    <div className={classes(styles.page, full && styles.full)}>
      <header className={styles.head}>
        <h1>{title}</h1>
        {about}
        {acts && <div className={styles.acts}>{acts}</div>}
      </header>
      {children}
    </div>
  )
}
