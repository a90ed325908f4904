import { type ReactNode, useCallback, useEffect, useId, useRef, useState } from 'react'
import { Button, type ButtonProps, IconButton } from './button'
import { classes } from './classes'
import { Icon, type IconName } from './icon'
import styles from './menu.module.css'

export interface MenuItem {
  readonly label: ReactNode
  readonly run: () => void
  readonly icon?: IconName
  /** A choice among others: true has the tick. */
  readonly checked?: boolean
  /** Several may be ticked; the menu stays open. */
  readonly many?: boolean
  readonly danger?: boolean
  /** Why it cannot be done; it is said and not done. */
  readonly disabled?: string | false
  readonly end?: ReactNode
}

/** null is a line, a string a title. */
export type MenuEntry = MenuItem | string | null

interface At {
  readonly x: number
  readonly y: number
}

export interface MenuPanelProps {
  readonly label: string
  readonly entries: readonly MenuEntry[]
  /** Where its corner is, in pixels of the window; or the element it hangs from. */
  readonly from: At | Element
  readonly onClose: () => void
}

/** An open menu. It goes by arrow keys, Home, End and first letters, and gives the focus back. */
export function MenuPanel({ label, entries, from, onClose }: MenuPanelProps) {
  const ref = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const menu = ref.current
    if (!menu) return
    const before = document.activeElement
    menu.showPopover()
    place(menu, from)
    const items = () => [...menu.querySelectorAll<HTMLElement>('[role^=menuitem]')]
    ;(items().find((i) => i.getAttribute('aria-checked') === 'true') ?? items()[0])?.focus()
    return () => {
      menu.hidePopover()
      if (before instanceof HTMLElement && before.isConnected && document.activeElement === document.body)
        before.focus()
    }
  }, [])
  const onKeyDown = (e: React.KeyboardEvent) => {
    const items = [...(ref.current?.querySelectorAll<HTMLElement>('[role^=menuitem]') ?? [])]
    const i = items.indexOf(document.activeElement as HTMLElement)
    const go = (to: number) => {
      e.preventDefault()
      e.stopPropagation()
      items[(to + items.length) % items.length]?.focus()
    }
    if (e.key === 'ArrowDown') go(i + 1)
    else if (e.key === 'ArrowUp') go(i - 1)
    else if (e.key === 'Home') go(0)
    else if (e.key === 'End') go(-1)
    else if (e.key === 'Escape' || e.key === 'Tab') {
      e.preventDefault()
      e.stopPropagation()
      onClose()
    } else if (e.key.length === 1 && e.key !== ' ' && !e.ctrlKey && !e.metaKey) {
      e.stopPropagation()
      const letter = e.key.toLowerCase()
      const next = [...items.slice(i + 1), ...items.slice(0, i + 1)].find((item) =>
        item.textContent?.trim().toLowerCase().startsWith(letter),
      )
      next?.focus()
    }
  }
  return (
    <div
      ref={ref}
      className={styles.menu}
      popover="auto"
      role="menu"
      aria-label={label}
      tabIndex={-1}
      onKeyDown={onKeyDown}
      onToggle={(e) => {
        if (e.newState === 'closed') onClose()
      }}
    >
      {entries.map((entry, i) => {
        const key = i // entries stay in their places while a menu is open
        if (entry === null) return <hr key={key} className={styles.line} />
        if (typeof entry === 'string')
          return (
            <div key={key} className={styles.title} role="presentation">
              {entry}
            </div>
          )
        const choice = entry.checked !== undefined
        return (
          // biome-ignore lint/a11y/useAriaPropsSupportedByRole: a choice has a role that supports it
          <button
            key={key}
            type="button"
            tabIndex={-1}
            role={choice ? (entry.many ? 'menuitemcheckbox' : 'menuitemradio') : 'menuitem'}
            aria-checked={choice ? entry.checked : undefined}
            aria-disabled={entry.disabled ? true : undefined}
            title={entry.disabled || undefined}
            className={classes(styles.item, entry.danger && styles.danger)}
            onClick={() => {
              if (entry.disabled) return
              if (!entry.many) onClose()
              entry.run()
            }}
          >
            {choice ? <span className={styles.tick}>{entry.checked && <Icon name="check" />}</span> : null}
            {entry.icon && <Icon name={entry.icon} />}
            <span>{entry.label}</span>
            {entry.end && <span className={styles.end}>{entry.end}</span>}
          </button>
        )
      })}
    </div>
  )
}

/** Below what it hangs from, or above where there is no room; always inside the window. */
function place(menu: HTMLElement, from: At | Element): void {
  if (matchMedia('(max-width: 40rem)').matches) return // a sheet from below
  const room = { w: document.documentElement.clientWidth, h: window.innerHeight }
  const box = from instanceof Element ? from.getBoundingClientRect() : new DOMRect(from.x, from.y, 0, 0)
  const { width, height } = menu.getBoundingClientRect()
  const rtl = document.documentElement.dir === 'rtl'
  const wanted = rtl ? room.w - box.right : box.left
  const below = box.bottom + 4
  const fits = below + height <= room.h - 8 || box.top < room.h - box.bottom
  menu.style.insetInlineStart = `${Math.max(8, Math.min(wanted, room.w - width - 8))}px`
  menu.style.insetBlockStart = `${Math.max(8, fits ? Math.min(below, room.h - height - 8) : box.top - height - 4)}px`
}

export interface MenuButtonProps extends Omit<ButtonProps, 'onClick'> {
  readonly label: string
  readonly entries: readonly MenuEntry[]
  /** Told when the menu opens and closes. */
  readonly onOpen?: (open: boolean) => void
  readonly 'data-testid'?: string
}

/** A button that opens a menu. Without children it is a picture with a label. */
export function MenuButton({ label, entries, children, icon, onOpen, ...rest }: MenuButtonProps) {
  const [open, setOpen] = useState<Element | null>(null)
  const id = useId()
  const button = useRef<HTMLElement | null>(null)
  const closed = useRef(0)
  const close = useCallback(() => {
    setOpen(null)
    closed.current = Date.now()
    onOpen?.(false)
    button.current?.focus()
  }, [onOpen])
  const common = {
    ...rest,
    id,
    'aria-haspopup': 'menu' as const,
    'aria-expanded': open !== null,
    onClick: (e: React.MouseEvent<HTMLButtonElement>) => {
      if (Date.now() - closed.current < 200) return // this click closed it
      button.current = e.currentTarget
      setOpen(e.currentTarget)
      onOpen?.(true)
    },
  }
  return (
    <>
      {children === undefined ? (
        <IconButton {...common} label={label} icon={icon ?? 'more'} />
      ) : (
        <Button {...common} icon={icon}>
          {children}
        </Button>
      )}
      {open && <MenuPanel label={label} entries={entries} from={open} onClose={close} />}
    </>
  )
}
