import { createEmitter } from '../../../sdk/src/emitter'
import type { PresenceError } from '../../../sdk/src/errors'
import { watchInput } from '../../../sdk/src/idle'
import { watchLife } from '../../../sdk/src/liveness'
import { createTokens } from '../../../sdk/src/token'
import { createLink } from '../../../sdk/src/transport'
import type { ConnectionState } from '../../../sdk/src/types'
import { browserWorld, type World } from '../../../sdk/src/world'
import type { FeedCounts, FeedHello, FeedJob, FeedUser, Roster, ServerFrame } from '../wire'
import type { Api } from './api'
import { People } from './people'
import type { Session } from './session'
import { createSignal, type Readable } from './signal'

/** What can be believed of what is on the screen. */
export interface Truth {
  /**
   * live: what is shown is so. paused: it was so at `asOf`, because somebody wanted it to stand still.
   * reconnecting: it was so at `asOf`, nobody knows what is. denied: the server does not want to tell.
   */
  readonly state: 'starting' | 'live' | 'paused' | 'reconnecting' | 'denied'
  /** The server's clock when we last knew, in milliseconds since 1970; 0: never. */
  readonly asOf: number
  /** Changes that wait for the pause to end. */
  readonly held: number
  /** denied: why. */
  readonly error?: PresenceError
}

/** A change as it came, for those who list them. */
export interface Event extends FeedUser {
  /** The server's clock when it came. */
  readonly at: number
}

interface Events {
  change: readonly Event[]
  /** Changes were lost, or the whole picture was taken again. */
  gap: undefined
  /** How far an act on many accounts is. */
  job: FeedJob
}

/**
 * The one feed of this page: all changes of everybody, the numbers, and the table of people when somebody wants it. What
 * cannot be believed any more is said within three seconds, and nothing goes on as if it were so.
 */
export interface Live {
  readonly people: People
  readonly truth: Readable<Truth>
  readonly counts: Readable<FeedCounts | undefined>
  /** The server's clock. It stands still while what is shown is not so. */
  now(): number
  /** The same to the second, for what ticks. */
  readonly clock: Readable<number>
  /** What the server said about itself when we connected. */
  readonly hello: Readable<FeedHello | undefined>
  /** Whether the table of people is there: the first wish fetches it. */
  readonly ready: Readable<boolean | Error>
  want(): void
  /** Keeps last seen and devices of these true. The newest call counts; [] ends it. */
  look(ids: readonly string[]): void
  pause(on: boolean): void
  on<K extends keyof Events>(key: K, fn: (v: Events[K]) => void): () => void
  start(observe: boolean): void
  stop(): void
  /** Takes the rows of these people again: after an act of ours. */
  again(ids: readonly string[]): Promise<void>
}

const patience = 1500 // no answer for so long after a question: nobody knows
const question = 800 // asked after a silence of so long; with two looks of 250 ms in between it is said within three seconds

