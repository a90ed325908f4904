import { vi } from 'vitest'
import { type Channel, type Connection, createPresence, type PresenceOptions, type Socket, type World } from '../src'
import type { ClientFrame, FeedUser, ServerFrame } from '../src/wire'

/** A feed server as docs/protocol.md has it, in memory and in virtual time. */
export class FakeServer {
  sockets: FakeSocket[] = []
  users = new Map<string, FeedUser>()
  seq = 100
  epoch = 'e1'
  token = 'good'
  resumable = true
  pings = true
  heartbeat = 30
  /** What happens to a new socket: it opens, it never reaches anybody, or there are no sockets at all. */
  reach: 'open' | 'refused' | 'none' = 'open'
  requests: { url: string; token: string; body: unknown }[] = []
  /** Good once each; a request is answered with a pass to go on with. */
  tickets = new Set<string>()
  passes = new Set<string>()
  answer: (url: string) => Response | undefined = () => undefined

  get open() {
    return this.sockets.filter((s) => s.readyState === 1)
  }

  set(id: string, s: FeedUser['s']) {
    this.users.set(id, { id, s, ls: Date.now() })
    this.seq++
    for (const socket of this.open) {
      if (socket.interest.has(id)) socket.say({ t: 'delta', seq: this.seq, users: [this.state(id)] })
    }
  }

  state(id: string): FeedUser {
    return this.users.get(id) ?? { id, s: 'offline' }
  }

  bye(code: number, reason: string, retry_ms?: [number, number]) {
    for (const s of this.open) {
      s.say({ t: 'bye', code, reason, retry_ms })
      s.lose(code)
    }
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    const token = new Headers(init.headers).get('Authorization')?.slice(7) ?? ''
    const body = init.body ? JSON.parse(String(init.body)) : undefined
    this.requests.push({ url, token, body })
    const own = this.answer(url)
    if (own) return Promise.resolve(own)
    const headers = new Headers()
    if (this.tickets.delete(token)) {
      this.passes.add(`pass for ${token}`)
      headers.set('Presence-Pass', `pass for ${token}`)
    } else if (token !== this.token && !this.passes.has(token))
      return Promise.resolve(new Response('{}', { status: 401 }))
    if (url.endsWith('/query')) {
      const items = (body as { ids: string[] }).ids.map((id) => {
        const u = this.state(id)
        return { id, status: u.s, last_seen: u.ls ? new Date(u.ls).toISOString() : null, since: null }
      })
      return Promise.resolve(Response.json({ items, as_of: new Date().toISOString() }, { headers }))
    }
    const told = url.endsWith('/settings') ? { heartbeat_interval: this.heartbeat } : {}
    return Promise.resolve(Response.json(told, { headers }))
  }
}

export class FakeSocket implements Socket {
  readyState = 0
  interest = new Set<string>()
  said: ClientFrame[] = []
  closedWith?: number
  /** The link is dead, and nobody knows. */
  dead = false
  onopen: Socket['onopen'] = null
  onmessage: Socket['onmessage'] = null
  onclose: Socket['onclose'] = null
  private unanswered = 0
  private timer?: ReturnType<typeof setInterval>

  constructor(
    readonly server: FakeServer,
    readonly url: string,
  ) {
    setTimeout(() => {
      if (this.readyState !== 0) return
      if (server.reach === 'refused') return this.lose(1006)
      this.readyState = 1
      this.onopen?.()
    }, 5)
  }

  say(f: ServerFrame) {
    if (this.readyState === 1 && !this.dead) this.onmessage?.({ data: JSON.stringify(f) })
  }

  lose(code: number) {
    if (this.readyState === 3) return
    this.readyState = 3
    clearInterval(this.timer)
    this.onclose?.({ code })
  }

  send(data: string) {
    const f = JSON.parse(data) as ClientFrame
    this.said.push(f)
    if (!this.dead) setTimeout(() => this.hear(f), 5)
  }

