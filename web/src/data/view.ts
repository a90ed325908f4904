import { fold } from '../i18n/fold'
import { AWAY, accountStatuses, OFFLINE, ONLINE, type People, roles, statuses } from './people'

/** What of the table somebody wants to see. Every part of it is a part of the address. */
export interface Filter {
  readonly search: string
  readonly status: readonly string[]
  readonly account: readonly string[]
  readonly role: readonly string[]
  readonly cause: readonly string[]
  readonly held: boolean
  readonly private: boolean
  /** At least so many devices. */
  readonly devices: number
  /** Seen within so many milliseconds; 0: any. */
  readonly seenWithin: number
  /** Not seen for so many milliseconds; 0: any. Who was never seen is not meant. */
  readonly unseenFor: number
  readonly never: boolean
  /** In the present status for at least so many milliseconds. */
  readonly sinceFor: number
}

export const noFilter: Filter = {
  search: '',
  status: [],
  account: [],
  role: [],
  cause: [],
  held: false,
  private: false,
  devices: 0,
  seenWithin: 0,
  unseenFor: 0,
  never: false,
  sinceFor: 0,
}

export type Column =
  | 'status'
  | 'user'
  | 'email'
  | 'seen'
  | 'since'
  | 'devices'
  | 'account'
  | 'role'
  | 'joined'
  | 'cause'

export interface Sort {
  readonly column: Column
  readonly down: boolean
}

/** How many rows a frozen view is behind. */
export interface Behind {
  /** Rows whose place is another one now. */
  readonly moved: number
  /** Rows that match now and are not shown. */
  readonly fresh: number
}

const inOrder: Behind = { moved: 0, fresh: 0 }

/**
 * Rows that match a filter, in an order. It follows the table row by row: a changed row is taken out of its old place
 * and put into its new one. While it is frozen no row moves: rows that changed wait for thaw or for settle.
 */
export class View {
  /** Rows in order; the first `length` count. */
  order = new Int32Array(0)
  length = 0
  /** Grows when a row moved, came or went. */
  version = 0
  behind: Behind = inOrder

  private filter: Filter = noFilter
  private needle: readonly string[] = []
  private sort: Sort = { column: 'user', down: false }
  private key = new Float64Array(0) // of each row, as it was placed
  private placed = new Uint8Array(0)
  private ranks: { column: Column; version: number; rank: Float64Array } | undefined
  private frozen = false
  private readonly late = new Set<number>()
  private readonly listeners = new Set<() => void>()
  private stop: (() => void) | undefined

  constructor(
    private readonly people: People,
    private readonly now: () => number,
  ) {}