export function createLive(session: Session, api: Api, world: World = pageWorld()): Live {
  const people = new People()
  const events = createEmitter<Events>()
  const truth = createSignal<Truth>({ state: 'starting', asOf: 0, held: 0 })
  const counts = createSignal<FeedCounts | undefined>(undefined)
  const hello = createSignal<FeedHello | undefined>(undefined)
  const ready = createSignal<boolean | Error>(false)

  // The feed.
  let cursor: { epoch: string; seq: number } | undefined
  let connection: ConnectionState = 'idle'
  let denied: PresenceError | undefined
  let clock = 0 // the server's clock minus ours
  let heardAt = 0
  let asked = 0 // when we last asked for a sign, 0: it was given
  let observing = false
  let idle = false
  let paused = false
  let pausedAt = 0
  let held: { changes: number; users: Map<string, FeedUser>; counts?: FeedCounts } = { changes: 0, users: new Map() }

  // The roster.
  let wanted = false
  let version = '' // of the accounts that we hold
  let newest = '' // of the accounts that there are
  let whole = false // we hold everybody, as of the cursor
  let fetching = false
  const early = new Map<string, FeedUser>() // what came before the roster did
  const strangers = new Set<string>() // rows to be asked for
  let looking: readonly string[] = []

  const link = createLink(world, {
    url: `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/api/v1/feed`,
    tokens: createTokens(async ({ refused }) => {
      if (refused) session.refused(refused)
      return session.token()
    }),
    auth: () => ({
      scope: 'all',
      roster: true,
      observe: observing,
      idle,
      ...(cursor && { resume: cursor }),
    }),
    frame,
    state(c) {
      connection = c.state
      if (c.state === 'denied') {
        denied = c.error
        if (c.error?.code === 'session_over' || c.error?.code === 'signed_out') session.over()
      }
      judge()
    },
    blocked() {},
    trace(way) {
      if (way === 'out') return
      heardAt = world.now()
      asked = 0
    },
  })

  /** Says what can be believed now. */
  function judge(): void {
    const was = truth.get()
    const silent = asked > 0 && world.now() - asked > patience
    const ok = connection === 'connected' && !silent && (whole || !wanted)
    const state: Truth['state'] = denied
      ? 'denied'
      : paused
        ? 'paused'
        : ok
          ? 'live'
          : was.asOf
            ? 'reconnecting'
            : 'starting'
    const asOf =
      state === 'live' ? heardAt + clock : was.state === 'live' ? (paused ? pausedAt : heardAt + clock) : was.asOf
    if (was.state === state && was.held === held.changes && (state === 'live' || was.asOf === asOf)) return
    truth.set({ state, asOf, held: held.changes, error: denied })
  }

  function frame(f: ServerFrame): void {
    switch (f.t) {
      case 'hello':
        clock = f.now - world.now()
        hello.set(f)
        if (!f.resumed) {
          if (cursor) events.emit('gap', undefined)
          whole = false
        }
        cursor = { epoch: f.epoch, seq: f.seq }
        newest = f.accounts ?? newest
        if (looking.length) link.send({ t: 'look', users: [...looking] })
        break
      case 'snap':
        cursor = { epoch: f.epoch, seq: f.seq }
        if (f.counts) takeCounts(f.counts)
        break
      case 'delta':
        if (cursor && f.seq > cursor.seq) {
          cursor.seq = f.seq
          if (f.users) takeUsers(f.users)
        }
        if (f.counts) takeCounts(f.counts)
        break
      case 'ping':
        if (cursor && f.seq) cursor.seq = f.seq
        break
      case 'gap':
        whole = false
        events.emit('gap', undefined)
        break
      case 'accounts':
        newest = f.version
        break
      case 'job':
        events.emit('job', f)
        break
      case 'seen':
        if (!paused) people.seen(f)
        break
    }
    void sync()
    judge()
  }

  function takeCounts(c: FeedCounts): void {
    if (paused) held.counts = c
    else counts.set(c)
  }

  function takeUsers(users: readonly FeedUser[]): void {
    if (paused) {
      held.changes += users.length
      for (const u of users) held.users.set(u.id, u)
      return
    }
    const at = world.now() + clock
    events.emit(
      'change',
      users.map((u) => ({ ...u, at })),
    )
    for (const u of users) takeUser(u)
  }

  function takeUser(u: FeedUser): void {
    if (!wanted || !version || fetching) early.set(u.id, u) // kept until the roster is here: it may be older than this
    if (!version) return
    // An admin's act tells the status and not whether it is a hold: that is in the row.
    if (!people.apply(u) || u.c === 'admin') strangers.add(u.id)
  }

  /** Fetches what is missing, one thing after the other. */
  async function sync(): Promise<void> {
    if (fetching || !wanted || connection !== 'connected' || paused) return
    const all = !whole
    const some = !all && newest !== version && newest !== ''
    const ids = !all && !some ? [...strangers].slice(0, 500) : []
    if (!all && !some && !ids.length) return
    fetching = true
    const asOf = cursor?.epoch
    try {
      const roster = await api.get<Roster>('/roster', all ? {} : some ? { since: version } : { ids: ids.join() })
      if (paused) return // what was asked for before the pause comes after it: asked for again when it ends
      people.take(roster)
      if (!ids.length) version = roster.version
      for (const id of ids) strangers.delete(id)
      for (const u of early.values()) if (!people.apply(u)) strangers.add(u.id)
      for (const id of ids) strangers.delete(id) // who is not there is gone
      early.clear()
      if (all && cursor?.epoch === asOf) whole = true
      ready.set(true)
    } catch (e) {
      if (ready.get() !== true) ready.set(e instanceof Error ? e : new Error(String(e)))
      await new Promise<void>((resolve) => world.after(2000, resolve))
    } finally {
      fetching = false
    }
    judge()
    void sync()
  }

  /** Looks whether the server is still there, and whether the person is. */
  let quiet: (() => void)[] = []
  let inputAt = 0
  function watch(): void {
    const listen = [
      watchLife(world, link.wake, () => {
        link.tick()
        const after = hello.get()?.idle_after_ms
        if (after && !idle && world.now() - inputAt > after) {
          idle = true
          link.send({ t: 'idle' })
        }
      }),
      watchInput(world, () => {
        inputAt = world.now()
        if (idle) link.send({ t: 'active' })
        idle = false
      }),
    ]
    const timer = setInterval(() => {
      if (connection === 'connected' && world.visible() && !asked && world.now() - heardAt > question) {
        asked = world.now()
        link.wake() // asks for any answer, and dials anew when none comes for five seconds
      }
      judge()
    }, 250)
    quiet = [...listen, () => clearInterval(timer)]
  }

  const now = () => {
    const t = truth.get()
    return t.state === 'live' || !t.asOf ? world.now() + clock : t.asOf
  }
  const seconds = createSignal(0)
  const tick = () => seconds.set(Math.floor(now() / 1000) * 1000)
  let ticking = 0
  let ticker: ReturnType<typeof setInterval> | undefined
  truth.subscribe(tick) // what stands still stands still at once, not at the next second

  return {
    people,
    truth,
    counts,
    hello,
    ready,
    now,
    clock: {
      get() {
        if (!ticking) tick()
        return seconds.get()
      },
      subscribe(listener) {
        if (!ticking++) ticker = setInterval(tick, 1000)
        const stop = seconds.subscribe(listener)
        return () => {
          stop()
          if (!--ticking) clearInterval(ticker)
        }
      },
    },
    want() {
      wanted = true
      void sync()
      judge()
    },
    look(ids) {
      if (ids.length === looking.length && ids.every((id, i) => id === looking[i])) return
      looking = ids.slice(0, 200)
      link.send({ t: 'look', users: [...looking] })
    },
    pause(on) {
      if (on === paused) return
      if (on) pausedAt = truth.get().state === 'live' ? heardAt + clock : truth.get().asOf
      paused = on
      if (!on) {
        const { users, counts: last } = held
        held = { changes: 0, users: new Map() }
        takeUsers([...users.values()])
        if (last) takeCounts(last)
        void sync()
      }
      judge()
    },
    on: events.on,
    start(observe) {
      observing = observe
      denied = undefined
      inputAt = world.now()
      watch()
      link.start()
    },
    stop() {
      for (const stop of quiet) stop()
      link.stop(true)
    },
    async again(ids) {
      for (const id of ids) strangers.add(id)
      await sync()
    },
  }
}

/** The page, without the worker for hidden tabs: the policy lets no worker be made of text, and a hidden dashboard has nobody to lie to. */
function pageWorld(): World {
  return {
    ...browserWorld(),
    after(ms, fn) {
      const timer = setTimeout(fn, ms)
      return () => clearTimeout(timer)
    },
  }
}
