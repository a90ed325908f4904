import { type Cell, ChartFrame, HeatMap } from '../../charts'
import { weeks } from '../../data/history'
import { useReading } from '../../i18n'
import type { Week } from '../../wire'

const hours = Array.from({ length: 24 }, (_, hour) => hour)

/** When people are usually there: the mean of each hour of the week, days in the reader's order. */
export function WeekMap({ week, now, stale }: { readonly week: Week; readonly now: number; readonly stale: boolean }) {
  const { t, format: f } = useReading()
  const top = Math.max(1, ...week.days.flatMap((day) => day.hours.map((n) => n ?? 0)))
  const clock = (hour: number) => f.digit(`${String(hour % 24).padStart(2, '0')}:00`)
  const value = (n: number | null) => (n === null ? '–' : f.decimal(n, 1))
  const days = f.week()
  return (
    <ChartFrame
      title={t('overview.week')}
      zone={f.zoneLabel(now)}
      stale={stale}
      twin={{
        file: 'usual-week',
        head: [t('chart.hour'), ...days.map((day) => f.weekday(day, true))],
        rows: () =>
          hours.map((hour) => [clock(hour), ...days.map((day) => value(week.days[day]?.hours[hour] ?? null))]),
        csvHead: ['day', 'hour', 'mean_online', 'minutes_recorded', 'time_zone'],
        csvRows: () =>
          days.flatMap((day) =>
            hours.map((hour): Cell[] => [
              f.weekday(day),
              hour,
              week.days[day]?.hours[hour],
              week.days[day]?.minutes[hour],
              f.zone,
            ]),
          ),
      }}
    >
      <HeatMap
        corner={t('chart.day')}
        label={t('overview.week.label')}
        tone="online"
        hint={t('overview.week.mean', { n: weeks })}
        columns={hours.map((hour) => ({ name: f.digit(String(hour).padStart(2, '0')), shown: hour % 3 === 0 }))}
        rows={days.map((day) => ({
          name: f.weekday(day, true),
          cells: hours.map((hour) => {
            const n = week.days[day]?.hours[hour] ?? null
            const place = { day: f.weekday(day), from: clock(hour), to: clock(hour + 1) }
            return {
              level: n === null ? null : n / top,
              text: n === null ? '' : f.number(n),
              label: n === null ? t('overview.week.none', place) : t('overview.week.cell', { ...place, n: value(n) }),
            }
          }),
        }))}
      />
    </ChartFrame>
  )
}