  private hear(f: ClientFrame) {
    const { server } = this
    if (f.t === 'auth') this.auth(f)
    else if (f.t === 'sub') {
      for (const id of f.users) this.interest.add(id)
      this.say({ t: 'snap', epoch: server.epoch, seq: server.seq, users: f.users.map((id) => server.state(id)) })
    } else if (f.t === 'unsub') for (const id of f.users) this.interest.delete(id)
    else if (f.t === 'pong') this.unanswered = 0
    else if (f.t === 'token') this.say({ t: 'token', expires: Date.now() + 3_600_000 })
    else if (!['idle', 'active', 'leave'].includes(f.t)) {
      this.say({ t: 'error', code: 'unknown_frame', message: 'unknown', re: f.t })
    }
  }

  private auth(f: ClientFrame & { t: 'auth' }) {
    const { server } = this
    const { token = '' } = f
    if (token !== server.token && !server.tickets.delete(token) && !server.passes.has(token)) {
      this.say({ t: 'bye', code: 4003, reason: 'unauthenticated' })
      return this.lose(4003)
    }
    for (const id of f.users ?? []) this.interest.add(id)
    const resumed = server.resumable && f.resume?.epoch === server.epoch
    this.say({
      ...{ t: 'hello', user: '1', session: 's', staff: false, scope: f.scope ?? 'users', epoch: server.epoch },
      ...{
        seq: server.seq,
        resumed,
        now: Date.now(),
        expires: Date.now() + 3_600_000,
        ping_ms: 25_000,
        pong_ms: 10_000,
      },
      ...{ heartbeat_ms: 30_000, idle_after_ms: 300_000, offline_after_ms: 120_000, max_users: 10_000 },
    })
    const users = [...this.interest].map((id) => server.state(id))
    if (!resumed) this.say({ t: 'snap', epoch: server.epoch, seq: server.seq, full: true, users })
    else if ((f.resume?.seq ?? 0) < server.seq) this.say({ t: 'delta', seq: server.seq, users })
    if (!server.pings) return
    this.timer = setInterval(() => {
      if (this.unanswered++) return this.lose(4005)
      this.say({ t: 'ping', n: 1, seq: server.seq })
    }, 25_000)
  }

  close(code = 1000) {
    if (this.readyState === 3) return
    this.readyState = 3
    this.closedWith = code
    clearInterval(this.timer)
    setTimeout(() => this.onclose?.({ code }), 1)
  }
}

interface Request {
  held: () => Promise<void>
  resolve: (v: unknown) => void
  reject: (e: unknown) => void
}

/** The tabs of one browser: Web Locks and BroadcastChannel as the standards have them. */
export class FakeBrowser {
  channels = new Set<{ tab: FakeTab; fake: Channel }>()
  holder?: Request
  queue: Request[] = []
  constructor(readonly server = new FakeServer()) {}

  request(options: { steal?: boolean; signal?: AbortSignal }, held: () => Promise<void>) {
    return new Promise((resolve, reject) => {
      const r = { held, resolve, reject }
      if (options.steal) {
        this.holder?.reject(new DOMException('stolen', 'AbortError'))
        this.grant(r)
      } else if (!this.holder) this.grant(r)
      else this.queue.push(r)
      options.signal?.addEventListener('abort', () => {
        if (!this.queue.includes(r)) return
        this.queue.splice(this.queue.indexOf(r), 1)
        reject(new DOMException('aborted', 'AbortError'))
      })
    })
  }

  private grant(r: Request) {
    this.holder = r
    queueMicrotask(() =>
      r.held().then(() => {
        r.resolve(undefined)
        if (this.holder !== r) return
        this.holder = undefined
        const next = this.queue.shift()
        if (next) this.grant(next)
      }),
    )
  }
}

