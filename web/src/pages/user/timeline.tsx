import { useMemo } from 'react'
import {
  type Cell,
  ChartFrame,
  cut,
  HeatMap,
  type Lane,
  lengthOf,
  type Stretch,
  StretchMark,
  Timeline,
} from '../../charts'
import { Button } from '../../components'
import { type Format, HOUR, MINUTE, momentOf, useReading, wall } from '../../i18n'
import type { EventPage, History, Session } from '../../wire'
import { stretchesOf } from './data'
import { nameOf } from './devices'
import css from './user.module.css'

export const spans = ['day', 'week', 'month'] as const
export type Span = (typeof spans)[number]
export const isSpan = (text: string | null): text is Span => spans.some((one) => one === text)

export interface UserTimelineProps {
  readonly name: string
  readonly span: Span
  readonly from: number
  readonly to: number
  readonly history: History
  readonly marks: EventPage | undefined
  readonly sessions: readonly Session[]
  readonly now: number
  readonly live: boolean
  readonly onSpan: (span: Span) => void
  /** Goes to the stretch before or after this one, or to today. */
  readonly onStep: (by: -1 | 0 | 1) => void
}

/** When somebody was here: a day by devices, a week as seven days, a month by hours. */
export function UserTimeline(p: UserTimelineProps) {
  const { t, format: f } = useReading()
  const { span, from, to, now } = p
  const stretches = useMemo(() => stretchesOf(p.history, now, p.live), [p.history, now, p.live])
  const word = (status: Stretch['status']) => t(`word.${status}`)
  const title =
    span === 'day' ? f.date(from, 'full') : span === 'week' ? f.dateRange(from, to - 1) : f.date(from, 'month')
  return (
    <ChartFrame
      title={t('user.timeline')}
      zone={f.zoneLabel(from)}
      controls={
        <span className={css.spanTools}>
          <span className={css.spans} role="group" aria-label={t('user.timeline')}>
            {spans.map((one) => (
              <button key={one} type="button" aria-pressed={one === span} onClick={() => p.onSpan(one)}>
                {t(`user.timeline.${one}`)}
              </button>
            ))}
          </span>
          <span className={css.steps}>
            <Button kind="plain" aria-label={t('user.timeline.previous')} onClick={() => p.onStep(-1)}>
              <Chevron back />
            </Button>
            <b className={css.spanName} aria-live="polite">
              <bdi>{title}</bdi>
            </b>
            <Button kind="plain" aria-label={t('user.timeline.next')} disabled={to > now} onClick={() => p.onStep(1)}>
              <Chevron />
            </Button>
            {to <= now && (
              <Button kind="plain" onClick={() => p.onStep(0)}>
                {t('user.timeline.today')}
              </Button>
            )}
          </span>
        </span>
      }
      legend={(['online', 'away', 'offline'] as const).map((status) => (
        <span key={status} className={css.legend}>
          <StretchMark status={status} /> {word(status)}
        </span>
      ))}
      twin={{
        file: `timeline-${new Date(from).toISOString().slice(0, 10)}`,
        head: [t('chart.from'), t('chart.to'), t('chart.status'), t('chart.length')],
        rows: () =>
          stretches.map((one) => [
            f.moment(one.from, now),
            f.moment(one.to, now),
            word(one.status),
            f.duration(one.to - one.from),
          ]),
        csvHead: ['from', 'to', 'from_local', 'to_local', 'status', 'seconds'],
        csvRows: () =>
          stretches.map((one): Cell[] => [
            new Date(one.from).toISOString(),
            new Date(one.to).toISOString(),
            f.isoLocal(one.from),
            f.isoLocal(one.to),
            one.status,
            Math.round((one.to - one.from) / 1000),
          ]),
      }}
    >
      {span === 'month' ? <Month {...p} stretches={stretches} /> : <Lanes {...p} stretches={stretches} />}
      {p.history.truncated && (
        <p className={css.soft}>{t('user.timeline.truncated', { time: f.dateTime(Date.parse(p.history.to)) })}</p>
      )}
    </ChartFrame>
  )
}

function Lanes({
  name,
  span,
  from,
  to,
  marks,
  sessions,
  now,
  stretches,
}: UserTimelineProps & { readonly stretches: readonly Stretch[] }) {
  const { t, format: f } = useReading()
  const lanes = useMemo((): Lane[] => {
    if (span === 'week') {
      return Array.from({ length: 7 }, (_, i) => {
        const [a, b] = [f.dayStart(from, i), f.dayStart(from, i + 1)]
        const date = `${f.weekday(f.wall(a).weekday, true)} ${f.date(a, 'short')}`
        return { key: String(a), name: <bdi>{date}</bdi>, label: date, stretches: cut(stretches, a, b), from: a, to: b }
      })
    }
    const all: Lane = {
      key: 'all',
      name: <b>{t('user.timeline.all')}</b>,
      label: t('user.timeline.all'),
      stretches: cut(stretches, from, to),
      from,
      to,
    }
    return [
      all,
      ...deviceLanes(marks, sessions, from, to, now, (session) => nameOf(session, t), t('user.unknownDevice')),
    ]
  }, [span, from, to, marks, sessions, Math.floor(now / MINUTE), stretches, f, t])
  return (
    <Timeline
      label={t('user.timeline.label', { name })}
      lanes={lanes}
      now={now}
      hint={span === 'day' ? t('user.timeline.hint') : '\u00a0'}
      say={(lane, item) =>
        'from' in item
          ? t('user.timeline.say', {
              lane: lane.label,
              status: t(`word.${item.status}`),
              range: f.timeRange(item.from, item.to, item.to - item.from < 10 * MINUTE),
              length: f.durationLong(item.to - item.from),
            })
          : t('user.timeline.mark', { lane: lane.label, status: t(`word.${item.status}`), time: f.time(item.at, true) })
      }
    />
  )
}

