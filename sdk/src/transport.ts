import { PresenceError } from './errors'
import type { Tokens } from './token'
import type { Connection, ConnectionState } from './types'
import type { ClientFrame, FeedBye, ServerFrame } from './wire'
import type { Socket, World } from './world'

/** The client's frame of that name. */
export type Frame<T> = Extract<ClientFrame, { t: T }>

/** One socket to the feed, dialled again and again until it is told to stop. */
export interface Link {
  /** Begins to dial; after a denial too. Only when it was stopped, or never started. */
  start(): void
  /** Hangs up and stays away, without a word to the listener. leave: the person goes, so that the server need not guess. */
  stop(leave?: boolean): void
  /** Something happened that makes now a good moment: dial at once, or see whether the socket is alive. */
  wake(): void
  /** Looks after what should have come by now. To be called every few seconds. */
  tick(): void
  /** False when it was not sent. */
  send(f: ClientFrame): boolean
  /** A way around the sockets found out that this is as far as it goes. */
  end(e: PresenceError): void
}

export interface LinkOptions {
  url: string
  tokens: Tokens
  /** What to say first, but for the token. */
  auth(): Omit<Frame<'auth'>, 't' | 'token'>
  /** Every frame but those that the link deals with alone. */
  frame(f: ServerFrame): void
  state(c: Connection): void
  /** Several attempts in a row did not even reach the server's first word: sockets may be blocked here. */
  blocked(): void
  trace(way: 'in' | 'out', f: object): void
}

const first = 3000
const most = 20_000
const least = 500
const stable = 30_000
const patience = 10_000
const probe = 5000

/** What needs no last frame to be the end. */
const final: Record<number, string> = { 1009: 'too_large', 4001: 'session_over' }

export function createLink(world: World, o: LinkOptions): Link {
  let state: ConnectionState = 'idle'
  let turn = 0 // a promise of an earlier turn is an old story
  let socket: Socket | undefined
  let token = ''
  let bye: FeedBye | undefined
  let failures = 0
  let refusals = 0
  let connectedAt = 0
  let heardAt = 0
  let silence = Infinity // how long nothing may come
  let notBefore = 0
  let cancel: (() => void) | undefined
  let cancelProbe: (() => void) | undefined

  const set = (s: ConnectionState, more?: Partial<Connection>) => {
    state = s
    o.state({ state: s, ...more })
  }

  const dial = async () => {
    const mine = ++turn
    cancel?.()
    heardAt = world.now()
    silence = patience
    set('connecting')
    try {
      const t = await o.tokens.get()
      if (mine !== turn) return
      if (t === null) return deny('signed_out')
      token = t
      open(world.socket(o.url))
    } catch (e) {
      if (mine === turn) ended(1006, e as Error)
    }
  }

  const open = (s: Socket) => {
    socket = s
    bye = undefined
    s.onopen = () => {
      if (s === socket) send({ t: 'auth', token, ...o.auth() })
    }
    s.onmessage = (e) => {
      if (s === socket) heard(e.data)
    }
    s.onclose = (e) => {
      if (s === socket) ended(e.code)
    }
  }

  const send = (f: ClientFrame | { t: 'ping' }): boolean => {
    if (socket?.readyState !== 1) return false
    o.trace('out', f)
    socket.send(JSON.stringify(f))
    return true
  }

  const heard = (data: unknown) => {
    heardAt = world.now()
    cancelProbe?.()
    const f = JSON.parse(String(data)) as ServerFrame
    o.trace('in', f)
    if (f.t === 'ping') send({ t: 'pong', n: f.n })
    else if (f.t === 'bye') bye = f
    else if (f.t === 'renew') renew()
    else if (f.t === 'hello') {
      connectedAt = heardAt
      refusals = notBefore = 0
      silence = f.ping_ms + f.pong_ms
      set('connected')
    }
    o.frame(f)
  }

  const renew = async () => {
    const mine = turn
    o.tokens.refused(token)
    const t = await o.tokens.get().catch(() => '') // then the server ends it, and we ask again
    if (mine !== turn) return
    if (t === null) deny('signed_out')
    else if (t) send({ t: 'token', token: (token = t) })
  }

  const drop = () => {
    const s = socket
    socket = undefined
    silence = Infinity
    cancelProbe?.()
    s?.close()
  }

  /** The socket is gone, or never was. The server's last word decides what next; else we come back later. */
  const ended = (code: number, why?: Error) => {
    const last = bye
    const lasted = state === 'connected' ? world.now() - connectedAt : -1
    drop()
    bye = undefined
    turn++
    const how = last?.code ?? code
    const reason = last?.reason ?? final[how] ?? 'unreachable'
    const error = why instanceof PresenceError ? why : new PresenceError(reason, String(why ?? how), true)
    if (how === 4003 || how === 4002) o.tokens.refused(token)
    if (how === 4003) {
      return refusals++ ? deny('unauthenticated') : dial()
    }
    if (last ? !last.retry_ms : final[how]) return deny(reason)
    if (lasted >= stable) failures = 0
    // Full jitter, so that those who lost the same server do not come back together.
    const [from, to] = last?.retry_ms ?? [failures && least, Math.min(most, first * 2 ** failures++)]
    const wait = from + world.random() * (to - from)
    const retryAt = world.now() + wait
    if (last) notBefore = retryAt
    set(world.online() ? 'waiting' : 'offline', { retryAt, error })
    cancel?.()
    cancel = world.after(wait, dial)
    if (lasted < 0 && failures > 2) o.blocked()
  }

  const deny = (code: string) => end(new PresenceError(code))

  const stop = (leave?: boolean) => {
    turn++
    cancel?.()
    if (leave) send({ t: 'leave' })
    drop()
    failures = refusals = notBefore = 0
    state = 'idle'
  }

  const end = (error: PresenceError) => {
    stop(true)
    set('denied', { error })
  }

  return {
    start() {
      void dial()
    },
    stop,
    send,
    wake() {
      if ((state === 'waiting' || state === 'offline') && world.now() >= notBefore) void dial()
      else if (state === 'connected') {
        // Any answer will do; the server answers what it does not know with an error.
        send({ t: 'ping' })
        cancelProbe?.()
        cancelProbe = world.after(probe, () => {
          drop()
          void dial()
        })
      }
    },
    tick() {
      if (world.now() - heardAt > silence) ended(1006)
    },
    end,
  }
}
