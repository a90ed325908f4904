import { fold } from '../i18n/fold'
import type { FeedSeen, FeedUser, Roster, RosterPart } from '../wire'

/**
 * Everybody the server knows, by columns: a row is a number, and a row stays the same number for as long as the table
 * lives. 100,000 people are a few megabytes of typed arrays; a change touches one row and tells who watches that row.
 */
export const statuses = ['offline', 'away', 'online'] as const
export const roles = ['user', 'moderator', 'admin'] as const
export const accountStatuses = ['active', 'pending', 'suspended', 'banned'] as const

export type StatusName = (typeof statuses)[number]
export type RoleName = (typeof roles)[number]
export type AccountStatusName = (typeof accountStatuses)[number]

export const OFFLINE = 0
export const AWAY = 1
export const ONLINE = 2

export class People {
  /** How many rows there are, those that are gone included. */
  rows = 0
  /** How many people there are. */
  size = 0
  /** Grows with every change of anything. */
  version = 0
  /** Grows when somebody came, went or got another name: what is sorted by a name is to be sorted again. */
  accountsVersion = 0

  readonly causes: string[] = ['']
  id: string[] = []
  username: string[] = []
  email: string[] = []
  firstName: string[] = []
  lastName: string[] = []
  /** What is searched: all names, folded. '' until somebody searches. */
  private text: string[] = []

  gone = new Uint8Array(0)
  role = new Uint8Array(0)
  account = new Uint8Array(0)
  /** 0: the account is closed whatever its status. */
  active = new Uint8Array(0)
  status = new Uint8Array(0)
  cause = new Uint8Array(0)
  held = new Uint8Array(0)
  private_ = new Uint8Array(0)
  devices = new Uint16Array(0)
  /** Milliseconds since 1970; 0 is never. */
  lastSeen = new Float64Array(0)
  since = new Float64Array(0)
  joined = new Float64Array(0)
  private v = new Float64Array(0)
  /** How many times a row changed: what a row's component compares. */
  stamp = new Uint32Array(0)

  private readonly rowOf = new Map<string, number>()
  private readonly causeOf = new Map<string, number>([['', 0]])
  private readonly watchers = new Map<number, Set<() => void>>()
  private readonly tables = new Set<(rows: readonly number[]) => void>()
  private dirty: number[] = []
  private isDirty = new Uint8Array(0)
  private waiting = false

  constructor(
    /** When those who watch are told of what changed: once a frame. */
    private readonly soon: (run: () => void) => void = frame,
  ) {}

  row(id: string): number | undefined {
    const row = this.rowOf.get(id)
    return row === undefined || this.gone[row] ? undefined : row
  }

  /** The text that searches look through. */
  folded(row: number): string {
    return (this.text[row] ||= fold(
      `${this.username[row]}\n${this.email[row]}\n${this.firstName[row]} ${this.lastName[row]}\n${this.id[row]}`,
    ))
  }

  /** Calls back after a row changed. */
  watch(row: number, listener: () => void): () => void {
    const set = this.watchers.get(row) ?? new Set()
    this.watchers.set(row, set.add(listener))
    return () => {
      if (set.delete(listener) && !set.size) this.watchers.delete(row)
    }
  }

  /** Calls back with all rows that changed, once a frame. */
  watchAll(listener: (rows: readonly number[]) => void): () => void {
    this.tables.add(listener)
    return () => this.tables.delete(listener)
  }