/** A lane for every device that was signed in or changed the status that day. */
function deviceLanes(
  marks: EventPage | undefined,
  sessions: readonly Session[],
  from: number,
  to: number,
  now: number,
  nameOfSession: (session: Session) => string,
  unknown: string,
): Lane[] {
  const lanes = new Map<
    string,
    { name: string; signedIn?: { from: number; to: number }; marks: { at: number; status: Stretch['status'] }[] }
  >()
  for (const one of sessions) {
    const created = one.created_at ? Date.parse(one.created_at) : undefined
    if (one.kind === 'stand_in' || created === undefined || created >= to) continue
    lanes.set(one.id, { name: nameOfSession(one), signedIn: { from: created, to: Math.min(now, to) }, marks: [] })
  }
  for (const change of marks?.items ?? []) {
    if (!change.session) continue
    const lane = lanes.get(change.session) ?? { name: change.device || unknown, marks: [] }
    lane.marks.push({ at: Date.parse(change.at), status: change.to })
    lanes.set(change.session, lane)
  }
  return [...lanes].slice(0, 20).map(([key, lane]) => ({
    key,
    name: <bdi>{lane.name}</bdi>,
    label: lane.name,
    stretches: [],
    from,
    to,
    signedIn: lane.signedIn,
    marks: lane.marks.filter((mark) => mark.at >= from && mark.at < to),
  }))
}

function Month({ from, to, now, stretches }: UserTimelineProps & { readonly stretches: readonly Stretch[] }) {
  const { t, format: f } = useReading()
  const hours = Array.from({ length: 24 }, (_, hour) => hour)
  const rows = useMemo(() => {
    const days: number[] = []
    for (let day = from; day < Math.min(to, now); day = f.dayStart(day, 1)) days.push(day)
    return days.map((day) => {
      const parts = cut(stretches, day, f.dayStart(day, 1))
      const name = `${f.weekday(f.wall(day).weekday, true)} ${f.date(day, 'short')}`
      return {
        name,
        cells: hours.map((hour) => {
          const [a, b] = [day + hour * HOUR, Math.min(day + (hour + 1) * HOUR, f.dayStart(day, 1))]
          const recorded = b > a && a < now ? b - a - lengthOf(parts, 'unknown', a, b) - Math.max(0, b - now) : 0
          const minutes = Math.round(lengthOf(parts, 'online', a, b) / MINUTE)
          const place = { day: f.date(day, 'full'), from: f.time(a), to: f.time(b) }
          return recorded > 0
            ? {
                level: Math.min(1, minutes / 60),
                text: f.number(minutes),
                label: t('user.timeline.month.cell', { ...place, n: minutes }),
              }
            : { level: null, text: '', label: t('user.timeline.month.none', place) }
        }),
      }
    })
  }, [from, to, Math.floor(now / (5 * MINUTE)), stretches, f, t])
  return (
    <HeatMap
      corner={t('chart.day')}
      label={t('user.timeline.month.label')}
      tone="online"
      hint={t('user.timeline.month.label')}
      columns={hours.map((hour) => ({ name: f.digit(String(hour).padStart(2, '0')), shown: hour % 3 === 0 }))}
      rows={rows}
    />
  )
}

/** Points to earlier or later: time runs to the right in every language, and so do the buttons that walk in it. */
function Chevron({ back = false }: { readonly back?: boolean }) {
  return (
    <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false">
      <path
        d={back ? 'M9 2 4 7l5 5' : 'M5 2l5 5-5 5'}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.75"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  )
}

/** Where a span that holds a moment begins and ends. */
export function boundsOf(
  span: Span,
  at: number,
  f: Pick<Format, 'dayStart' | 'weekStartOf' | 'monthStart'>,
  by = 0,
): [number, number] {
  switch (span) {
    case 'day':
      return [f.dayStart(at, by), f.dayStart(at, by + 1)]
    case 'week':
      return [f.weekStartOf(at, by), f.weekStartOf(at, by + 1)]
    case 'month':
      return [f.monthStart(at, by), f.monthStart(at, by + 1)]
  }
}

/** The noon of a date in the address ("2026-11-23") on the clock of a zone. */
export function momentOfDate(text: string | null, zone: string): number | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text ?? '')
  if (!found) return undefined
  const [year, month, day] = found.slice(1).map(Number)
  return momentOf(zone, year ?? 0, month ?? 1, day ?? 1, 12)
}

/** The date of a moment as the address has it: the same in every calendar. */
export function dateOf(at: number, zone: string): string {
  const w = wall(at, zone)
  return `${w.year}-${String(w.month).padStart(2, '0')}-${String(w.day).padStart(2, '0')}`
}