  /** Follows the table for as long as somebody listens. */
  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    this.stop ??= this.people.watchAll((rows) => this.follow(rows))
    return () => {
      if (!this.listeners.delete(listener) || this.listeners.size) return
      this.stop?.()
      this.stop = undefined
    }
  }

  /** Shows what matches, in order. Somebody asked for it, so it moves even while it is frozen. */
  show(filter: Filter, sort: Sort): void {
    this.filter = filter
    this.needle = fold(filter.search).split(/\s+/).filter(Boolean)
    this.sort = sort
    this.settle()
  }

  freeze(on: boolean): void {
    if (on === this.frozen) return
    this.frozen = on
    if (!on && this.late.size) this.follow([...this.late])
  }

  /** Brings everything up to date at once. */
  settle = (): void => {
    this.late.clear()
    const { people } = this
    const n = people.rows
    if (this.order.length < n) {
      this.order = new Int32Array(people.gone.length)
      this.key = new Float64Array(people.gone.length)
      this.placed = new Uint8Array(people.gone.length)
    }
    let length = 0
    const now = this.now()
    this.rankAll()
    for (let row = 0; row < n; row++) {
      const fits = this.fits(row, now)
      this.placed[row] = Number(fits)
      if (!fits) continue
      this.key[row] = this.keyOf(row)
      this.order[length++] = row
    }
    this.length = length
    this.order.subarray(0, length).sort(this.compare)
    this.changed(inOrder)
  }

  /** Whether a row is what was asked for. Rows of a frozen view may have stopped to be. */
  matches(row: number): boolean {
    return this.fits(row, this.now())
  }

  /** The place of a row, -1 when it is not shown. */
  indexOf(row: number): number {
    if (!this.placed[row]) return -1
    const i = this.search(row)
    return this.order[i] === row ? i : -1
  }

  /** How many match when one part of the filter is dropped: which part leaves out most. */
  without(part: keyof Filter): number {
    const { filter, needle } = this
    this.filter = { ...filter, [part]: noFilter[part] }
    if (part === 'search') this.needle = []
    const now = this.now()
    let n = 0
    for (let row = 0; row < this.people.rows; row++) if (this.fits(row, now)) n++
    this.filter = filter
    this.needle = needle
    return n
  }

  private follow(rows: readonly number[]): void {
    if (this.people.rows > this.key.length) {
      if (!this.frozen) {
        this.settle()
        return
      }
      const wider = new Float64Array(this.people.gone.length)
      wider.set(this.key)
      this.key = wider
      const placed = new Uint8Array(this.people.gone.length)
      placed.set(this.placed)
      this.placed = placed
      const order = new Int32Array(this.people.gone.length)
      order.set(this.order)
      this.order = order
    }
    if (this.frozen) {
      for (const row of rows) this.late.add(row)
      this.count()
      return
    }
    this.late.clear()
    // Sorting anew costs as much as some thousand moves.
    if (rows.length > 200 + this.length / 50 || this.rankAll()) {
      this.settle()
      return
    }
    const now = this.now()
    let moved = false
    for (const row of rows) if (this.place(row, now)) moved = true
    if (moved || this.behind !== inOrder) this.changed(inOrder)
  }

  /** Says how far behind a frozen view is. */
  private count(): void {
    const now = this.now()
    let moved = 0
    let fresh = 0
    for (const row of this.late) {
      const fits = this.fits(row, now)
      if (this.placed[row]) moved += Number(!fits || this.keyOf(row) !== this.key[row])
      else fresh += Number(fits)
    }
    if (moved === this.behind.moved && fresh === this.behind.fresh) return
    this.behind = moved || fresh ? { moved, fresh } : inOrder
    for (const listener of [...this.listeners]) listener()
  }

  /** Puts a row where it belongs now. True when that is another place than before. */
  private place(row: number, now: number): boolean {
    const fits = this.fits(row, now)
    const key = this.keyOf(row)
    if (this.placed[row]) {
      if (fits && key === this.key[row]) return false
      const i = this.search(row)
      this.order.copyWithin(i, i + 1, this.length--)
      this.placed[row] = 0
    } else if (!fits) return false
    if (!fits) return true
    this.key[row] = key
    this.placed[row] = 1
    const i = this.search(row)
    this.order.copyWithin(i + 1, i, this.length++)
    this.order[i] = row
    return true
  }

  /** The first place whose row does not come before this one. */
  private search(row: number): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const mid = (low + high) >> 1
      if (this.compare(this.order[mid] as number, row) < 0) low = mid + 1
      else high = mid
    }
    return low
  }

  private readonly compare = (a: number, b: number): number => {
    const ka = this.key[a] as number
    const kb = this.key[b] as number
    return ka < kb ? -1 : ka > kb ? 1 : a - b
  }

  private changed(behind: Behind): void {
    this.behind = behind
    this.version++
    for (const listener of [...this.listeners]) listener()
  }

  private fits(row: number, now: number): boolean {
    const { people: p, filter: f } = this
    if (p.gone[row]) return false
    if (f.status.length && !f.status.includes(statuses[p.status[row] ?? 0] ?? '')) return false
    if (
      f.account.length &&
      !f.account.includes(p.active[row] ? (accountStatuses[p.account[row] ?? 0] ?? '') : 'closed')
    )
      return false
    if (f.role.length && !f.role.includes(roles[p.role[row] ?? 0] ?? '')) return false
    if (f.held && !p.held[row]) return false
    if (f.private && !p.private_[row]) return false
    if (f.devices && (p.devices[row] ?? 0) < f.devices) return false
    if (f.cause.length && !f.cause.includes(p.causes[p.cause[row] ?? 0] ?? '')) return false
    const seen = p.lastSeen[row] ?? 0
    if (f.never && seen) return false
    const here = p.status[row] !== OFFLINE
    if (f.seenWithin && !here && (!seen || now - seen > f.seenWithin)) return false
    if (f.unseenFor && (here || !seen || now - seen < f.unseenFor)) return false
    if (f.sinceFor && (!p.since[row] || now - (p.since[row] ?? 0) < f.sinceFor)) return false
    if (this.needle.length) {
      const text = p.folded(row)
      for (const word of this.needle) if (!text.includes(word)) return false
    }
    return true
  }

  private keyOf(row: number): number {
    const key = this.rising(row)
    return this.sort.down && key !== last ? -key : key
  }

  /** What a row is sorted by. Rows that have no such thing come last, whichever way. */
  private rising(row: number): number {
    const { people: p } = this
    switch (this.sort.column) {
      case 'status':
        return -(p.status[row] ?? 0)
      case 'seen': {
        // Who is here is seen now; among them, who came last. That keeps still what would change with every heartbeat.
        const seen = p.lastSeen[row] ?? 0
        const since = p.since[row] || seen
        if (p.status[row] === ONLINE) return 2e15 + since
        if (p.status[row] === AWAY) return 1e15 + since
        return seen || last
      }
      case 'since':
        return p.since[row] || last
      case 'devices':
        return p.devices[row] ?? 0
      case 'account':
        return p.active[row] ? (p.account[row] ?? 0) : accountStatuses.length
      case 'role':
        return -(p.role[row] ?? 0)
      case 'joined':
        return p.joined[row] ?? 0
      case 'cause':
        return p.cause[row] ?? 0
      default:
        return this.ranks?.rank[row] ?? last
    }
  }

  /** Ranks every row by a text, once per change of accounts. True when the ranks are new. */
  private rankAll(): boolean {
    const { people: p } = this
    const { column } = this.sort
    const texts = column === 'user' ? p.username : column === 'email' ? p.email : undefined
    if (!texts) return false
    if (this.ranks?.column === column && this.ranks.version === p.accountsVersion) return false
    const keys = texts.map((text) => text.toLowerCase())
    const rows = Int32Array.from(keys.keys())
    rows.sort((a, b) => {
      const [x, y] = [keys[a] as string, keys[b] as string]
      return x < y ? -1 : x > y ? 1 : a - b
    })
    const rank = new Float64Array(p.rows)
    for (let i = 0; i < rows.length; i++) rank[rows[i] as number] = i
    this.ranks = { column, version: p.accountsVersion, rank }
    return true
  }
}

const last = Number.MAX_VALUE
