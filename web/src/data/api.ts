import { ApiError, read, type Session } from './session'

export type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** Calls /api/v1 as whoever is signed in. Throws ApiError where the server refuses and TypeError where it cannot be asked. */
export interface Api {
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>
  send<T = void>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<T>
  /** The answer itself: for what is streamed. */
  fetch(path: string, init?: RequestInit): Promise<Response>
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
  return {
    fetch: ask,
    async get(path, query, signal) {
      return read(await ask(path + search(query), { signal }))
    },
    async send(method, path, body) {
      const json =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }
      return read(await ask(path, { method, ...json }))
    },
  }
}

function search(query: Query = {}): string {
  const parts = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parts.set(name, String(value))
  return parts.size ? `?${parts}` : ''
}
