import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import type { Line, Tail } from '../charts'
import type { Concurrency, Counts, Week } from '../wire'
import { useApi } from '.'

/** How far the charts look back, as the server calls it. */
export const ranges = ['1h', '24h', '7d', '30d'] as const
export type Range = (typeof ranges)[number]

export const isRange = (text: string | null): text is Range => ranges.some((one) => one === text)

const minute = 60_000

/** The recorded minutes of a range; asked for again when a step is over, at most once a minute. */
export function useConcurrency(range: Range) {
  const api = useApi()
  return useQuery({
    queryKey: ['concurrency', range],
    queryFn: ({ signal }) => api.get<Concurrency>('/history/concurrency', { range }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: minute,
    staleTime: minute / 2,
  })
}

export const weeks = 4

export function useWeek(zone: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['week', zone],
    queryFn: ({ signal }) => api.get<Week>('/history/week', { tz: zone, weeks }, signal),
    placeholderData: keepPreviousData,
    refetchInterval: 15 * minute,
    staleTime: minute,
  })
}

/** What the API itself counts; also the only place that knows how many devices there are. */
export function useApiCounts() {
  const api = useApi()
  return useQuery({
    queryKey: ['counts'],
    queryFn: ({ signal }) => api.get<Counts>('/counts', {}, signal),
    refetchInterval: 5_000,
    staleTime: 2_000,
  })
}

/** Something that a person should look at. */
export interface AttentionItem {
  readonly kind: string
  readonly severity: 'info' | 'warning' | 'critical'
  readonly count: number
}

/** A number as it was seen since the page was opened. */
export interface Samples {
  readonly ats: readonly number[]
  readonly values: readonly (readonly number[])[]
}

const kept = 15 * 60

/** Remembers what numbers were, once a second while they are true. A pause is a new beginning, never a line across. */
export function useSamples(now: number, live: boolean, numbers: readonly number[] | undefined): Samples {
  const samples = useRef<{ ats: number[]; values: number[][] }>({ ats: [], values: [] })
  const [shown, setShown] = useState<Samples>({ ats: [], values: [] })
  useEffect(() => {
    if (!live || !numbers) return
    const s = samples.current
    const last = s.ats[s.ats.length - 1]
    if (last !== undefined && now - last > 10_000) {
      s.ats = []
      s.values = []
    }
    s.ats.push(now)
    numbers.forEach((n, i) => {
      const column = s.values[i] ?? []
      s.values[i] = column
      column.push(n)
    })
    if (s.ats.length > kept) {
      s.ats.shift()
      for (const column of s.values) column.shift()
    }
    setShown({ ats: [...s.ats], values: s.values.map((column) => [...column]) })
  }, [now])
  return shown
}

/** The samples that the recorded steps do not cover yet. */
export function tailOf(samples: Samples, after: number, names: readonly string[]): Tail | undefined {
  const from = samples.ats.findIndex((at) => at > after)
  if (from < 0) return undefined
  return {
    ats: samples.ats.slice(from),
    values: Object.fromEntries(names.map((name, i) => [name, (samples.values[i] ?? []).slice(from)])),
  }
}

/** With how many devices people were there: a line of its own, with gaps where nobody counted them. */
export const devicesOf = (series: Concurrency, steps: number): Line => ({
  key: 'devices',
  tone: 'devices',
  values: series.items.slice(0, steps).map((p) => p.devices),
})

/** The lines of who was there. A step's mean stands in its middle. */
export function presentOf(series: Concurrency) {
  const step = series.step_seconds * 1000
  const asOf = Date.parse(series.as_of)
  const steps = series.items.map((p) => ({ ...p, from: Date.parse(p.at) }))
  // The step under way counts when something of it was recorded; what is missing of it is no gap.
  if (steps[steps.length - 1]?.online === null) steps.pop()
  const ats = steps.map((p) => (p.from + Math.min(p.from + step, asOf)) / 2)
  const lines: Line[] = [
    { key: 'online', tone: 'online', area: true, values: steps.map((p) => p.online) },
    {
      key: 'present',
      tone: 'present',
      values: steps.map((p) => (p.online === null || p.away === null ? null : p.online + p.away)),
    },
    { key: 'peak', tone: 'peak', values: steps.map((p) => p.peak_online) },
  ]
  return { ats, lines, steps }
}
