import { memo, useEffect, useRef } from 'react'
import { Link } from 'wouter'
import type { Label } from '../../app/label'
import { classes, IconButton, Status } from '../../components'
import { accountStatuses, type People, roles, statuses, useNow, useRow } from '../../data'
import type { Column, View } from '../../data/view'
import { useReading } from '../../i18n'
import styles from './table.module.css'

export interface RowProps {
  readonly people: People
  readonly view: View
  readonly row: number
  /** From 0. */
  readonly index: number
  readonly top: number
  readonly columns: readonly Column[]
  readonly chosen: boolean
  readonly active: boolean
  readonly card: boolean
  readonly onChoose: (row: number, range: boolean) => void
  readonly onActive: (index: number) => void
  readonly onMenu: (row: number, from: Element | { x: number; y: number }) => void
}

/** One person, at a place. Another place renders this alone; what is in it renders when the person changes. */
export const Row = memo(function Row(p: RowProps) {
  const { people, view, row } = p
  const stamp = useRow(people, row)
  // In a view that stands still a row may have stopped to match: it stays where it is and says so.
  const matches = view.matches(row)
  return (
    <div
      role="row"
      aria-rowindex={p.index + 2}
      aria-selected={p.chosen}
      data-row={people.id[row]}
      data-index={p.index}
      tabIndex={p.active ? 0 : -1}
      className={classes(styles.row, p.card && styles.card, !matches && styles.gone)}
      style={{ transform: `translateY(${p.top}px)` }}
      onFocus={() => p.onActive(p.index)}
      onContextMenu={(e) => {
        e.preventDefault()
        p.onMenu(row, { x: e.clientX, y: e.clientY })
      }}
    >
      <Cells
        people={people}
        row={row}
        stamp={stamp}
        matches={matches}
        columns={p.columns}
        chosen={p.chosen}
        card={p.card}
        onChoose={p.onChoose}
        onMenu={p.onMenu}
      />
    </div>
  )
})

interface CellsProps extends Pick<RowProps, 'people' | 'row' | 'columns' | 'chosen' | 'card' | 'onChoose' | 'onMenu'> {
  /** Another one when the person changed. */
  readonly stamp: number
  readonly matches: boolean
}

/** What a row says of its person, wherever the row is; the second renders its "ago". */
const Cells = memo(function Cells(p: CellsProps) {
  const { t } = useReading()
  const { people, row, matches } = p
  const shift = useRef(false)
  const name = people.username[row] ?? ''
  const check = (
    <div role="gridcell" className={styles.check}>
      <label>
        <input
          type="checkbox"
          tabIndex={-1}
          checked={p.chosen}
          aria-label={t('users.choose', { name })}
          onClick={(e) => {
            shift.current = e.shiftKey
          }}
          onChange={() => p.onChoose(row, shift.current)}
        />
      </label>
    </div>
  )
  const more = (
    <div role="gridcell" className={styles.more}>
      <IconButton
        tabIndex={-1}
        icon="more"
        label={t('users.actsOn', { name })}
        aria-haspopup="menu"
        onClick={(e) => p.onMenu(row, e.currentTarget)}
      />
    </div>
  )
  const note = !matches && <span className={styles.note}>{t(people.gone[row] ? 'users.gone' : 'users.noLonger')}</span>
  if (p.card) {
    return (
      <>
        {check}
        <div role="gridcell" className={styles.lines}>
          <div className={styles.line}>
            <Name people={people} row={row} />
            {note}
          </div>
          <div className={styles.line}>
            <StatusCell people={people} row={row} />
          </div>
        </div>
        <div role="gridcell" className={styles.aside}>
          <LastSeen people={people} row={row} />
        </div>
        {more}
      </>
    )
  }
  return (
    <>
      {check}
      {p.columns.map((column) => (
        <div key={column} role="gridcell" className={classes(styles.cell, cellClass[column])}>
          {column === 'user' ? (
            <>
              <Name people={people} row={row} full />
              {note}
            </>
          ) : (
            <Cell column={column} people={people} row={row} />
          )}
        </div>
      ))}
      {more}
    </>
  )
})

const cellClass: Partial<Record<Column, string | undefined>> = {
  since: classes(styles.number, styles.muted),
  devices: styles.number,
  joined: classes(styles.number, styles.muted),
  email: styles.muted,
}

