import { useEffect } from 'react'
import type { Toast } from './context'
import styles from './shell.module.css'

export function Toasts({
  toast,
  onDone,
}: {
  readonly toast: (Toast & { readonly n: number }) | undefined
  readonly onDone: () => void
}) {
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
        </div>
      )}
    </div>
  )
}
