import { PresenceError } from './errors'
import type { Tokens } from './token'
import type { Problem } from './wire'
import type { World } from './world'

/** Asks as the person, with one fresh token if the first is refused. Rejects with PresenceError. */
export type Http = (path: string, body?: unknown, method?: string) => Promise<Response>

/** What an answer that is not ok means: its status and, beyond the usual ones, the code of its problem document. */
export async function errorOf(r: Response): Promise<PresenceError> {
  const { status } = r
  const { code, detail } = ((await r.json().catch(() => 0)) || {}) as Partial<Problem>
  const wait = Number(r.headers.get('Retry-After')) * 1000 || 0
  const later = status === 429 || status > 499
  const usual = later ? 'busy' : status === 401 ? 'unauthenticated' : status === 403 ? 'forbidden' : (code ?? 'refused')
  return new PresenceError(usual, detail ?? `HTTP ${status}`, later, status, wait)
}

export function createHttp(world: Pick<World, 'fetch'>, url: string, tokens: Tokens): Http {
  return async (path, body, method = 'POST') => {
    for (let again = false; ; again = true) {
      const token = await tokens.get()
      if (token === null) throw new PresenceError('signed_out')
      const r = await world
        .fetch(url + path, {
          method,
          keepalive: true,
          headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
          body: body ? JSON.stringify(body) : undefined,
        })
        .catch((e) => {
          throw new PresenceError('unreachable', String(e), true)
        })
      tokens.trade(token, r.headers.get('Presence-Pass'))
      if (r.ok) return r
      if (r.status !== 401 || again) throw await errorOf(r)
      tokens.refused(token)
    }
  }
}
