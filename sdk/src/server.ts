/** For backends (Node, Bun, Deno): tells who is active, asks, listens and throws out, with a token of the backend's own. */
import { PresenceError } from './errors'
import { createHttp, errorOf, type Http } from './http'
import { query } from './query'
import { fromWire } from './store'
import { createTokens, type Tokens } from './token'
import { Touches } from './touch'
import type { Counts, Presence, Scope } from './types'
import { type AnyHeaders, verifyWebhook } from './webhook'
import type { ServerFrame } from './wire'

export { PresenceError } from './errors'
export type { Counts, Presence, Scope, Status } from './types'
export { type AnyHeaders, verifyWebhook } from './webhook'

export interface PresenceServerOptions {
  /** Where the presence server is. */
  url: string
  /**
   * A token of the backend (`presence token create`), an access token, or where to get one; `refused` is one that the
   * server did not take.
   */
  token: string | ((ask: { refused?: string }) => string | Promise<string>)
  /** Signs the webhooks of this server; several while one replaces another. */
  webhookSecret?: string | readonly string[]
  /** What goes wrong behind the middleware, which never fails a request. */
  onError?: (e: unknown) => void
  fetch?: typeof fetch
}

/** Fits Express and Connect, Fastify's hooks (`onRequest`, `preHandler`) and Hono. */
export type Middleware<Request> = (request: Request, response: unknown, next?: () => unknown) => unknown

export interface EventsOptions {
  /** users: those named. all: everybody (staff). counts: the numbers only. Default: users if any are named, else all. */
  scope?: Scope
  /** At most about 1,500. */
  users?: readonly string[]
  /** The cursor of the last event that was dealt with. */
  since?: string
  signal?: AbortSignal
}

export interface PresenceEvent {
  /** snapshot: the state of these users. change: they changed. gap: something was lost, and a snapshot follows. */
  readonly type: 'snapshot' | 'change' | 'gap'
  readonly users: readonly Presence[]
  readonly counts?: Counts
  /** A snapshot that begins the whole picture: forget everybody else. */
  readonly full: boolean
  /** Hand it in as `since` to go on after this event. */
  readonly cursor: string
}

export class PresenceServer {
  readonly #url: string
  readonly #fetch: typeof fetch
  readonly #tokens: Tokens
  readonly #ask: Http
  readonly #touches: Touches
  readonly #secret: string | readonly string[] | undefined
  readonly #failed: (e: unknown) => void

  constructor({ url, token, webhookSecret, onError = () => {}, fetch: own = fetch }: PresenceServerOptions) {
    this.#url = url.replace(/\/+$/, '')
    this.#fetch = own
    this.#tokens = createTokens(typeof token === 'string' ? () => token : token)
    this.#ask = createHttp({ fetch: (u, init) => own(u, { ...init, keepalive: false }) }, this.#url, this.#tokens)
    this.#touches = new Touches(this.#ask)
    this.#secret = webhookSecret
    this.#failed = onError
  }

  /**
   * Tells that people are active; needs the scope `touch`. Words about the same person within 5 s are one, and many
   * people go in one request. `source` is what this backend calls itself where a person's devices are shown. Resolves
   * when the server knows. Rejects with PresenceError.
   */
  touch(ids: string | Iterable<string>, { source }: { source?: string } = {}): Promise<void> {
    return this.#touches.touch(typeof ids === 'string' ? [ids] : ids, source)
  }

