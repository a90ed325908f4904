import type { Cause, FeedUser, Event as Recorded } from '../../wire'

/** One change of status in the list. */
export interface Entry {
  /** Of this list: newer entries have greater ones. */
  readonly key: number
  readonly id: string
  /** Milliseconds since 1970, by the server's clock. */
  readonly at: number
  readonly from: string
  readonly to: FeedUser['s']
  readonly cause: string
  readonly device: string
  readonly node: string
  /** The id of the admin behind it; empty: nobody. */
  readonly by: string
  readonly until?: number
  readonly note?: string
  /** As it came, to be copied. */
  readonly raw: unknown
}

export interface Filter {
  /** Words that a name, an address or an id has to have, folded. */
  readonly words: (id: string) => boolean
  readonly causes: readonly string[]
  readonly node: string
}

export const kept = 10_000

/**
 * The newest changes, newest first. While it is held, what comes waits; what does not fit any more is counted and never
 * dropped in silence.
 */
export class Stream {
  /** Oldest first: the list shows it from its end. */
  private list: Entry[] = []
  private waiting: Entry[] = []
  private next = 1
  private before = 0
  private times: number[] = []
  /** Those that came while held and found no room. */
  dropped = 0
  /** Grows with every change of what is shown. */
  version = 0
  held = false
  readonly nodes = new Set<string>()

  /** How many changes came in the last ten seconds, for one second. */
  rate(now: number): number {
    while (this.times.length && (this.times[0] ?? 0) < now - 10_000) this.times.shift()
    return this.times.length / 10
  }

  get size(): number {
    return this.list.length
  }

  /** How many wait while it is held. */
  get waitingCount(): number {
    return this.waiting.length
  }

  /** Takes what the feed told, oldest first. */
  take(changes: readonly (FeedUser & { at: number })[], now: number): void {
    const into = this.held ? this.waiting : this.list
    for (const c of changes) {
      if (!c.from) continue // a state, and no change
      if (c.node) this.nodes.add(c.node)
      into.push({
        key: this.next++,
        id: c.id,
        at: c.since ?? c.at,
        from: c.from,
        to: c.s,
        cause: c.c ?? '',
        device: c.dev ?? '',
        node: c.node ?? '',
        by: c.by ?? '',
        until: c.until,
        note: c.note,
        raw: c,
      })
      this.times.push(now)
    }
    if (this.times.length > 20_000) this.times.splice(0, this.times.length - 20_000)
    this.cut()
    this.version++
  }

  /** Takes what was written down before, newest first. It goes before everything that is here. */
  takeRecorded(events: readonly Recorded[]): void {
    const oldest = this.list[0]?.at ?? Number.POSITIVE_INFINITY
    const here = new Set(this.list.map((e) => `${e.id} ${e.at}`))
    const older: Entry[] = []
    for (const e of events) {
      const at = Date.parse(e.at)
      if (at > oldest || here.has(`${e.user} ${at}`)) continue
      if (e.node) this.nodes.add(e.node)
      older.push({
        key: --this.before,
        id: e.user,
        at,
        from: e.from,
        to: e.to,
        cause: e.cause,
        device: e.device ?? '',
        node: e.node ?? '',
        by: e.actor ?? '',
        raw: e,
      })
    }
    this.list = [...older.reverse(), ...this.list]
    this.cut()
    this.version++
  }

  /** Lets the list stand still, or takes over what waited. */
  hold(on: boolean): void {
    if (on === this.held) return
    this.held = on
    if (!on) {
      this.list.push(...this.waiting)
      this.waiting = []
      this.dropped = 0
      this.cut()
    }
    this.version++
  }

  /** Those that fit, newest first. */
  shown(filter: Filter): Entry[] {
    const out: Entry[] = []
    for (let i = this.list.length - 1; i >= 0; i--) {
      const e = this.list[i]
      if (e && fits(e, filter)) out.push(e)
    }
    return out
  }

  private cut(): void {
    if (this.list.length > kept) this.list.splice(0, this.list.length - kept)
    const over = this.waiting.length - kept
    if (over > 0) {
      this.waiting.splice(0, over)
      this.dropped += over
    }
  }
}

function fits(e: Entry, f: Filter): boolean {
  if (f.causes.length && !f.causes.includes(e.cause)) return false
  if (f.node && e.node !== f.node) return false
  return f.words(e.id)
}

/** Every cause that a change can have. */
export const causes: readonly Cause[] = [
  'login',
  'connect',
  'heartbeat',
  'activity',
  'touch',
  'active',
  'idle',
  'timeout',
  'disconnect',
  'logout',
  'forced',
  'admin',
]
