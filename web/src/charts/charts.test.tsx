import { act, cleanup, fireEvent, render } from '@testing-library/react'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createReader, DAY, HOUR, MINUTE, ReadingProvider } from '../i18n'
import { times } from '../i18n/en'
import { createFormat, momentOf } from '../i18n/format'
import { runs } from './bars'
import { csv } from './csv'
import { HeatMap } from './heatmap'
import { areaPath, gaps, linePath, nearest, niceTicks, timeTicks } from './scale'
import { cut, lengthOf, type Stretch, Timeline } from './timeline'

afterEach(cleanup)

const kabul = createFormat({ words: times, digits: 'latin', calendar: 'gregorian', zone: 'Asia/Kabul', weekStart: 6 })
const berlin = createFormat({
  words: times,
  digits: 'latin',
  calendar: 'gregorian',
  zone: 'Europe/Berlin',
  weekStart: 1,
})

describe('an axis', () => {
  test('of values has round numbers and reaches the top', () => {
    expect(niceTicks(22_871)).toEqual([0, 10_000, 20_000, 30_000])
    expect(niceTicks(3)).toEqual([0, 1, 2, 3])
    expect(niceTicks(0)).toEqual([0, 1])
    for (const top of [1, 7, 99, 101, 2499, 1e6]) expect(niceTicks(top).at(-1)).toBeGreaterThanOrEqual(top)
  })
  test('of time has the hours of the zone, and days by their name', () => {
    const midnight = momentOf('Asia/Kabul', 2026, 11, 23)
    const ticks = timeTicks(midnight, midnight + DAY, kabul, 12)
    expect(ticks.map((tick) => tick.text)).toEqual([
      '23 Nov',
      '02:00',
      '04:00',
      '06:00',
      '08:00',
      '10:00',
      '12:00',
      '14:00',
      '16:00',
      '18:00',
      '20:00',
      '22:00',
      '24 Nov',
    ])
    expect(ticks.filter((tick) => tick.day)).toHaveLength(2)
    expect(timeTicks(midnight, midnight + 7 * DAY, kabul, 8).map((tick) => tick.text)).toContain('26 Nov')
  })
  test('walks a night with 25 hours without leaving its hours', () => {
    const midnight = momentOf('Europe/Berlin', 2026, 10, 25)
    const ticks = timeTicks(midnight, midnight + 49 * HOUR, berlin, 12)
    expect(ticks.filter((tick) => tick.day).map((tick) => tick.text)).toEqual(['25 Oct', '26 Oct', '27 Oct'])
    expect(new Set(ticks.map((tick) => tick.at)).size).toBe(ticks.length)
  })
})

describe('a line', () => {
  const xs = [0, 10, 20, 30, 40, 50]
  test('is broken where nothing was recorded, never drawn across', () => {
    expect(linePath(xs, [1, 2, null, 4, 5, null])).toBe('M0 1L10 2M30 4L40 5')
    expect(areaPath(xs, [1, 2, null, 4, 5, null], 9)).toBe('M0 9L0 1L10 2L10 9ZM30 9L30 4L40 5L40 9Z')
  })
  test('shows a value alone between gaps', () =>
    expect(linePath(xs, [null, 2, null, null, 3, 4])).toBe('M10 2h0M40 3L50 4'))
  test('tells its gaps', () => {
    const points = [5, null, null, 6, null].map((value, i) => ({ at: i, value }))
    expect(gaps(points)).toEqual([
      { from: 0, to: 3 },
      { from: 3, to: 4 },
    ])
  })
  test('is met at the nearest point', () => {
    expect([-5, 4, 6, 14, 99].map((at) => nearest([0, 10, 20], at))).toEqual([0, 0, 1, 1, 2])
  })
})

test('steps that nobody saw are one hole each time', () => {
  expect(runs([false, false, true, false, true])).toEqual([
    [0, 2],
    [3, 4],
  ])
  expect(runs([true])).toEqual([])
})