  /**
   * Every request of somebody signed in is a sign of life:
   *
   *     app.use(server.middleware((req) => req.user?.id))                           // Express; after what signs in
   *     app.addHook('preHandler', server.middleware((req) => req.user?.id))         // Fastify
   *     app.use(server.middleware((c) => c.get('userId')))                          // Hono
   *
   * It waits for nothing and fails no request.
   */
  middleware<Request>(
    userID: (request: Request) => string | number | null | undefined,
    options?: { source?: string },
  ): Middleware<Request> {
    // Fastify and Express count the parameters: three.
    return (request: Request, response: unknown, next?: () => unknown): unknown => {
      try {
        const id = userID(request)
        if (id || id === 0) this.touch(String(id), options).catch(this.#failed)
      } catch (e) {
        this.#failed(e)
      }
      // Hono hands over two.
      return (next ?? (response as () => unknown))()
    }
  }

  /** Checks that a webhook came from the server, and returns its message: see the function verifyWebhook. */
  async verifyWebhook<T = unknown>(body: string | Uint8Array, headers: AnyHeaders): Promise<T> {
    if (!this.#secret) throw new TypeError('verifyWebhook needs the option webhookSecret')
    return verifyWebhook<T>(body, headers, this.#secret)
  }

  /** The presence of these people, one request per 1,000. Somebody unknown is offline. Rejects with PresenceError. */
  async query(ids: Iterable<string>): Promise<Map<string, Presence>> {
    return new Map((await query(this.#ask, ids)).map((u) => [u.id, fromWire(u)]))
  }

  /** Ends every session of a person: they are offline, and out, when it resolves. For admins and the scope `logout`. */
  async forceLogout(id: string, { reason }: { reason?: string } = {}): Promise<void> {
    await this.#ask(`/api/v1/users/${encodeURIComponent(id)}/force-logout`, { reason })
  }

  /**
   * A ticket lets somebody in on this backend's word; needs the scope `tickets`. Hand it to the page, whose token
   * function returns it. Good for `ttl` seconds (1 to 300; 60). `device` tells the person's devices apart, such as the
   * id of your own session. Without a user it is for the session of the token itself.
   */
  async ticket(
    user?: string,
    options: { ttl?: number; device?: string } = {},
  ): Promise<{ ticket: string; expires: number }> {
    const r = await this.#ask('/api/v1/feed/ticket', user === undefined ? undefined : { user, ...options })
    const { ticket, expires_in } = (await r.json()) as { ticket: string; expires_in: number }
    return { ticket, expires: expires_in }
  }

  /** What happens, as it happens. Comes back by itself where it broke off; throws when the server does not want us. */
  async *events(options: EventsOptions = {}): AsyncGenerator<PresenceEvent, void> {
    const { signal } = options
    let cursor = options.since ?? ''
    for (let failures = 0, refused = false; !signal?.aborted; ) {
      let wait = Math.random() * Math.min(20_000, 1000 * 2 ** failures++)
      try {
        for await (const { id, frame } of this.#stream(options, cursor)) {
          failures = 0
          refused = false
          cursor = id || cursor
          const e = eventOf(frame, cursor)
          if (e) yield e
          if (frame.t === 'bye') wait = patience(frame)
        }
      } catch (e) {
        if (signal?.aborted) return
        const again: boolean = e instanceof PresenceError && e.status === 401 && !refused
        if (e instanceof PresenceError && !e.retryable && !again) throw e
        if (e instanceof PresenceError) wait = again ? 0 : e.retryAfter || wait
        refused ||= again
      }
      await sleep(wait, signal)
    }
  }

  async *#stream(o: EventsOptions, cursor: string): AsyncGenerator<{ id: string; frame: ServerFrame }> {
    const token = await this.#tokens.get()
    const search = new URLSearchParams({ scope: o.scope ?? (o.users ? 'users' : 'all') })
    if (o.users) search.set('users', o.users.join())
    const headers: Record<string, string> = { Accept: 'text/event-stream', Authorization: `Bearer ${token}` }
    if (cursor) headers['Last-Event-ID'] = cursor
    const r = await this.#fetch(`${this.#url}/api/v1/feed?${search}`, { headers, signal: o.signal })
    if (r.status === 401 && token) this.#tokens.refused(token)
    if (!r.ok || !r.body) throw await errorOf(r)
    for await (const { id, data } of messages(r.body)) {
      const frame = JSON.parse(data) as ServerFrame
      if (frame.t === 'bye' && frame.reason === 'token_expired' && token) this.#tokens.refused(token)
      yield { id, frame }
    }
  }
}

function eventOf(f: ServerFrame, cursor: string): PresenceEvent | undefined {
  if (f.t === 'gap') return { type: 'gap', users: [], full: false, cursor }
  if (f.t !== 'snap' && f.t !== 'delta') return
  const type = f.t === 'snap' ? 'snapshot' : 'change'
  const users = (f.users ?? []).map(fromWire)
  return { type, users, counts: f.counts, full: f.t === 'snap' && !!f.full, cursor }
}

/** How long a goodbye wants us to stay away; one that does not say wants us gone. */
function patience({ reason, retry_ms }: ServerFrame & { t: 'bye' }): number {
  if (!retry_ms) throw new PresenceError(reason, `the server ended the stream: ${reason}`)
  return retry_ms[0] + Math.random() * (retry_ms[1] - retry_ms[0])
}

/** The messages of an event stream: https://html.spec.whatwg.org/multipage/server-sent-events.html. */
async function* messages(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; data: string }> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let id = ''
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const lines = (rest + decoder.decode(value, { stream: true })).split(/\r?\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('data:')) data.push(line.slice(5).trimStart())
        else if (line.startsWith('id:')) id = line.slice(3).trim()
        else if (line === '' && data.length) {
          yield { id, data: data.join('\n') }
          data = []
          id = ''
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms)
    function done() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    signal?.addEventListener('abort', done)
  })
}
