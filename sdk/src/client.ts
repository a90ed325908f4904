import { createEmitter } from './emitter'
import { PresenceError } from './errors'
import { createBeats } from './fallback'
import { createHttp } from './http'
import { watchInput } from './idle'
import { watchLife } from './liveness'
import { query } from './query'
import { adopt, applyDelta, applySnap, fromWire, keep, mark, nothing, type View } from './store'
import { createTabs } from './tabs'
import { createTokens } from './token'
import { createLink, type Frame } from './transport'
import type { Connection, DebugEntry, Presence, PresenceClient, PresenceEvents, PresenceOptions } from './types'
import type { ServerFrame } from './wire'
import { browserWorld, type World } from './world'

/** What tabs tell each other. */
type Message =
  | { k: 'want'; users: string[]; hi?: boolean }
  | { k: 'state'; to?: string; view?: View; c: Connection; me?: string }
  | { k: 'frame'; f: ServerFrame }
  | { k: 'input' }
  | { k: 'out'; code: string }

/** Makes a client. It does nothing before connect(). `world` is for tests. */
export function createPresence(options: PresenceOptions, world: World = browserWorld()): PresenceClient {
  const { scope = 'users', observe } = options
  let awayAfter = options.awayAfter ?? 300_000
  const base = (options.url ?? world.origin).replace(/\/+$/, '')
  const events = createEmitter<PresenceEvents>()
  const people = createEmitter<Record<string, Presence>>() // its keys are whom this tab watches
  const others = new Map<string, string[]>() // what other tabs watch
  const trace: DebugEntry[] = []
  const tokens = createTokens(options.token)
  const http = createHttp(world, base, tokens)

  let asked = new Set<string>() // what the socket was told to watch
  let told = '' // what the other tabs were told that we watch
  let view = nothing
  let shown = nothing // what listeners have seen
  let connection: Connection = { state: 'idle' }
  let me: string | undefined
  let running = false // connect() was called, and nothing ended it
  let inside = false // running, and the page is not on its way out
  let synced = false // follower: the leader's picture is here
  let flushing = false
  let beating = false // sockets are blocked, heartbeats go by POST
  let wasIdle = false
  let lastInput = 0
  let stops: (() => void)[] = []

  const note = (way: DebugEntry['way'], what: object) => {
    const entry = { at: world.now(), way, what: { ...what, ...('token' in what && { token: '…' }) } }
    if (trace.push(entry) > 200) trace.shift()
    world.log?.(entry)
  }

  // What others tell us ---------------------------------------------------

  const apply = (f: ServerFrame) => {
    if (f.t === 'hello') {
      me = f.user
      if (f.resumed) view = mark(view, false)
      if (options.awayAfter === undefined) awayAfter = f.idle_after_ms
    } else if (f.t === 'snap') view = applySnap(view, f)
    else if (f.t === 'gap') view = mark(view, true)
    else if (f.t === 'delta') view = applyDelta(view, f)
    else if (f.t === 'ping' && f.seq)
      view = applyDelta(view, { t: 'delta', seq: f.seq }) // nothing up to there
    else if (f.t === 'error' && f.re !== 'ping') {
      const again = f.code === 'unavailable'
      if (again) asked.clear() // the next tick asks for all of them again
      return events.emit('error', new PresenceError(f.code, f.message, again))
    }
    soon()
  }

  const become = (c: Connection) => {
    if (c.state === 'connected') beat(false)
    if (beating) c = { ...c, beats: true }
    connection = c
    note('is', c)
    if (c.state !== 'connected' && !c.beats) view = mark(view, true)
    events.emit('connection', c)
    soon()
  }

  // What we want to know --------------------------------------------------

  const wanted = () => {
    const all = new Set([...people.keys(), ...[...others.values()].flat()])
    return me ? all.add(me) : all
  }

  /** Everything that happened in this turn of the event loop, at once. */
  const soon = () => {
    if (flushing) return
    flushing = true
    queueMicrotask(() => {
      flushing = false
      interest()
      const before = shown
      shown = view
      const changes = [...view.users.values()].filter((p) => before.users.get(p.id) !== p)
      for (const p of changes) people.emit(p.id, p)
      if (changes.length) events.emit('change', changes)
      if (view.counts && view.counts !== before.counts) events.emit('counts', view.counts)
    })
  }

  const interest = () => {
    if (!inside || scope !== 'users') return
    const own = people.keys()
    if (told !== (told = own.join())) tabs.post({ k: 'want', users: own })
    if (!tabs.leading() || connection.state !== 'connected') return
    const all = wanted()
    const users = [...all].filter((id) => !asked.has(id))
    const past = [...asked].filter((id) => !all.has(id))
    if (users.length) link.send({ t: 'sub', users })
    if (past.length) {
      link.send({ t: 'unsub', users: past })
      view = keep(view, all)
    }
    asked = all
  }

  const auth = (): Omit<Frame<'auth'>, 't' | 'token'> => {
    const { epoch, seq } = view
    const resume = epoch && seq >= 0 ? { epoch, seq } : undefined
    asked = wanted()
    wasIdle = idle()
    const frame = { scope, resume, idle: wasIdle, observe }
    if (scope !== 'users') return frame
    view = keep(view, asked)
    if (resume) asked = new Set(view.users.keys())
    return { ...frame, users: [...asked] }
  }

  // Whether I am there ----------------------------------------------------

  const idle = () => awayAfter !== false && world.now() - lastInput >= awayAfter

  /** Here or in another tab. */
  const input = () => {
    lastInput = world.now()
    person()
  }

  const person = () => {
    const is = idle()
    if (is !== wasIdle && link.send({ t: is ? 'idle' : 'active' })) wasIdle = is
  }

  // Who carries the socket ------------------------------------------------

  /** For this tab and for the others. */
  const take = (f: ServerFrame) => {
    apply(f)
    tabs.post({ k: 'frame', f })
  }

  /** How the link is; to one tab what is held as well. An Error loses its class between tabs. */
  const tell = (to?: string) =>
    tabs.post({ k: 'state', to, view: to ? view : undefined, c: { ...connection, error: undefined }, me })

  const link = createLink(world, {
    url: `${base.replace(/^http/, 'ws')}/api/v1/feed`,
    tokens,
    auth,
    trace: note,
    frame: take,
    state(c) {
      if (c.state === 'denied' && c.error) return out(c.error)
      become(c)
      tell()
    },
    blocked() {
      if (!observe && !beating) beat(true)
    },
  })

  const beat = (on: boolean) => beats((beating = on))

  const beats = createBeats(
    world,
    http,
    async () => {
      if (!connection.beats) become(connection)
      const users = scope === 'users' ? await query(http, wanted()).catch(() => []) : []
      if (!beating || !users.length) return
      take({ t: 'snap', epoch: '', seq: -1, users })
    },
    (e) => {
      beat(false)
      link.end(e)
    },
  )

  const tabs = createTabs<Message>(world, options.tabs === 'own' ? '' : `presence ${base} ${scope} ${observe}`, {
    lead() {
      others.clear() // those that are still there say so again
      synced = false
      link.start()
    },
    follow() {
      beat(false)
      link.stop()
    },
    leader() {
      synced = false
      tabs.post({ k: 'want', users: people.keys(), hi: true })
    },
    message: (m, from) => receive[m.k](m as never, from),
  })

  const receive: { [K in Message['k']]: (m: Extract<Message, { k: K }>, from: string) => void } = {
    want(m, from) {
      others.set(from, m.users)
      if (m.hi && tabs.leading()) tell(from)
      soon()
    },
    state(m) {
      if (tabs.leading() || (m.to ? m.to !== tabs.id : !synced)) return
      me = m.me
      if (m.view) {
        synced = true
        view = adopt(view, m.view)
      }
      become(m.c)
    },
    frame: (m) => synced && apply(m.f),
    input,
    out: (m) => leave('denied', new PresenceError(m.code)),
  }

  // Coming and going ------------------------------------------------------

  const enter = () => {
    inside = true
    tabs.start()
  }

  const wake = () => {
    if (!inside) enter() // back from the browser's cache
    link.wake()
    if (beating) beat(true)
    tabs.check()
  }

  const tick = () => {
    link.tick()
    tabs.check()
    person()
    interest()
  }

  /** The page is on its way out. It may come back from the browser's cache. */
  const exit = () => {
    if (!inside) return
    inside = false
    tabs.post({ k: 'want', users: [] })
    tabs.stop()
    beat(false)
    link.stop(true)
  }

  const leave = (state: 'denied' | 'closed', error?: PresenceError) => {
    const known = me
    exit()
    for (const stop of stops) stop()
    running = false
    me = undefined
    tokens.clear()
    become({ state, error })
    // Somebody who was never signed in is not signed out.
    if (known && error) events.emit('signedout', { reason: error.code })
  }

  const out = (error: PresenceError) => {
    tabs.post({ k: 'out', code: error.code })
    leave('denied', error)
  }

  return {
    connect() {
      if (running) return
      running = true
      lastInput = world.now()
      const typed = () => {
        tabs.post({ k: 'input' })
        input()
      }
      stops = [watchLife(world, wake, tick), watchInput(world, typed), world.listen(['pagehide'], exit)]
      enter()
    },
    async close({ offline } = {}) {
      const end = offline && http('/api/auth/logout/').catch(() => {})
      if (offline) tabs.post({ k: 'out', code: 'logout' })
      leave('closed')
      await end
    },
    watch(ids, fn) {
      const list = [...new Set(typeof ids === 'string' ? [ids] : ids)]
      // A function of its own, so that two who watch with the same one are two.
      let tell = fn && ((p: Presence) => fn(p))
      const offs = list.map((id) => people.on(id, tell ?? (() => {})))
      soon()
      queueMicrotask(() => {
        for (const id of list) {
          const p = view.users.get(id)
          if (p) tell?.(p)
        }
      })
      return () => {
        tell = undefined
        for (const off of offs) off()
        soon()
      }
    },
    get: (id) => view.users.get(id),
    all: () => view.users,
    async query(ids) {
      return new Map((await query(http, ids)).map((u) => [u.id, fromWire(u)]))
    },
    async setStatus(status, { until, text } = {}) {
      await http('/api/v1/me/status', { status, until: until && new Date(until), text }, 'PUT')
    },
    on: events.on,
    debug: () => [...trace],
    get connection() {
      return connection
    },
    get me() {
      return me
    },
    get counts() {
      return view.counts
    },
  }
}
