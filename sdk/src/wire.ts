// Code generated from wire/*.go by go generate; DO NOT EDIT.
// Moments are RFC 3339 in UTC, those of the feed's frames milliseconds since 1970. Nothing here exists at run time.

export type Status = 'online' | 'away' | 'offline'

/** What a feed tells: those one asks for, everybody (staff), or the three numbers. */
export type Scope = 'users' | 'all' | 'counts'

/** Why somebody has the status they have. */
export type Cause =
  | 'login'
  | 'heartbeat'
  | 'activity'
  | 'touch'
  | 'connect'
  | 'disconnect'
  | 'idle'
  | 'active'
  | 'timeout'
  | 'logout'
  | 'forced'
  | 'admin'

/** FeedJob says, in scope all, how far a job is. */
export interface FeedJob {
  t: 'job'
  id: string
  state: 'waiting' | 'running' | 'done' | 'cancelled' | 'failed' | 'interrupted'
  total: number
  ok: number
  failed: number
}

/** Presence is one person's presence, as the caller may know it. A person who keeps their status to themselves looks like one who is offline and whose last_seen is not given. */
export interface Presence {
  /** The user's id. */
  id: string
  /** The most present of the person's sessions, or what an admin's hold says. */
  status: Status
  /** The newest sign of life. Null: never, or not given. */
  last_seen: string | null
  /** When the present status began. Null: it never changed, or not given. */
  since: string | null
  /** What brought the present status about. Told to admins, moderators and the person alone. */
  cause?: Cause
  /** An admin's hold decides the status. Told to admins, moderators and the person alone. */
  held?: boolean
}

/** PresenceQuery asks for many people at once. */
export interface PresenceQuery {
  /** Ids of users, answered in this order. */
  ids: string[]
  /** With an API token: the user whom the answer is shown to. It then has what this user may see: who hides does not see, and sees themselves. */
  viewer?: string
}

/** PresenceList answers a PresenceQuery. */
export interface PresenceList {
  /** One for each id, in the order asked for. Somebody who is not known is offline. */
  items: Presence[]
  /** The moment of the answer. */
  as_of: string
}

/** Settings are what clients follow, in seconds. */
export interface Settings {
  /** How often to send a heartbeat, in seconds. */
  heartbeat_interval: number
  /** Seconds without input after which to report the person as away. */
  idle_after: number
  /** Seconds of silence after which somebody is offline. */
  offline_after: number
  /** How often to refresh what is polled, in seconds. */
  refresh_interval: number
  /** Every effective setting; secrets are masked. Told to admins alone. */
  server?: Setting[]
}

/** Setting is one effective setting of the server. */
export interface Setting {
  key: string
  value: string
  /** Where the value came from. */
  source: string
}

/** Problem is an error (RFC 9457, application/problem+json). */
export interface Problem {
  /** Names the kind of the problem; leads to its description. */
  type: string
  /** The kind in words, the same each time. */
  title: string
  /** The HTTP status. */
  status: number
  /** What is wrong, for people. */
  detail: string
  /** What is wrong, for programs; stable. */
  code: string
  /** The input it is about. */
  field?: string
  /** What the input must keep to. */
  bound?: string
  /** Everything that is wrong with the input. */
  errors?: ProblemField[]
  /** Seconds to wait before another try; also in the Retry-After header. */
  retry_after?: number
}

/** ProblemField is what is wrong with one input. */
export interface ProblemField {
  in?: 'path' | 'query' | 'header' | 'body'
  field: string
  detail: string
  bound?: string
}

/** Touch tells that people are active. */
export interface Touch {
  /** Ids of users. */
  ids: string[]
  /** What the backend calls itself; shown where the person's devices are. Each source is a device of its own. Default: the name of the token. */
  source?: string
}

/** Touched says whom a Touch did not reach. */
export interface Touched {
  /** How many were taken, those within 5 s of another word too. */
  touched: number
  /** There is no such user. */
  unknown: string[]
  /** They may not be present. */
  refused: TouchedRefusal[]
}

/** TouchedRefusal is somebody who may not be present. */
export interface TouchedRefusal {
  id: string
  /** not_active: the account is pending, suspended, banned or closed; logged_out: thrown out within the last 30 s. */
  reason: 'not_active' | 'logged_out'
}

/** FeedUser is one user's presence in a frame of the feed: the whole state, never a difference. Moments are milliseconds since 1970 UTC. What is missing is not known, or not for the reader to know. */
export interface FeedUser {
  id: string
  s: Status
  ls?: number
  since?: number
  v?: number
  c?: Cause
  held?: boolean
  from?: Status
  by?: string
  node?: string
  sid?: string
  dev?: string
  until?: number
  note?: string
}

