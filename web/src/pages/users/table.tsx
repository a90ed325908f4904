import { useVirtualizer } from '@tanstack/react-virtual'
import { type RefObject, useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Label } from '../../app/label'
import { useShortcut } from '../../app/shortcuts'
import { Icon } from '../../components'
import { type People, useLive } from '../../data'
import type { Column, Sort, View } from '../../data/view'
import { useReading } from '../../i18n'
import { Row } from './row'
import styles from './table.module.css'

export const headings: Readonly<Record<Column, Label>> = {
  status: 'users.col.status',
  user: 'users.col.user',
  email: 'users.col.email',
  seen: 'users.col.seen',
  since: 'users.col.since',
  devices: 'users.col.devices',
  account: 'users.col.account',
  role: 'users.col.role',
  joined: 'users.col.joined',
  cause: 'users.col.status',
}

/** Widths in rem, as they are until somebody pulls. */
const usualWidth: Readonly<Record<Column, number>> = {
  status: 12.5,
  user: 18,
  email: 17,
  seen: 7.5,
  since: 7.5,
  devices: 5,
  account: 6.5,
  role: 6.5,
  joined: 7.5,
  cause: 8,
}

export interface TableProps {
  readonly people: People
  readonly view: View
  /** Of the view: a new number is a new order. */
  readonly version: number
  readonly columns: readonly Column[]
  readonly sort: Sort
  readonly onSort: (s: Sort) => void
  readonly chosen: ReadonlySet<number>
  readonly onChoose: (rows: ReadonlySet<number>) => void
  readonly onMenu: (row: number, from: Element | { x: number; y: number }) => void
  readonly onOpen: (row: number) => void
  readonly table: RefObject<HTMLDivElement | null>
  readonly handlers: React.HTMLAttributes<HTMLDivElement>
  readonly card: boolean
}

