// biome-ignore-all lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose cells are walked through is a grid (ARIA APG)
import { type KeyboardEvent, useRef, useState } from 'react'
import css from './charts.module.css'

export interface HeatCell {
  /** Between 0 and 1; null where nothing was recorded. */
  readonly level: number | null
  /** The value as people read it. */
  readonly text: string
  /** The whole of it in words: day, hour, value. */
  readonly label: string
}

export interface HeatMapProps {
  readonly label: string
  /** What the names of the rows are. */
  readonly corner: string
  /** The hours' names; those that are not `shown` are only for who listens. */
  readonly columns: readonly { readonly name: string; readonly shown: boolean }[]
  readonly rows: readonly { readonly name: string; readonly cells: readonly HeatCell[] }[]
  readonly tone: string
  /** What it says while no cell is pointed at. */
  readonly hint: string
}

/** A grid of hours: arrows walk through it, each cell tells its value. Hours run from left to right in every language. */
export function HeatMap({ label, corner, columns, rows, tone, hint }: HeatMapProps) {
  const [at, setAt] = useState<readonly [number, number]>([0, 0])
  const [told, setTold] = useState<string | null>(null)
  const table = useRef<HTMLTableElement>(null)
  const last = [rows.length - 1, columns.length - 1] as const

  function onKeyDown(event: KeyboardEvent) {
    if (event.altKey || event.ctrlKey || event.metaKey) return
    const [row, column] = at
    const to = {
      ArrowRight: [row, column + 1],
      ArrowLeft: [row, column - 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: [row, 0],
      End: [row, last[1]],
    }[event.key]
    if (!to) return
    event.preventDefault()
    event.stopPropagation()
    const next = [Math.max(0, Math.min(last[0], to[0] ?? 0)), Math.max(0, Math.min(last[1], to[1] ?? 0))] as const
    setAt(next)
    table.current?.querySelector<HTMLElement>(`[data-cell="${next[0]},${next[1]}"]`)?.focus()
  }

  return (
    <div className={css.heat}>
      <table
        ref={table}
        role="grid"
        aria-label={label}
        className={css.heatMap}
        data-tone={tone}
        onKeyDown={onKeyDown}
        onPointerLeave={() => setTold(null)}
        dir="ltr"
      >
        <thead>
          <tr>
            <th scope="col">
              <span className="visually-hidden">{corner}</span>
            </th>
            {columns.map((column) => (
              <th key={column.name} scope="col">
                <span className={column.shown ? undefined : 'visually-hidden'}>{column.name}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, r) => (
            <tr key={row.name}>
              <th scope="row">
                <bdi>{row.name}</bdi>
              </th>
              {row.cells.map((cell, c) => (
                <td
                  // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
                  key={c}
                  role="gridcell"
                  data-cell={`${r},${c}`}
                  data-none={cell.level === null || undefined}
                  tabIndex={r === at[0] && c === at[1] ? 0 : -1}
                  aria-label={cell.label}
                  style={{ '--level': cell.level ?? 0 } as Record<string, number>}
                  onFocus={() => {
                    setAt([r, c])
                    setTold(cell.label)
                  }}
                  onBlur={() => setTold(null)}
                  onPointerEnter={() => setTold(cell.label)}
                >
                  <span aria-hidden="true">{cell.text}</span>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      <p className={css.chartReadout} aria-hidden="true">
        {told ?? hint}
      </p>
    </div>
  )
}
