import css from './secret.module.css'

/** A secret that is shown this once: one click selects it whole. */
export function Secret({ children }: { readonly children: string }) {
  return (
    <code className={css.secret} dir="ltr" data-secret>
      {children}
    </code>
  )
}