/** A grid of which only what is on the screen exists. */
export function Table(p: TableProps) {
  const { t } = useReading()
  const live = useLive()
  const { people, view, columns, chosen, onChoose } = p
  const [active, setActive] = useState(0)
  const { widths, begin, nudge } = useWidths()
  const rem = useMemo(() => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16, [])
  const height = (p.card ? 3.5 : 2.25) * rem
  const virtual = useVirtualizer({
    count: view.length,
    getScrollElement: () => p.table.current,
    estimateSize: () => height,
    overscan: 8,
    useFlushSync: false,
  })
  useEffect(() => virtual.measure(), [height])
  const items = virtual.getVirtualItems()

  // Who is on the screen is kept true to the second.
  const first = items[0]?.index ?? 0
  const last = items[items.length - 1]?.index ?? -1
  useEffect(() => {
    const timer = setTimeout(() => {
      live.look(
        Array.from(
          view.order.subarray(first, Math.min(last + 1, first + 200, view.length)),
          (row) => people.id[row] ?? '',
        ),
      )
    }, 150)
    return () => clearTimeout(timer)
  }, [live, people, view, first, last, p.version])
  useEffect(() => () => live.look([]), [live])

  const anchor = useRef(0)
  const choose = useCallback(
    (row: number, range: boolean) => {
      const next = new Set(chosen)
      const at = view.indexOf(row)
      if (range && at >= 0) {
        const from = view.indexOf(anchor.current)
        const [a, b] = from < 0 ? [at, at] : [Math.min(from, at), Math.max(from, at)]
        for (const one of view.order.subarray(a, b + 1)) next.add(one)
      } else if (!next.delete(row)) next.add(row)
      anchor.current = row
      onChoose(next)
    },
    [chosen, onChoose, view],
  )

  const focusRow = useCallback(
    (to: number) => {
      const index = Math.max(0, Math.min(view.length - 1, to))
      setActive(index)
      virtual.scrollToIndex(index)
      // It may not be there before the next frame.
      requestAnimationFrame(() =>
        requestAnimationFrame(() =>
          p.table.current?.querySelector<HTMLElement>(`[data-index="${index}"]`)?.focus({ preventScroll: true }),
        ),
      )
    },
    [virtual, view, p.table],
  )
  const page = Math.max(1, Math.floor((p.table.current?.clientHeight ?? 400) / height) - 2)
  const onKeyDown = (e: React.KeyboardEvent) => {
    if (!(e.target instanceof HTMLElement) || e.target.getAttribute('role') !== 'row') return
    const go: Record<string, number> = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: view.length - 1,
    }
    const to = go[e.key]
    const row = view.order[active] ?? 0
    if (to !== undefined) {
      e.preventDefault()
      focusRow(to)
      if (e.shiftKey) choose(view.order[Math.max(0, Math.min(view.length - 1, to))] ?? 0, true)
    } else if (e.key === 'Enter') {
      e.preventDefault()
      p.onOpen(row)
    } else if (e.key === ' ') {
      e.preventDefault()
      choose(row, e.shiftKey)
    } else if (e.key === 'ContextMenu' || (e.key === 'F10' && e.shiftKey)) {
      e.preventDefault()
      p.onMenu(row, e.target)
    }
  }
  const inTable = () => p.table.current?.contains(document.activeElement) ?? false
  useShortcut({ keys: 'j', text: 'users.key.down', run: () => focusRow(inTable() ? active + 1 : active) })
  useShortcut({ keys: 'k', text: 'users.key.up', run: () => focusRow(inTable() ? active - 1 : active) })
  useShortcut({ keys: 'x', text: 'users.key.choose', run: () => choose(view.order[active] ?? 0, false) })
  useShortcut({
    keys: '.',
    text: 'users.key.menu',
    run: () => {
      const el = p.table.current?.querySelector(`[data-index="${active}"]`)
      if (el) p.onMenu(view.order[active] ?? 0, el)
    },
  })

  const template = `2.5rem ${columns.map((c) => `${widths[c] ?? usualWidth[c]}rem`).join(' ')} minmax(2.5rem, 1fr)`
  const least = 5 + columns.reduce((sum, c) => sum + (widths[c] ?? usualWidth[c]), 0)
  const all = view.length > 0 && chosen.size >= view.length
  return (
    <div
      ref={p.table}
      className={styles.scroll}
      role="grid"
      aria-label={t('users.title')}
      aria-rowcount={view.length + 1}
      aria-colcount={p.card ? 4 : columns.length + 2}
      aria-multiselectable="true"
      onKeyDown={onKeyDown}
      {...p.handlers}
      style={
        {
          '--columns': template,
          '--least': p.card ? '0' : `${least}rem`,
          '--row-height': `${height}px`,
        } as React.CSSProperties
      }
    >
      <div role="rowgroup">
        {!p.card && (
          <div role="row" aria-rowindex={1} className={styles.head}>
            <div role="columnheader" className={styles.check}>
              <label>
                <input
                  type="checkbox"
                  aria-label={t('users.chooseAll')}
                  checked={all}
                  ref={(el) => {
                    if (el) el.indeterminate = chosen.size > 0 && !all
                  }}
                  onChange={() => onChoose(all ? new Set() : new Set(view.order.subarray(0, view.length)))}
                />
              </label>
            </div>
            {columns.map((c) => (
              <div
                key={c}
                role="columnheader"
                aria-sort={p.sort.column === c ? (p.sort.down ? 'descending' : 'ascending') : 'none'}
                className={styles.headCell}
              >
                <button
                  type="button"
                  className={styles.sort}
                  onClick={() =>
                    p.onSort({
                      column: c,
                      down:
                        p.sort.column === c
                          ? !p.sort.down
                          : c === 'seen' || c === 'since' || c === 'joined' || c === 'devices',
                    })
                  }
                  onKeyDown={(e) => {
                    const step = { ArrowLeft: -1, ArrowRight: 1 }[e.key]
                    if (!step || !e.shiftKey) return
                    e.preventDefault()
                    nudge(c, (widths[c] ?? usualWidth[c]) + step)
                  }}
                >
                  {t(headings[c])}
                  {p.sort.column === c && <Icon name={p.sort.down ? 'down' : 'up'} size={12} />}
                </button>
                <span
                  className={styles.grip}
                  aria-hidden="true"
                  onPointerDown={(e) => begin(e, c, widths[c] ?? usualWidth[c], rem)}
                />
              </div>
            ))}
            <div role="columnheader">
              <span className="visually-hidden">{t('users.acts')}</span>
            </div>
          </div>
        )}
      </div>
      <div role="rowgroup" className={styles.body} style={{ blockSize: virtual.getTotalSize() }}>
        {items.map((item) => {
          const row = view.order[item.index] ?? 0
          return (
            <Row
              key={row}
              people={people}
              view={view}
              row={row}
              index={item.index}
              top={item.start}
              columns={columns}
              chosen={chosen.has(row)}
              active={item.index === active}
              card={p.card}
              onChoose={choose}
              onActive={setActive}
              onMenu={p.onMenu}
            />
          )
        })}
      </div>
    </div>
  )
}

const place = 'presence.users.widths'

/** Widths that somebody pulled, remembered in this browser. */
function useWidths() {
  const [widths, setWidths] = useState<Partial<Record<Column, number>>>(() => {
    try {
      const stored: unknown = JSON.parse(localStorage.getItem(place) ?? '{}')
      return typeof stored === 'object' && stored !== null
        ? Object.fromEntries(Object.entries(stored).filter(([, w]) => typeof w === 'number' && w >= 3 && w <= 60))
        : {}
    } catch {
      return {}
    }
  })
  useEffect(() => {
    try {
      localStorage.setItem(place, JSON.stringify(widths))
    } catch {
      // a full or forbidden storage forgets
    }
  }, [widths])
  const nudge = (column: Column, width: number) =>
    setWidths((w) => ({ ...w, [column]: Math.max(3, Math.min(60, Math.round(width * 4) / 4)) }))
  const begin = (e: React.PointerEvent, column: Column, width: number, rem: number) => {
    e.preventDefault()
    const from = e.clientX
    const way = document.documentElement.dir === 'rtl' ? -1 : 1
    const grip = e.currentTarget
    grip.setPointerCapture(e.pointerId)
    const move = (m: Event) => nudge(column, width + (way * ((m as PointerEvent).clientX - from)) / rem)
    grip.addEventListener('pointermove', move)
    grip.addEventListener('lostpointercapture', () => grip.removeEventListener('pointermove', move), { once: true })
  }
  return { widths, begin, nudge }
}
