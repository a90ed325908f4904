import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from 'react'
import type { Account, FeedCounts } from '../wire'
import { type Api, createApi } from './api'
import { createLive, type Live, type Truth } from './live'
import type { People } from './people'
import { ApiError, createSession, type Session } from './session'
import type { Readable } from './signal'

/** Everything that a page has from the server. */
export interface Server {
  readonly session: Session
  readonly api: Api
  readonly live: Live
}

export function createServer(): Server {
  const session = createSession()
  const api = createApi(session)
  return { session, api, live: createLive(session, api) }
}

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5000,
      retry: (failures, error) => failures < 2 && !(error instanceof ApiError && error.status < 500),
    },
  },
})

const ServerContext = createContext<Server | null>(null)

export function ServerProvider({ server, children }: { readonly server: Server; readonly children: ReactNode }) {
  return (
    <ServerContext value={server}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </ServerContext>
  )
}

export function useServer(): Server {
  const server = useContext(ServerContext)
  if (!server) throw new Error('useServer outside of <ServerProvider>')
  return server
}

export const useApi = (): Api => useServer().api
export const useLive = (): Live => useServer().live

export function useValue<T>(readable: Readable<T>): T {
  return useSyncExternalStore(readable.subscribe, readable.get)
}

export const useTruth = (): Truth => useValue(useLive().truth)
export const useCounts = (): FeedCounts | undefined => useValue(useLive().counts)

/** The account that is signed in. Pages are only shown to somebody who is. */
export function useMe(): Account {
  const state = useValue(useServer().session)
  if (state.phase !== 'in') throw new Error('useMe where nobody is signed in')
  return state.account
}

/** Whether this account may act; moderators only see. */
export const useMayAct = (): boolean => useMe().role === 'admin'

/** The table of people, and whether it is there yet; fetched when the first page asks for it. */
export function usePeople(): { people: People; ready: boolean | Error } {
  const live = useLive()
  useEffect(live.want, [live])
  return { people: live.people, ready: useValue(live.ready) }
}

/** Renders again when this row changes, and only then. Returns how often it did. */
export function useRow(people: People, row: number): number {
  return useSyncExternalStore(
    (listener) => people.watch(row, listener),
    () => people.stamp[row] ?? 0,
  )
}

/** The server's clock, once a second. It stands still while what is shown is not so. */
export const useNow = (): number => useValue(useLive().clock)

export type { Api, Query } from './api'
export { type Call, curlOf } from './calls'
export type { Event, Live, Truth } from './live'
export { accountStatuses, type People, roles, statuses } from './people'
export { ApiError, type Session } from './session'