/** One tab, which can be hidden, frozen and cut off. */
export class FakeTab {
  visible = true
  frozen = false
  online = true
  sleptMs = 0
  private stuck: (() => void)[] = []
  private listeners: { events: string[]; fn: (e: { type?: string }) => void }[] = []
  constructor(readonly browser = new FakeBrowser()) {}

  get server() {
    return this.browser.server
  }

  fire(...types: string[]) {
    for (const type of types) {
      for (const l of [...this.listeners]) if (l.events.includes(type)) l.fn({ type })
    }
  }

  show() {
    this.visible = true
    this.fire('visibilitychange', 'focus')
  }

  hide() {
    this.visible = false
    this.fire('visibilitychange')
  }

  thaw() {
    this.frozen = false
    for (const fn of this.stuck.splice(0)) fn()
    this.fire('resume')
  }

  /** Nothing runs in a frozen tab; it is all made up for when it thaws. */
  private run(fn: () => void) {
    if (this.frozen) this.stuck.push(fn)
    else fn()
  }

  world(features: { tabs?: boolean } = {}): World {
    const { browser, server } = this
    const world: World = {
      now: () => Date.now(),
      random: () => Math.random(),
      origin: 'https://page.example',
      online: () => this.online,
      visible: () => this.visible,
      after: (ms, fn) => {
        const timer = setTimeout(() => this.run(fn), ms)
        return () => clearTimeout(timer)
      },
      fetch: (url, init) => server.fetch(url, init),
      socket: (url) => {
        if (server.reach === 'none') throw new Error('no sockets')
        const s = new FakeSocket(server, url)
        server.sockets.push(s)
        return this.through(s)
      },
      listen: (events, fn) => {
        const l = { events, fn }
        this.listeners.push(l)
        return () => void this.listeners.splice(this.listeners.indexOf(l), 1)
      },
    }
    if (features.tabs) {
      world.locks = { request: (_, options, held) => this.stolen(browser.request(options, held)) }
      world.channel = () => this.channel()
    }
    return world
  }

  private stolen(p: Promise<unknown>) {
    return new Promise<void>((resolve, reject) =>
      p.then(
        () => this.run(resolve),
        (e) => this.run(() => reject(e)),
      ),
    )
  }

  private through(s: FakeSocket): Socket {
    const run = (fn: () => void) => this.run(fn)
    return {
      get readyState() {
        return s.readyState
      },
      set onopen(fn: Socket['onopen']) {
        s.onopen = fn && (() => run(fn))
      },
      set onmessage(fn: Socket['onmessage']) {
        s.onmessage = fn && ((e) => run(() => fn(e)))
      },
      set onclose(fn: Socket['onclose']) {
        s.onclose = fn && ((e) => run(() => fn(e)))
      },
      send: (d: string) => s.send(d),
      close: (c?: number) => s.close(c),
    } as Socket
  }

  private channel(): Channel {
    const { channels } = this.browser
    const entry = {
      tab: this as FakeTab,
      fake: {
        onmessage: null as Channel['onmessage'],
        close: () => void channels.delete(entry),
        postMessage: (m: unknown) => {
          const data = structuredClone(m)
          for (const c of [...channels]) {
            if (c !== entry) queueMicrotask(() => c.tab.run(() => c.fake.onmessage?.({ data })))
          }
        },
      },
    }
    channels.add(entry)
    return entry.fake
  }
}

/** Lets virtual time pass, with everything that is to happen in it. */
export const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)

/** A client in a tab, with what it asked and was. */
export function open(options: Partial<PresenceOptions> = {}, tab = new FakeTab(), features: { tabs?: boolean } = {}) {
  const token = vi.fn(async (_: { refused?: string }): Promise<string | null> => tab.server.token)
  const presence = createPresence({ token, ...options }, tab.world(features))
  const states: Connection['state'][] = []
  presence.on('connection', (c) => states.push(c.state))
  return { presence, tab, server: tab.server, states, token }
}
