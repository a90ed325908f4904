import type { ComponentProps } from 'react'
import styles from './button.module.css'
import { classes } from './classes'
import { Icon, type IconName } from './icon'

export interface ButtonProps extends ComponentProps<'button'> {
  /** primary: what one most likely wants, once a page. danger: what hurts. plain: beside others. */
  readonly kind?: 'normal' | 'primary' | 'danger' | 'plain'
  readonly icon?: IconName
}

export function Button({ kind = 'normal', icon, className, children, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} className={classes(styles.button, styles[kind], className)}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}

/** A button with a picture; label is what it is called, and what a mouse is told. */
export function IconButton({
  label,
  icon,
  kind = 'plain',
  className,
  ...rest
}: Omit<ButtonProps, 'children'> & { readonly label: string; readonly icon: IconName }) {
  return (
    <button
      type="button"
      title={label}
      aria-label={label}
      {...rest}
      className={classes(styles.button, styles[kind], styles.icon, className)}
    >
      <Icon name={icon} />
    </button>
  )
}
