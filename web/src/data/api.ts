import { type Calls, createCalls } from './calls'
import { ApiError, read, type Session } from './session'

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** Calls /api/v1 as whoever is signed in. Throws ApiError where the server refuses and TypeError where it cannot be asked. */
export interface Api {
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>
  send<T = void>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>
  /** The answer itself: for what is streamed. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** What was asked lately. */
  readonly calls: Calls
}

export function createApi(session: Session, fetcher: typeof fetch = (...a) => fetch(...a)): Api {
  async function ask(path: string, init: RequestInit = {}): Promise<Response> {
    for (let attempt = 0; ; attempt++) {
      const token = await session.token()
      if (token === null) throw new ApiError(401, { code: 'not_authenticated', detail: 'Nobody is signed in.' })
      const headers = new Headers(init.headers)
      headers.set('Authorization', `Bearer ${token}`)
      const r = await fetcher(`/api/v1${path}`, { ...init, headers })
      if (r.status !== 401 || attempt > 0) return r
      session.refused(token) // once more with a fresh one; when there is none, the session is over
    }
  }
  const calls = createCalls()
  /** Asks, and remembers what was asked. */
  async function told<T>(method: string, path: string, body: unknown, init: RequestInit): Promise<T> {
    const call = { method, path: `/api/v1${path}`, body, at: Date.now(), status: 0 }
    const since = performance.now()
    const note = (status: number, answer?: unknown) =>
      calls.add({ ...call, status, answer, milliseconds: Math.round(performance.now() - since) })
    try {
      const r = await ask(path, init)
      const answer = await read<T>(r)
      note(r.status, path.startsWith('/roster') ? undefined : answer) // which may be everybody
      return answer
    } catch (e) {
      if (e instanceof ApiError) note(e.status, e.problem)
      else if (!(e instanceof DOMException && e.name === 'AbortError')) note(0)
      throw e
    }
  }
  return {
    calls,
    fetch: ask,
    get: (path, query, signal) => told('GET', path + search(query), undefined, { signal }),
    async send(method, path, body) {
      const json =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
      return told(method, path, body, { method, ...json })
    },
  }
}

function search(query: Query = {}): string {
  const parts = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parts.set(name, String(value))
  return parts.size ? `?${parts}` : ''
}
