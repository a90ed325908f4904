import type { Account, Problem, SetUp, SignedIn } from '../wire'
import { createSignal, type Readable } from './signal'

/**
 * Who is signed in. The access token is held here, in memory, and nowhere else; the refresh token is in a cookie that no
 * script can read. Tabs share the cookie and tell each other when somebody signs in or out.
 */
export type SessionState =
  | { readonly phase: 'starting' }
  /** ended: the server ended the session, or it ran out; what was open is still in the address. */
  | { readonly phase: 'out'; readonly ended: boolean }
  | { readonly phase: 'in'; readonly account: Account }
  /** The server does not answer, so nobody knows. */
  | { readonly phase: 'unreachable' }

export interface Session extends Readable<SessionState> {
  start(): Promise<void>
  signIn(username: string, password: string): Promise<void>
  setUp(form: SetUp): Promise<void>
  signOut(): Promise<void>
  /** The access token, a fresh one when that is needed; null when nobody is signed in. Throws when the server cannot be asked. */
  token(): Promise<string | null>
  /** The server did not take this token. */
  refused(token: string): void
  /** The server said that the session is over. */
  over(): void
}

/** What a request came to that was answered with an error. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    readonly status: number,
    readonly problem: Partial<Problem>,
  ) {
    super(problem.detail ?? `status ${status}`)
  }
  get code(): string {
    return this.problem.code ?? ''
  }
}

/** An answer's body, or the error it stands for. */
export async function read<T>(r: Response): Promise<T> {
  if (r.ok) return (r.status === 204 ? undefined : await r.json()) as T // the type is the operation's
  let problem: Partial<Problem> = {}
  try {
    problem = (await r.json()) as Partial<Problem>
  } catch {
    // a proxy between us answered in its own words
  }
  throw new ApiError(r.status, problem)
}

const margin = 30_000 // a token that ends sooner than this is replaced first

export function createSession(fetcher: typeof fetch = (...a) => fetch(...a)): Session {
  const state = createSignal<SessionState>({ phase: 'starting' })
  const tabs = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('presence-session')
  let held: { token: string; until: number } | undefined
  let refreshing: Promise<string | null> | undefined

  const call = (method: string, path: string, body?: unknown) =>
    fetcher(`/api/v1/session${path}`, {
      method,
      headers: { 'Presence-Session': '1', ...(body ? { 'Content-Type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    })

  function enter(s: SignedIn): string {
    const now = state.get()
    if (now.phase === 'in' && now.account.id !== s.account.id) {
      // Somebody else signed in in another tab: nothing that this page shows is theirs.
      location.reload()
    }
    held = { token: s.access_token, until: performance.now() + Date.parse(s.expires_at) - Date.parse(s.as_of) }
    if (now.phase !== 'in' || now.account.role !== s.account.role) state.set({ phase: 'in', account: s.account })
    return s.access_token
  }

  function leave(ended: boolean): null {
    held = undefined
    if (state.get().phase !== 'out') state.set({ phase: 'out', ended })
    return null
  }

  async function refresh(): Promise<string | null> {
    const was = state.get().phase
    try {
      return enter(await read<SignedIn>(await call('POST', '/refresh')))
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) return leave(was === 'in')
      throw e
    }
  }

  if (tabs)
    tabs.onmessage = (e) => {
      if (e.data === 'out') leave(false)
      else if (state.get().phase === 'out') void refresh().catch(() => undefined)
    }

  async function begin(path: string, body: unknown) {
    enter(await read<SignedIn>(await call('POST', path, body)))
    tabs?.postMessage('in')
  }

  return {
    get: state.get,
    subscribe: state.subscribe,
    async start() {
      try {
        await refresh()
      } catch {
        state.set({ phase: 'unreachable' })
      }
    },
    signIn: (username, password) => begin('', { username, password }),
    setUp: (form) => begin('/setup', form),
    async signOut() {
      await read<void>(await call('DELETE', ''))
      leave(false)
      tabs?.postMessage('out')
    },
    async token() {
      if (state.get().phase === 'out') return null
      if (held && held.until - performance.now() > margin) return held.token
      refreshing ??= refresh().finally(() => {
        refreshing = undefined
      })
      return refreshing
    },
    refused(token) {
      if (held?.token === token) held = undefined
    },
    over() {
      leave(true)
    },
  }
}
