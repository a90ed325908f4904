/** Everything that the client has from outside, in one place, so that a test can be the outside. */
export interface World {
  /** The wall clock, in milliseconds since 1970. */
  now(): number
  random(): number
  /** Calls back once, also while the tab is hidden and its timers are throttled. Returns what stops it. */
  after(ms: number, fn: () => void): () => void
  fetch(url: string, init: RequestInit): Promise<Response>
  /** Throws where there are no sockets. */
  socket(url: string): Socket
  /** The page's own origin, or ''. */
  origin: string
  /** False only when the browser is sure. */
  online(): boolean
  visible(): boolean
  /** Calls back at events of the window or of the document. Returns what stops it. */
  listen(events: string[], fn: (e: { type?: string; persisted?: boolean }) => void): () => void
  /** Web Locks and BroadcastChannel. Missing where tabs cannot know of each other. */
  locks?: Locks
  channel?(name: string): Channel
  log?(entry: unknown): void
}

/** As much of a LockManager as we use. */
export interface Locks {
  /** Calls back when the lock is held; it is held until the promise settles. Rejects when it was stolen or given up. */
  request(name: string, options: { steal?: boolean; signal?: AbortSignal }, held: () => Promise<void>): Promise<unknown>
}

export interface Channel {
  postMessage(m: unknown): void
  onmessage: ((e: { data: unknown }) => void) | null
  close(): void
}

/** As much of a WebSocket as we use. */
export interface Socket {
  readonly readyState: number
  onopen: (() => void) | null
  onmessage: ((e: { data: unknown }) => void) | null
  onclose: ((e: { code: number }) => void) | null
  send(data: string): void
  close(code?: number): void
}

/** The real one. Touches nothing but what is there: it works in pages, workers, Node and on servers that render pages. */
export function browserWorld(): World {
  const g = globalThis as Partial<typeof globalThis>
  const doc = g.document
  let debug: unknown
  try {
    debug = doc && g.localStorage?.presenceDebug
  } catch {} // storage is forbidden here
  return {
    now: Date.now,
    random: Math.random,
    after: timers(),
    fetch: (url, init) => fetch(url, init),
    // The DOM's handlers take more than ours ask for.
    socket: (url) => new WebSocket(url) as Socket,
    origin: g.location?.origin ?? '',
    online: () => g.navigator?.onLine !== false,
    visible: () => !doc || doc.visibilityState === 'visible',
    listen(events, fn) {
      const end = new AbortController()
      // Captured at the window, so that events of the document are met as well, and nobody can hide them.
      const how = { capture: true, passive: true, signal: end.signal }
      for (const e of events) g.window?.addEventListener?.(e, fn as EventListener, how)
      return () => end.abort()
    },
    // A page's own: a server that renders pages must not wait for others.
    locks: doc && g.BroadcastChannel && g.navigator?.locks,
    channel: (name) => new BroadcastChannel(name) as Channel,
    log: debug ? (entry) => console.debug('presence', entry) : undefined,
  }
}

/**
 * Browsers slow down the timers of hidden pages to one a minute, but not those of a worker: it reminds us every second
 * of what is due. A page whose rules forbid the worker loses nothing else.
 */
function timers(): World['after'] {
  const due = new Map<() => void, number>()
  const remind = () => {
    for (const [run, at] of due) if (Date.now() >= at) run()
  }
  const start = () => {
    try {
      const worker = new Worker(URL.createObjectURL(new Blob(['setInterval(()=>postMessage(0),1e3)'])))
      worker.onmessage = remind
      worker.onerror = (e) => e.preventDefault()
    } catch {} // no workers here
  }
  let started = !globalThis.document
  return (ms, fn) => {
    if (!started) start()
    started = true
    const run = () => {
      if (due.delete(run)) fn()
    }
    due.set(run, Date.now() + ms)
    const timer = setTimeout(run, ms)
    return () => {
      due.delete(run)
      clearTimeout(timer)
    }
  }
}