  /** Takes a roster: everybody, or those whose accounts changed. Presence that is older than what is held is left. */
  take(roster: Roster): void {
    const { words } = roster
    const place = <T extends string>(own: readonly T[], theirs: readonly string[]) =>
      theirs.map((word) => Math.max(0, own.indexOf(word as T)))
    const maps: Words = {
      status: place(statuses, words.statuses),
      role: place(roles, words.roles),
      account: place(accountStatuses, words.account_statuses),
      cause: words.causes.map((c) => this.causePlace(c)),
    }
    this.grow(this.rows + roster.parts.reduce((n, p) => n + p.ids.length, 0))
    const before = this.rows
    const met = roster.full ? new Uint8Array(before) : undefined
    for (const part of roster.parts) this.takePart(part, roster, maps, met)
    if (met) for (let row = 0; row < before; row++) if (!met[row] && !this.gone[row]) this.remove(row)
    for (const id of roster.removed) {
      const row = this.row(id)
      if (row !== undefined) this.remove(row)
    }
  }

  private takePart(p: RosterPart, roster: Roster, words: Words, met: Uint8Array | undefined): void {
    let id = 0
    let joined = 0
    for (let i = 0; i < p.ids.length; i++) {
      id += at(p.ids, i)
      joined += at(p.joined, i)
      const key = String(id)
      const known = this.rowOf.get(key)
      const row = known ?? this.rows++
      const firstName = p.first_names[i] ?? ''
      const lastName = p.last_names[i] ?? ''
      const username = wholeUsername(p.usernames[i] ?? '', firstName, lastName)
      const email = p.emails[i] ?? ''
      if (known === undefined) {
        this.rowOf.set(key, row)
        this.id[row] = key
        this.gone[row] = 1 // until two lines below: then it counts
      } else if (met && known < met.length) met[known] = 1
      if (this.gone[row]) {
        this.gone[row] = 0
        this.size++
        this.v[row] = -1
        this.accountsVersion++
      }
      const address = email.startsWith('@') ? username + email : email
      if (
        username !== this.username[row] ||
        address !== this.email[row] ||
        firstName !== this.firstName[row] ||
        lastName !== this.lastName[row]
      ) {
        // Sorting everybody anew takes a quarter of a second: only when a name is another one.
        this.username[row] = username
        this.email[row] = address
        this.firstName[row] = firstName
        this.lastName[row] = lastName
        this.text[row] = ''
        this.accountsVersion++
      }
      this.role[row] = words.role[at(p.roles, i)] ?? 0
      this.account[row] = words.account[at(p.account_statuses, i)] ?? 0
      this.active[row] = at(p.active, i)
      this.joined[row] = joined * 1000
      this.held[row] = at(p.held, i)
      this.private_[row] = at(p.private, i)
      this.devices[row] = at(p.devices, i)
      const v = at(p.versions, i)
      if (v >= at(this.v, row)) {
        const lastSeen = p.last_seen[i] ?? null
        const since = p.since[i] ?? null
        this.v[row] = v
        this.status[row] = words.status[at(p.statuses, i)] ?? OFFLINE
        this.cause[row] = words.cause[at(p.causes, i)] ?? 0
        this.lastSeen[row] = lastSeen === null ? 0 : roster.now + lastSeen
        this.since[row] = since === null ? 0 : (lastSeen === null ? roster.now : roster.now + lastSeen) + since
      }
      this.touch(row)
    }
  }

  /** Takes the newest state of somebody. False: there is no such row; an old state is taken for known. */
  apply(u: FeedUser): boolean {
    const row = this.row(u.id)
    if (row === undefined) return false
    const v = u.v ?? 0
    if (v <= at(this.v, row)) return true
    this.v[row] = v
    const was = this.status[row]
    this.status[row] = statuses.indexOf(u.s)
    this.cause[row] = this.causePlace(u.c ?? '')
    this.lastSeen[row] = u.ls ?? 0
    this.since[row] = u.since ?? 0
    if (u.held !== undefined) this.held[row] = Number(u.held)
    else if (u.c !== 'admin') this.held[row] = 0
    if (this.status[row] === OFFLINE) this.devices[row] = 0
    else if (was === OFFLINE && !this.devices[row]) this.devices[row] = 1 // at least; who looks is told how many
    this.touch(row)
    return true
  }

