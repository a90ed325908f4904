import type { ErrorCode, PresenceError } from './errors'
import type { FeedCounts as Counts, Scope, Status } from './wire'

export type { Counts, Scope, Status }

/** What is known about one person. The object changes only when the person does, so it may be compared by identity. */
export interface Presence {
  readonly id: string
  readonly status: Status
  /** The newest sign of life, in milliseconds since 1970. Missing: never, or not for you to know. */
  readonly lastSeen?: number
  /** When the present status began, in milliseconds since 1970. Missing: never changed, or not for you to know. */
  readonly since?: number
  /** The link is lost: true until it is known again. Show it, do not trust it. */
  readonly stale: boolean
  /** Why the status is what it is, e.g. `timeout`. Staff only. */
  readonly cause?: string
  /** An admin's hold decides. Staff only. */
  readonly held?: boolean
  /** Counts the person's changes, without gaps. Staff only. */
  readonly version?: number
}

/**
 * idle: connect() was not called yet. connecting, connected: as they say. waiting: will dial again at retryAt.
 * offline: as waiting, while the browser says that there is no network. denied: nobody is signed in, or the server does
 * not want them; error.code says which. closed: close() was called. From denied and closed, connect() begins anew.
 */
export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'waiting' | 'offline' | 'denied' | 'closed'

export interface Connection {
  readonly state: ConnectionState
  /** Sockets are blocked here: heartbeats go out by POST, and I am online all the same. */
  readonly beats?: boolean
  /** When the next attempt is due, in milliseconds since 1970. */
  readonly retryAt?: number
  /** Why the last attempt or connection ended. */
  readonly error?: PresenceError
}

export interface SignedOut {
  /**
   * `session_over`: the server ended the session. `signed_out`: the token source said null. `logout`: the logout button in
   * another tab. Or why the server did not want this person any more: `unauthenticated`, `forbidden` and so on.
   */
  readonly reason: ErrorCode
}

/** An access token, or null when nobody is signed in. */
export type Token = string | null

export interface PresenceOptions {
  /** Where the presence server is, e.g. `https://presence.example.org`. Default: the page's own origin. */
  url?: string
  /**
   * Asked when a token is needed and never twice at a time. `refused` is a token that the server did not take: get
   * another than this one. Null means signed out; a rejected promise means try again later.
   */
  token: (ask: { refused?: string }) => Token | Promise<Token>
  /** Input silence that means away, in milliseconds. false: never. Default: what the server says (300,000). */
  awayAfter?: number | false
  /** shared: one socket for all tabs of this browser. own: one per tab, e.g. when tabs have different people signed in. */
  tabs?: 'shared' | 'own'
  /** What to be told. users: those I watch. all: everybody (staff). counts: the three numbers only. */
  scope?: Scope
  /** Only watch; do not make me present. */
  observe?: boolean
}

export interface PresenceEvents {
  connection: Connection
  signedout: SignedOut
  counts: Counts
  /** Those who changed, once per batch. */
  change: readonly Presence[]
  /** Something went wrong that ends nothing, e.g. too many people watched. */
  error: PresenceError
}

export interface PresenceClient {
  /** Makes me present and begins to listen. Without effect while it is so. */
  connect(): void
  /**
   * Ends it: nothing reopens but connect(). With offline the session is ended too (the logout button): I am offline
   * at once, and signed out in every tab. Resolves when the server knows.
   */
  close(options?: { offline?: boolean }): Promise<void>
  /**
   * Watches people until the returned function is called. Calls back with what is known already, and with everything
   * that changes, in batches. Watching does not make me present.
   */
  watch(ids: string | readonly string[], fn?: (p: Presence) => void): () => void
  /** What is known about a person who is watched. */
  get(id: string): Presence | undefined
  /** Everybody who is held. With scope `all`: everybody. */
  all(): ReadonlyMap<string, Presence>
  /** Asks once, without watching. One request per 1,000 ids. Rejects with PresenceError. */
  query(ids: readonly string[]): Promise<Map<string, Presence>>
  /**
   * away: on all my devices I am away whatever the keyboard says, until `until` (milliseconds since 1970, or a Date),
   * else until auto. text says why, to moderators and admins. Rejects with PresenceError; code `held` means that an
   * admin has decided my status.
   */
  setStatus(status: 'away' | 'auto', options?: { until?: Date | number; text?: string }): Promise<void>
  /** Calls back until the returned function is called. */
  on<K extends keyof PresenceEvents>(event: K, fn: (value: PresenceEvents[K]) => void): () => void
  /** The last 200 frames, oldest first, without secrets. */
  debug(): readonly DebugEntry[]
  readonly connection: Connection
  /** My own id, once it is known. */
  readonly me: string | undefined
  /** How many people are online, away and offline, where the scope tells. */
  readonly counts: Counts | undefined
}

export interface DebugEntry {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly way: 'in' | 'out' | 'is'
  readonly what: unknown
}
