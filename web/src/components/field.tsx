import { type ComponentProps, type ReactNode, useId } from 'react'
import { classes } from './classes'
import styles from './field.module.css'

interface Frame {
  readonly label: string
  readonly hint?: ReactNode
  readonly problem?: ReactNode
}

function Framed({
  label,
  hint,
  problem,
  children,
}: Frame & {
  readonly children: (a: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: true }) => ReactNode
}) {
  const id = useId()
  const about = problem || hint ? `${id}-about` : undefined
  return (
    <div className={styles.field}>
      <label className={styles.label} htmlFor={id}>
        {label}
      </label>
      {children({ id, 'aria-describedby': about, 'aria-invalid': problem ? true : undefined })}
      {(problem || hint) && (
        <span id={about} className={problem ? styles.problem : styles.hint}>
          {problem || hint}
        </span>
      )}
    </div>
  )
}

/** A line of text with its name above and what is wrong with it below. */
export function Field({ label, hint, problem, className, ...rest }: ComponentProps<'input'> & Frame) {
  return (
    <Framed label={label} hint={hint} problem={problem}>
      {(a) => <input {...rest} {...a} className={classes(styles.input, className)} />}
    </Framed>
  )
}

export function TextField({ label, hint, problem, className, ...rest }: ComponentProps<'textarea'> & Frame) {
  return (
    <Framed label={label} hint={hint} problem={problem}>
      {(a) => <textarea {...rest} {...a} className={classes(styles.input, className)} />}
    </Framed>
  )
}

/** A choice of a few. */
export function Select({ label, hint, problem, className, ...rest }: ComponentProps<'select'> & Frame) {
  return (
    <Framed label={label} hint={hint} problem={problem}>
      {(a) => <select {...rest} {...a} className={classes(styles.input, className)} />}
    </Framed>
  )
}