  /** Takes what is told of those who are looked at. */
  seen(f: FeedSeen): void {
    for (let i = 0; i < f.ids.length; i++) {
      const row = this.row(f.ids[i] ?? '')
      if (row === undefined) continue
      const lastSeen = f.ls[i] ?? 0
      const devices = f.devices[i] ?? 0
      const held = f.held[i] ?? 0
      if (lastSeen <= at(this.lastSeen, row) && devices === this.devices[row] && held === this.held[row]) continue
      this.held[row] = held
      this.lastSeen[row] = Math.max(lastSeen, at(this.lastSeen, row))
      this.devices[row] = devices
      this.touch(row)
    }
  }

  private remove(row: number): void {
    this.gone[row] = 1
    this.size--
    this.accountsVersion++
    this.touch(row)
  }

  private causePlace(cause: string): number {
    let place = this.causeOf.get(cause)
    if (place === undefined) {
      place = this.causes.push(cause) - 1
      this.causeOf.set(cause, place)
    }
    return place
  }

  private touch(row: number): void {
    this.version++
    this.stamp[row] = at(this.stamp, row) + 1
    if (this.isDirty[row]) return
    this.isDirty[row] = 1
    this.dirty.push(row)
    if (this.waiting) return
    this.waiting = true
    this.soon(this.tell)
  }

  private readonly tell = () => {
    const rows = this.dirty
    this.dirty = []
    this.waiting = false
    for (const row of rows) this.isDirty[row] = 0
    for (const table of [...this.tables]) table(rows)
    if (rows.length < this.watchers.size) for (const row of rows) this.tellRow(row)
    else for (const row of [...this.watchers.keys()]) if (rows.length > 10_000 || rows.includes(row)) this.tellRow(row)
  }

  private tellRow(row: number): void {
    for (const listener of [...(this.watchers.get(row) ?? [])]) listener()
  }

  private grow(rows: number): void {
    if (rows <= this.gone.length) return
    const n = Math.max(1024, Math.ceil(rows * 1.25))
    const wider = <T extends Column>(old: T, fresh: T): T => {
      fresh.set(old)
      return fresh
    }
    this.gone = wider(this.gone, new Uint8Array(n))
    this.role = wider(this.role, new Uint8Array(n))
    this.account = wider(this.account, new Uint8Array(n))
    this.active = wider(this.active, new Uint8Array(n))
    this.status = wider(this.status, new Uint8Array(n))
    this.cause = wider(this.cause, new Uint8Array(n))
    this.held = wider(this.held, new Uint8Array(n))
    this.private_ = wider(this.private_, new Uint8Array(n))
    this.isDirty = wider(this.isDirty, new Uint8Array(n))
    this.devices = wider(this.devices, new Uint16Array(n))
    this.lastSeen = wider(this.lastSeen, new Float64Array(n))
    this.since = wider(this.since, new Float64Array(n))
    this.joined = wider(this.joined, new Float64Array(n))
    this.v = wider(this.v, new Float64Array(n))
    this.stamp = wider(this.stamp, new Uint32Array(n))
  }
}

type Column = Uint8Array | Uint16Array | Uint32Array | Float64Array

interface Words {
  readonly status: readonly number[]
  readonly role: readonly number[]
  readonly account: readonly number[]
  readonly cause: readonly number[]
}

/** A username as the roster says it: ~ and a joint stand for the names in small letters, ~~ for a ~. */
function wholeUsername(short: string, first: string, last: string): string {
  if (!short.startsWith('~')) return short
  const joint = short.charAt(1)
  return joint === '~' ? short.slice(1) : first.toLowerCase() + joint + last.toLowerCase() + short.slice(2)
}

/** A value of a column; rows and places are ours and always there. */
function at(column: ArrayLike<number>, i: number): number {
  return column[i] as number
}

/** Once a frame; a page that is not shown has no frames, and nobody to paint for. */
function frame(run: () => void): void {
  if (document.visibilityState === 'visible') requestAnimationFrame(run)
  else setTimeout(run, 250)
}
