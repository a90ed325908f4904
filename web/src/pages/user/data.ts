import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import type { Stretch } from '../../charts'
import { type Api, useApi, useLive } from '../../data'
import type { Act, EventPage, History, Session, Settings, UserDetail } from '../../wire'

/** Everything about one person; again at once when their status changes, and every few seconds for what moves without. */
export function useDetail(id: string) {
  const api = useApi()
  const live = useLive()
  const queries = useQueryClient()
  useEffect(
    () =>
      live.on('change', (changes) => {
        if (!changes.some((change) => change.id === id)) return
        void queries.invalidateQueries({ queryKey: ['user', id] })
      }),
    [live, queries, id],
  )
  return useQuery({
    queryKey: ['user', id, 'detail'],
    queryFn: ({ signal }) => api.get<UserDetail>(`/users/${encodeURIComponent(id)}`, {}, signal),
    refetchInterval: 4_000,
  })
}

/** What somebody was between two moments. */
export function useHistory(id: string, from: number, to: number, zone: string) {
  const api = useApi()
  return useQuery({
    queryKey: ['user', id, 'history', from, to, zone],
    queryFn: ({ signal }) =>
      api.get<History>(
        `/users/${encodeURIComponent(id)}/history`,
        { from: new Date(from).toISOString(), to: new Date(to).toISOString(), tz: zone },
        signal,
      ),
    placeholderData: keepPreviousData,
    refetchInterval: 60_000,
  })
}

/** The changes between two moments with the devices that made them. */
export function useMarks(id: string, from: number, to: number, wanted: boolean) {
  const api = useApi()
  return useQuery({
    queryKey: ['user', id, 'marks', from, to],
    queryFn: ({ signal }) =>
      api.get<EventPage>(
        '/transitions',
        { user: id, after: new Date(from).toISOString(), before: new Date(to).toISOString(), limit: 500 },
        signal,
      ),
    placeholderData: keepPreviousData,
    enabled: wanted,
  })
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A length as the configuration writes it ("90d", "1h30m"), in milliseconds. */
export function parseLength(text: string): number | undefined {
  if (!/^(\d+[smhd])+$/.test(text)) return undefined
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, n, unit]) => sum + Number(n) * (units[unit ?? ''] ?? 0),
    0,
  )
}

/** How long the server keeps history, in milliseconds, as it is configured; admins are told. */
export function useRetention(): number | undefined {
  const api = useApi()
  const settings = useQuery({
    queryKey: ['settings'],
    queryFn: ({ signal }) => api.get<Settings>('/settings', {}, signal),
    staleTime: 60_000,
  })
  return parseLength(settings.data?.server?.find((one) => one.key === 'history_retention')?.value ?? '')
}

/** The name of an admin who is known by an id. */
export function useName(id: string | undefined): string | undefined {
  const api = useApi()
  const found = useQuery({
    queryKey: ['name', id],
    queryFn: async ({ signal }) =>
      (await api.get<UserDetail>(`/users/${encodeURIComponent(id ?? '')}`, {}, signal)).account.username,
    enabled: Boolean(id),
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  return found.data
}

/** What an admin can do to this person. */
export interface UserActs {
  act(body: Act): Promise<void>
  endSession(session: Session): Promise<void>
  /** Ends every session but one; ends as many as it can and then says what went wrong. */
  keepOnly(kept: Session, all: readonly Session[]): Promise<void>
  edit(body: Readonly<Record<string, string>>): Promise<void>
}

export function useActs(id: string): UserActs {
  const api = useApi()
  const queries = useQueryClient()
  const after = async (work: Promise<unknown>) => {
    try {
      await work
    } finally {
      await queries.invalidateQueries({ queryKey: ['user', id] })
    }
  }
  const path = `/users/${encodeURIComponent(id)}`
  return {
    act: (body) => after(api.send('POST', `${path}/acts`, body)),
    endSession: (session) => after(api.send('DELETE', `${path}/sessions/${session.id}`)),
    keepOnly: (kept, all) => after(endOthers(api, path, kept, all)),
    edit: (body) => after(api.send('PATCH', path, body)),
  }
}

async function endOthers(api: Api, path: string, kept: Session, all: readonly Session[]): Promise<void> {
  const others = all.filter((one) => one.id !== kept.id && one.kind !== 'stand_in')
  const results = await Promise.allSettled(others.map((one) => api.send('DELETE', `${path}/sessions/${one.id}`)))
  const failed = results.find((one) => one.status === 'rejected')
  if (failed) throw failed.reason
}

/** The stretches of a history, days put together, the last one going on until `now` where that is known. */
export function stretchesOf(history: History, now: number, live: boolean): Stretch[] {
  const list: Stretch[] = []
  for (const day of history.days) {
    for (const one of day.intervals) {
      const next = { from: Date.parse(one.from), to: Date.parse(one.to), status: one.status }
      const last = list[list.length - 1]
      if (last && last.status === next.status && last.to === next.from) list[list.length - 1] = { ...last, to: next.to }
      else list.push(next)
    }
  }
  const last = list[list.length - 1]
  const asOf = Date.parse(history.to)
  if (last && live && !history.truncated && last.to === asOf && now > asOf && now - asOf < 90_000)
    list[list.length - 1] = { ...last, to: now }
  return list
}