/** FeedCounts are how many users have each status. Their sum is the number of known users. */
export interface FeedCounts {
  online: number
  away: number
  offline: number
}

/** FeedCursor is a place in the feed. It means something only to the server that gave it. */
export interface FeedCursor {
  epoch: string
  seq: number
}

/** FeedHello is the first frame of the server. Expires is when the token ends. */
export interface FeedHello {
  t: 'hello'
  user: string
  session: string
  staff: boolean
  scope: Scope
  epoch: string
  seq: number
  resumed: boolean
  now: number
  expires: number
  ping_ms: number
  pong_ms: number
  heartbeat_ms: number
  idle_after_ms: number
  offline_after_ms: number
  max_users: number
  accounts?: string
}

/** FeedSnap is a picture, or a part of one: More says that another part follows, Full that the reader forgets what it held. */
export interface FeedSnap {
  t: 'snap'
  epoch: string
  seq: number
  full?: boolean
  users: FeedUser[]
  counts?: FeedCounts
  more?: boolean
}

/** FeedDelta is what changed. After is only there in scope all: the frame covers the changes in (After, Seq]. */
export interface FeedDelta {
  t: 'delta'
  seq: number
  after?: number
  users?: FeedUser[]
  counts?: FeedCounts
}

/** FeedGap says that changes are lost to the reader; a full FeedSnap follows. */
export interface FeedGap {
  t: 'gap'
}

/** FeedPing wants a pong with the same N. Seq, when there, is a cursor: the reader has everything up to it. */
export interface FeedPing {
  t: 'ping'
  n: number
  seq?: number
}

/** FeedPonged answers a client's ping. Now is the server's clock. */
export interface FeedPonged {
  t: 'pong'
  n: number
  now: number
}

/** FeedRenew asks for a fresh token. */
export interface FeedRenew {
  t: 'renew'
  in_ms: number
}

/** FeedRenewed says that a fresh token was taken, and until when it counts. */
export interface FeedRenewed {
  t: 'token'
  expires: number
}

/** FeedError is about one frame of the client, whose type Re names. The connection lives on. */
export interface FeedError {
  t: 'error'
  code: string
  message: string
  re?: string
}

/** FeedBye is the last frame. RetryMS is the window in which to come back; without it, do not. */
export interface FeedBye {
  t: 'bye'
  code: number
  reason: string
  retry_ms?: [number, number]
}

/** FeedTicket is the answer to a request for a ticket. ExpiresIn is in seconds. */
export interface FeedTicket {
  ticket: string
  expires_in: number
}

/** FeedAccounts says, in scope all, that accounts were made, changed or deleted: GET /api/v1/roster with the reader's last version as since tells which. */
export interface FeedAccounts {
  t: 'accounts'
  version: string
}

/** FeedSeen tells of the users that a reader of scope all looks at (FeedLook) when they were seen last and how many devices they have and whether an admin's hold decides (1): all of them at once, later those who moved. The columns go by IDs; an LS of 0 is never. */
export interface FeedSeen {
  t: 'seen'
  now: number
  ids: string[]
  ls: number[]
  devices: number[]
  held: number[]
}

/** FeedTimes says, in every scope, that the times which clients follow have changed; see FeedHello. */
export interface FeedTimes {
  t: 'times'
  heartbeat_ms: number
  idle_after_ms: number
  offline_after_ms: number
}

/** What a client says over the feed. */
export type ClientFrame =
  | { t: 'auth'; token?: string; ticket?: string; scope?: Scope; users?: string[]; resume?: FeedCursor; idle?: boolean; observe?: boolean; roster?: boolean; counts?: boolean }
  | { t: 'sub'; users: string[] }
  | { t: 'unsub'; users: string[] }
  | { t: 'look'; users: string[] }
  | { t: 'idle' }
  | { t: 'active' }
  | { t: 'ping'; n: number }
  | { t: 'pong'; n: number }
  | { t: 'token'; token: string }
  | { t: 'leave' }

/** What the server says over the feed. */
export type ServerFrame =
  | FeedJob
  | FeedHello
  | FeedSnap
  | FeedDelta
  | FeedGap
  | FeedPing
  | FeedPonged
  | FeedRenew
  | FeedRenewed
  | FeedError
  | FeedBye
  | FeedAccounts
  | FeedSeen
  | FeedTimes