describe('a CSV file', () => {
  test('has nothing that a spreadsheet takes for a formula', () => {
    const text = csv(
      ['name'],
      [['=1+1'], ['+7'], ['-x'], ['@SUM(A1)'], ['\t=1'], ['＝1'], ['a; =1'], ['a-b'], ['zahra'], [-5]],
    )
    expect(text).toBe(
      "\ufeffname\r\n'=1+1\r\n'+7\r\n'-x\r\n'@SUM(A1)\r\n'\t'=1\r\n'＝1\r\na;' =1\r\na-b\r\nzahra\r\n-5\r\n",
    )
  })
  test('keeps commas, quotes and lines inside their cell', () => {
    expect(
      csv(
        ['a', 'b'],
        [
          ['x, "y"', 'two\nlines'],
          [null, undefined],
        ],
      ),
    ).toBe('\ufeffa,b\r\n"x, ""y""","two\nlines"\r\n,\r\n')
  })
})

const stretches: Stretch[] = [
  { from: 0, to: 10, status: 'offline' },
  { from: 10, to: 30, status: 'online' },
  { from: 30, to: 40, status: 'online' },
  { from: 40, to: 60, status: 'away' },
]

describe('stretches', () => {
  test('are cut to a window and joined', () => {
    expect(cut(stretches, 20, 50)).toEqual([
      { from: 20, to: 40, status: 'online' },
      { from: 40, to: 50, status: 'away' },
    ])
    expect(cut(stretches, 60, 70)).toEqual([])
  })
  test('add up', () => {
    expect(lengthOf(stretches, 'online', 0, 60)).toBe(30)
    expect(lengthOf(stretches, 'away', 45, 50)).toBe(5)
  })
})

async function reader() {
  const made = createReader({ getItem: () => '{"language":"en","zone":"UTC"}', setItem: () => undefined }, [])
  await act(() => made.ready)
  return made
}

test('a heat map is walked by arrows, and every cell says what it is', async () => {
  const row = (name: string) => ({
    name,
    cells: [0, 1, 2].map((hour) => ({ level: hour / 2, text: String(hour), label: `${name} ${hour}` })),
  })
  const view = render(
    <HeatMap
      label="week"
      corner="day"
      tone="online"
      hint="mean"
      columns={['0', '1', '2'].map((name) => ({ name, shown: true }))}
      rows={[row('Mon'), row('Tue')]}
    />,
  )
  const cells = view.getAllByRole('gridcell')
  expect(cells.filter((cell) => cell.tabIndex === 0)).toHaveLength(1)
  cells[0]?.focus()
  const press = (key: string) => fireEvent.keyDown(document.activeElement ?? document.body, { key })
  press('ArrowRight')
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Mon 1')
  press('ArrowDown')
  press('End')
  press('ArrowRight')
  expect(document.activeElement?.getAttribute('aria-label')).toBe('Tue 2')
  expect(view.container.textContent).toContain('Tue 2')
})

test('a timeline goes from stretch to stretch, and from lane to lane at the same hour', async () => {
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      disconnect() {}
    },
  )
  const made = await reader()
  const lane = (key: string, parts: Stretch[]) => ({ key, name: key, label: key, stretches: parts, from: 0, to: DAY })
  const at = (from: number, to: number, status: Stretch['status']): Stretch => ({
    from: from * HOUR,
    to: to * HOUR,
    status,
  })
  const view = render(
    <ReadingProvider reader={made}>
      <Timeline
        label="when"
        hint="hint"
        now={12 * HOUR}
        lanes={[
          lane('all', [at(0, 8, 'offline'), at(8, 10, 'online'), at(10, 11, 'away')]),
          lane('phone', [at(0, 9, 'offline'), at(9, 12, 'online')]),
        ]}
        say={(one, item) => `${one.label} ${item.status} ${'from' in item ? (item.to - item.from) / MINUTE : ''}`}
      />
    </ReadingProvider>,
  )
  const slider = view.getByRole('slider')
  const said = () => slider.getAttribute('aria-valuetext')
  expect(said()).toBe('when')
  fireEvent.keyDown(slider, { key: 'ArrowLeft' })
  expect(said()).toBe('all away 60')
  fireEvent.keyDown(slider, { key: 'ArrowLeft' })
  expect(said()).toBe('all online 120')
  fireEvent.keyDown(slider, { key: 'ArrowDown' })
  expect(said()).toBe('phone online 180')
  fireEvent.keyDown(slider, { key: 'Home' })
  expect(said()).toBe('phone offline 540')
  fireEvent.keyDown(slider, { key: 'Escape' })
  expect(said()).toBe('when')
  vi.unstubAllGlobals()
})
