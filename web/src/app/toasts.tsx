import { useEffect, useMemo } from 'react'
import { useApi } from '../data'
import { useReading } from '../i18n'
import type { Toast } from './context'
import styles from './shell.module.css'

export function Toasts({
  toast,
  onDone,
  onCalls,
}: {
  readonly toast: (Toast & { readonly n: number }) | undefined
  readonly onDone: () => void
  /** Shows the requests. */
  readonly onCalls: () => void
}) {
  const { t } = useReading()
  const { calls } = useApi()
  // What is told is most often what an act came to: the request that does it again is one step away.
  const did = useMemo(() => calls.get().some((c) => c.method !== 'GET' && Date.now() - c.at < 15_000), [toast?.n])
  useEffect(() => {
    if (!toast) return
    const timer = setTimeout(onDone, toast.lasts ?? (toast.act ? 10_000 : 5000))
    return () => clearTimeout(timer)
  }, [toast?.n])
  return (
    <div className={styles.toasts} role="status">
      {toast && (
        <div key={toast.n} className={styles.toast}>
          <span>{toast.text}</span>
          {toast.act && (
            <button
              type="button"
              onClick={() => {
                toast.act?.run()
                onDone()
              }}
            >
              {toast.act.label}
            </button>
          )}
          {did && (
            <button
              type="button"
              onClick={() => {
                onCalls()
                onDone()
              }}
            >
              {t('calls.show')}
            </button>
          )}
        </div>
      )}
    </div>
  )
}
