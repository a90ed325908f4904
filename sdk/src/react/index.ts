/**
 * Hooks that only read, a provider that makes me present, and two small parts. A row renders again only when its own
 * person changes.
 */
import {
  type Connection,
  createPresence,
  type Presence,
  type PresenceClient,
  type PresenceEvents,
  type PresenceOptions,
} from '@offchat/presence'
import type { HTMLAttributes, ReactElement, ReactNode } from 'react'
import * as React from 'react'

const Context = React.createContext<PresenceClient | undefined>(undefined)

export interface PresenceProviderProps {
  /** Read once, when the provider is mounted. */
  options?: PresenceOptions
  /** A client that the application made. The provider connects it and closes it, too. */
  client?: PresenceClient
  children?: ReactNode
}

/** Makes me present for as long as it is mounted. */
export function PresenceProvider({ options, client, children }: PresenceProviderProps): ReactElement {
  const [value] = React.useState(() => client ?? (options && createPresence(options)))
  React.useEffect(() => {
    value?.connect()
    return () => void value?.close()
  }, [])
  return React.createElement(Context.Provider, { value }, children)
}

/** The client of the provider around. */
export function usePresenceClient(): PresenceClient {
  const client = React.useContext(Context)
  if (!client) throw new Error('no PresenceProvider')
  return client
}

type Watch = (c: PresenceClient, fn: () => void) => () => void

function useStore<T>(watch: Watch, read: (c: PresenceClient) => T, key?: string): T {
  const c = usePresenceClient()
  const get = () => read(c)
  return React.useSyncExternalStore(
    React.useCallback((fn) => watch(c, fn), [c, key]),
    get,
    get,
  )
}

const on =
  (event: keyof PresenceEvents): Watch =>
  (c, fn) =>
    c.on(event, fn)

/** One person; undefined until something is known. */
export function usePresence(id = ''): Presence | undefined {
  return useStore(
    (c, fn) => c.watch(id ? id : [], fn),
    (c) => c.get(id),
    id,
  )
}

/** Several people, by id, as far as they are known. */
export function usePresences(ids: readonly string[]): ReadonlyMap<string, Presence> {
  const c = usePresenceClient()
  const again = useAgain()
  React.useEffect(() => c.watch(ids, again), [c, ids.join()])
  const all = new Map<string, Presence>()
  for (const id of ids) {
    const p = c.get(id)
    if (p) all.set(id, p)
  }
  return all
}

/** Myself, and how to say that I am away. */
export function useMyPresence(): [Presence | undefined, PresenceClient['setStatus']] {
  return [usePresence(useStore(on('change'), (c) => c.me)), usePresenceClient().setStatus]
}

/** How many people are online. Undefined where the client's scope does not tell. */
export function useOnlineCount(): number | undefined {
  return useStore(on('counts'), (c) => c.counts?.online)
}

/** How the link is. */
export function useConnection(): Connection {
  return useStore(on('connection'), (c) => c.connection)
}

const useAgain = () => React.useReducer((i: number) => i + 1, 0)[1]

export type Unit = 'minute' | 'hour' | 'day'

/** The words of the parts. English is here, `ps` and `prs` are in `@offchat/presence/languages`. */
export interface Words {
  online: string
  away: string
  offline: string
  ago(n: number, unit: Unit): string
}

const en: Words = {
  online: 'Online',
  away: 'Away',
  offline: 'Offline',
  ago: (n, unit) => new Intl.RelativeTimeFormat('en').format(-n, unit),
}
const colours = { online: '#1a7f37', away: '#bf8700', offline: '#8c959f' }
const size = 'var(--presence-size,.6em)'

export interface PartProps extends HTMLAttributes<HTMLElement> {
  user: string
  words?: Words
}

/** A dot that says in words what it says in colour. --presence-size, --presence-online and so on are yours to set. */
export function PresenceDot({ user, words = en, style, ...rest }: PartProps): ReactElement {
  const p = usePresence(user)
  const s = p?.status ?? 'offline'
  return React.createElement('span', {
    role: 'img',
    'aria-label': words[s],
    'data-status': s,
    'data-stale': p?.stale,
    ...rest,
    style: {
      display: 'inline-block',
      width: size,
      height: size,
      borderRadius: size,
      background: `var(--presence-${s},${colours[s]})`,
      ...style,
    },
  })
}

/** "5 minutes ago", or the status of whoever is here. Nothing when it is not known. */
export function LastSeen({ user, words = en, ...rest }: PartProps): ReactElement | null {
  const p = usePresence(user)
  const again = useAgain()
  React.useEffect(() => {
    const timer = setInterval(again, 60_000)
    return () => clearInterval(timer)
  }, [])
  if (p && p.status !== 'offline') return React.createElement('span', rest, words[p.status])
  return p?.lastSeen ? React.createElement('time', rest, ago(words, Date.now() - p.lastSeen)) : null
}

function ago(words: Words, ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  if (minutes < 60) return words.ago(minutes, 'minute')
  return minutes < 1440 ? words.ago(Math.floor(minutes / 60), 'hour') : words.ago(Math.floor(minutes / 1440), 'day')
}