interface Of {
  readonly people: People
  readonly row: number
}

function Name({ people, row, full = false }: Of & { readonly full?: boolean }) {
  const whole = `${people.firstName[row]} ${people.lastName[row]}`.trim()
  return (
    <>
      <Link className={styles.name} href={`/users/${people.id[row]}`} tabIndex={-1}>
        <bdi>{people.username[row]}</bdi>
      </Link>
      {full && whole && (
        <span className={styles.full}>
          <bdi>{whole}</bdi>
        </span>
      )}
    </>
  )
}

/** Status, and why. A change tints the cell for a moment; a row never flashes. */
function StatusCell({ people, row }: Of) {
  const { t } = useReading()
  const status = statuses[people.status[row] ?? 0] ?? 'offline'
  const cause = people.causes[people.cause[row] ?? 0]
  const cell = useRef<HTMLSpanElement>(null)
  const was = useRef(status)
  useEffect(() => {
    if (was.current === status) return
    was.current = status
    if (matchMedia('(prefers-reduced-motion: reduce)').matches) return
    cell.current?.animate([{ backgroundColor: 'var(--tint)' }, { backgroundColor: 'transparent' }], {
      duration: 600,
      easing: 'ease-out',
    })
  }, [status])
  return (
    <span ref={cell}>
      <Status status={status} held={Boolean(people.held[row])} />
      {cause && <span className={styles.why}>{t(causeText(cause))}</span>}
    </span>
  )
}

const causes = {
  login: 'cause.login',
  heartbeat: 'cause.heartbeat',
  activity: 'cause.activity',
  touch: 'cause.touch',
  connect: 'cause.connect',
  disconnect: 'cause.disconnect',
  idle: 'cause.idle',
  active: 'cause.active',
  timeout: 'cause.timeout',
  logout: 'cause.logout',
  forced: 'cause.forced',
  admin: 'cause.admin',
} as const satisfies Record<string, Label>

export const causeNames = Object.keys(causes) as (keyof typeof causes)[]

export function causeText(cause: string): Label {
  return cause in causes ? causes[cause as keyof typeof causes] : 'cause.other'
}

/** How long ago, ticking; when exactly, for who rests on it. */
function LastSeen({ people, row }: Of) {
  const { t, format } = useReading()
  const now = useNow()
  const seen = people.lastSeen[row] ?? 0
  if (!seen) return <span className={styles.muted}>{t('time.never')}</span>
  return (
    <time className={styles.number} dateTime={new Date(seen).toISOString()} title={format.dateTime(seen, true)}>
      {people.status[row] && now - seen < 5000 ? t('time.now') : format.ago(Math.min(seen, now), now)}
    </time>
  )
}

function Cell({ column, people, row }: Of & { readonly column: Column }) {
  const { t, format } = useReading()
  const live = useNowOnce()
  switch (column) {
    case 'status':
      return <StatusCell people={people} row={row} />
    case 'seen':
      return <LastSeen people={people} row={row} />
    case 'email':
      return <bdi>{people.email[row]}</bdi>
    case 'since': {
      const since = people.since[row] ?? 0
      return since ? <time title={format.dateTime(since, true)}>{format.moment(since, live, false)}</time> : null
    }
    case 'devices':
      return people.devices[row] ? format.number(people.devices[row] ?? 0) : null
    case 'account': {
      if (!people.active[row]) return <span className={styles.bad}>{t('account.closed')}</span>
      const account = accountStatuses[people.account[row] ?? 0] ?? 'active'
      const look = { active: styles.muted, pending: styles.flag, suspended: styles.bad, banned: styles.bad }[account]
      return <span className={look}>{t(`account.${account}`)}</span>
    }
    case 'role': {
      const role = roles[people.role[row] ?? 0] ?? 'user'
      return <span className={role === 'user' ? styles.muted : undefined}>{t(`role.${role}`)}</span>
    }
    case 'joined':
      return <time title={format.dateTime(people.joined[row] ?? 0)}>{format.date(people.joined[row] ?? 0)}</time>
    default:
      return null
  }
}

/** What day it is does not have to tick. */
function useNowOnce(): number {
  return useRef(Date.now()).current
}
