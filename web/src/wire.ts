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

export type Role = 'user' | 'moderator' | 'admin'

/** NewUser makes an account for somebody; it is not signed in by that. */
export interface NewUser {
  username: string
  /** Absent: one is made up. */
  email?: string
  password: string
  first_name?: string
  last_name?: string
  /** Absent: user. */
  role?: Role
}

/** Act is what an admin does to an account. */
export interface Act {
  /** What is done. trash can be undone by restore; delete and forget_history are for good. */
  act: 'force_logout' | 'set_status' | 'hold' | 'lift' | 'approve' | 'reject' | 'suspend' | 'ban' | 'activate' | 'trash' | 'restore' | 'delete' | 'forget_history'
  /** For set_status and hold. */
  status?: Status
  /** When a hold or a suspend ends by itself, in the future. Absent: when it is ended. */
  until?: string
  /** Beside a hold. */
  note?: string
  /** For the audit. */
  reason?: string
}

/** NewJob asks for an act on many accounts: those of IDs, or those that Filter finds. */
export interface NewJob extends Act {
  /** The users. Either these or filter. */
  ids?: string[]
  /** The filters of list_users, as a query; empty: everybody. */
  filter?: string
  /** How many users are meant. When the filter finds another number, nothing is done (409). */
  expected: number
}

/** Job is an act on many accounts, or the undoing of one. */
export interface Job extends Act {
  id: string
  filter?: string
  /** The id of the admin whose job it is. */
  by: string
  by_name: string
  /** failed: the admin may not do this any more, or the store failed; interrupted: the server ended in the middle. What was done before stays done. */
  state: 'waiting' | 'running' | 'done' | 'cancelled' | 'failed' | 'interrupted'
  /** Why it failed or was interrupted. */
  detail?: string
  total: number
  ok: number
  failed: number
  /** Not done (yet). Of an interrupted job, up to a second's worth of these were done without being noted; the audit has them, with request_id = the job's id. */
  left: number
  /** When it was asked for. */
  at: string
  began: string | null
  ended: string | null
  /** Until when it can be undone. Null: it cannot. */
  undo_until: string | null
  /** The job that undoes it. */
  undone_by?: string
  /** The job that this one undoes. */
  undo_of?: string
}

/** JobList is the jobs of the last day, newest first. */
export interface JobList {
  items: Job[]
}

/** JobRow is what became of one account in a job. */
export interface JobRow {
  user: string
  username?: string
  ok: boolean
  /** Why not, for programs. */
  code?: string
  /** Why not, for people. */
  detail?: string
}

/** JobRows is a page of rows, in the order in which they were done. */
export interface JobRows {
  items: JobRow[]
  /** Hand it in as cursor for the next page. Null: there is none (yet). */
  next_cursor: string | null
}

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

/** PresenceNow is the presence of one person at a moment. */
export interface PresenceNow extends Presence {
  /** The moment of the answer. */
  as_of: string
}

/** Privacy is what somebody keeps to themselves. */
export interface Privacy {
  /** Others see you offline, and no last_seen; you see the same of them. */
  hide_status: boolean
  /** Others are not given your last_seen and since; you are not given theirs. */
  hide_last_seen: boolean
}

/** OwnStatus is what somebody says about their status themselves. */
export interface OwnStatus {
  /** away: wherever you are active, you are away. auto: your devices decide. */
  status: 'away' | 'auto'
  /** When away ends by itself, in the future. Absent: when you say auto. */
  until?: string
  /** What you say about it, to yourself, moderators and admins. */
  text?: string
}

/** Counts are how many people have each status. */
export interface Counts {
  online: number
  away: number
  offline: number
  /** The sum of the three. */
  total: number
  /** Live sessions of all of them together. Told to moderators and admins alone. */
  devices?: number
  /** Open connections of those devices. Told to moderators and admins alone. */
  connections?: number
  as_of: string
}

/** Account is what the server knows of somebody besides presence. */
export interface Account {
  id: string
  username: string
  email: string
  first_name: string
  last_name: string
  /** A URL, or empty. */
  avatar: string
  role: Role
  account_status: 'active' | 'pending' | 'suspended' | 'banned'
  /** False closes the account whatever its account_status. */
  is_active: boolean
  joined_at: string
  created_at: string
}

/** Session is one login, device or foreign token of somebody. */
export interface Session {
  /** 16 hexadecimal digits. */
  id: string
  /** login: signed in here; foreign: a token that was issued elsewhere; touch: a backend or proxy speaks for the person, user_agent names it; stand_in: somebody an admin set present, or a restart kept so, without a session. */
  kind: 'login' | 'foreign' | 'touch' | 'stand_in'
  /** The session of this very request. */
  current: boolean
  created_at: string | null
  expires_at: string | null
  ip: string
  user_agent: string
  /** What the user_agent says, in two words; empty when it says nothing. */
  device: string
  /** It was heard within its lease, so its person is present. */
  live: boolean
  /** Its client says that the person left. */
  idle: boolean
  /** Its last connection closed and it may still come back. */
  leaving: boolean
  connections: number
  /** When silence ends it. */
  lease_ends_at: string | null
  /** When it was heard last, where that is known: while it is the only live session. */
  last_signal_at: string | null
}

/** Me is what somebody is told about themselves. */
export interface Me {
  account: Account
  presence: Presence
  privacy: Privacy
  sessions: Session[]
  as_of: string
}

/** Ended says how many sessions were ended. */
export interface Ended {
  ended: number
}

/** UserRow is somebody in a list. */
export interface UserRow extends Account {
  presence: Presence
  /** Live sessions. */
  devices: number
}

/** UserPage is a page of users. */
export interface UserPage {
  items: UserRow[]
  /** Hand it in as cursor for the next page. Null: there is none. */
  next_cursor: string | null
  /** How many match in all, when total=true asked for it. */
  total?: number
  as_of: string
}

/** Hold is an admin's override of somebody's status. */
export interface Hold {
  status: Status
  /** When it ends by itself. Null: when it is lifted. */
  until: string | null
  note: string
  /** The id of the admin; empty: the command line. */
  by: string
}

/** NewHold asks for a hold. */
export interface NewHold {
  status: Status
  /** When it ends by itself, in the future. Absent: when it is lifted. */
  until?: string
  note?: string
}

/** Why says in words why somebody has the status they have, and what happens next. */
export interface Why {
  status: Status
  since: string | null
  cause?: string
  /** What decides: an admin's hold, the person's own word, a session that is active, one that is idle, that there is none, or that the person was never heard. */
  rule: 'hold' | 'own_status' | 'active_session' | 'idle_session' | 'no_session' | 'never_seen'
  text: string
  /** The session that decides. */
  session?: string
  /** What happens if nothing more is heard. */
  next?: Deadline
}

/** Deadline is what happens, and when, if nothing more is heard. */
export interface Deadline {
  status: Status
  at: string
}

/** Transition is one change of somebody's status. */
export interface Transition {
  at: string
  from: Status
  to: Status
  cause: string
  session?: string
  /** The id of the admin behind it. */
  actor?: string
  node?: string
}

/** Event is one change of somebody's status among those of everybody. */
export interface Event extends Transition {
  id: string
  user: string
  /** Empty when the account is gone. */
  username: string
  /** What the client of the session calls itself. */
  device?: string
  actor_name?: string
}

/** EventPage is a page of events, newest first. */
export interface EventPage {
  items: Event[]
  /** Hand it in as cursor for the next page. Null: there is none. */
  next_cursor: string | null
}

/** UserDetail is everything about one person. */
export interface UserDetail {
  account: Account
  presence: Presence
  privacy: Privacy
  hold?: Hold
  /** What they say themselves, if anything. */
  own_status?: OwnStatus
  why: Why
  sessions: Session[]
  /** The last 20, newest first. */
  transitions: Transition[]
  as_of: string
}

/** Interval is a stretch of time with one status. */
export interface Interval {
  from: string
  to: string
  /** unknown: what was written down does not say, or the account was not there yet. */
  status: 'online' | 'away' | 'offline' | 'unknown'
  /** What began it. */
  cause?: string
}

/** Totals sum up a stretch of time, in whole seconds. */
export interface Totals {
  online_seconds: number
  away_seconds: number
  offline_seconds: number
  unknown_seconds: number
}

/** Day is one day of somebody's history. */
export interface Day {
  date: string
  intervals: Interval[]
  totals: Totals
}

/** History is who somebody was between two moments. */
export interface History {
  from: string
  /** Not later than now. */
  to: string
  /** From midnight to midnight in the time zone asked for, oldest first. */
  days: Day[]
  totals: Totals
  /** The longest stretch online without a break. */
  longest_online_seconds: number
  /** Days with some time online or away. */
  days_present: number
  /** There were more changes than one answer holds: what comes after to is missing. */
  truncated: boolean
}

/** ConcurrencyPoint is one step of the concurrency series. Its numbers are null when no server was looking. */
export interface ConcurrencyPoint {
  /** When the step began. */
  at: string
  /** Mean over the recorded minutes. Null: nothing was recorded. */
  online: number | null
  away: number | null
  offline: number | null
  peak_online: number | null
  /** Live sessions of everybody: mean over the minutes in which they were counted, at the minute's beginning. Null: nobody counted. */
  devices: number | null
  /** Open connections of those devices, as above. A device that only sends heartbeats has none, one with two tabs may have two. */
  connections: number | null
  /** Changes of status in the step, by cause. */
  changes?: Record<string, number>
}

/** Concurrency is how many people were there over time. */
export interface Concurrency {
  range: string
  step_seconds: number
  /** Every step of the range, oldest first; the last one is still going on. */
  items: ConcurrencyPoint[]
  as_of: string
}

/** Week is how many people are online at which hour of which day, on average over some weeks. */
export interface Week {
  from: string
  to: string
  /** Seven days, the first is Sunday. */
  days: WeekDay[]
}

/** WeekDay is one day of a Week, by the hours of its clock. */
export interface WeekDay {
  /** 24 means of how many were online. Null: nothing was recorded. */
  hours: (number | null)[]
  /** 24 numbers of minutes that the means are of. */
  minutes: number[]
}

/** AuditEntry is one act of an admin. */
export interface AuditEntry {
  id: string
  at: string
  /** The id of the admin; negative: an API token, by its id; empty: the command line on the server's machine. */
  actor: string
  action: string
  target: string
  target_name: string
  /** What changed, as it was. */
  before?: unknown
  after?: unknown
  reason?: string
  ip?: string
  user_agent?: string
  request_id?: string
}

/** AuditPage is a page of audit entries, newest first. */
export interface AuditPage {
  items: AuditEntry[]
  /** Hand it in as cursor for the next page. Null: there is none. */
  next_cursor: string | null
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

/** Reason says why an act was done. */
export interface Reason {
  /** Kept in the audit. */
  reason?: string
}

/** NewToken asks for a token of a backend. */
export interface NewToken {
  /** What it is for. */
  name: string
  /** What it may do. */
  scopes: ('touch' | 'read' | 'tickets' | 'logout' | 'admin:read')[]
  /** When it ends, within ten years. Absent: when it is revoked. */
  expires_at?: string
}

/** Token is a token of a backend, without its secret. */
export interface Token {
  id: string
  name: string
  scopes: string[]
  /** How the token begins, to tell it by. */
  hint: string
  status: 'active' | 'expired' | 'revoked'
  /** The id of the admin; empty: the command line. */
  created_by: string
  created_at: string
  /** Null: when it is revoked. */
  expires_at: string | null
  /** Null: never. */
  last_used_at: string | null
  revoked_at: string | null
  revoked_by?: string
}

/** MadeToken is a token that was just made. */
export interface MadeToken extends Token {
  /** The token itself. It is told this once: only a hash is kept. Send it as Authorization: Bearer TOKEN. */
  token: string
}

/** TokenList is all tokens of backends. */
export interface TokenList {
  /** Oldest first. */
  items: Token[]
}

/** IdentityCheck asks whether a JWT would be let in. */
export interface IdentityCheck {
  /** The JWT, without Bearer. It is not kept. */
  token: string
}

/** IdentityVerdict says whether, and if not, exactly why. */
export interface IdentityVerdict {
  accepted: boolean
  /** The configured issuer that it is judged by; presence for tokens of this server; empty: none. */
  issuer: string
  /** The id of the user it would be. Empty: none, or one who would be made (provision). */
  user: string
  /** Why not: malformed, issuer, alg, kid, keys, signature, exp, nbf, iat, aud, claim, user, account, session, logged_out, type, unavailable. */
  reason?: string
  /** The same for people. */
  detail?: string
  alg: string
  kid: string
  iss: string
  sub: string
  expires_at: string | null
}

/** ProxiesSeen is what proxies asked lately. */
export interface ProxiesSeen {
  /** When a proxy asked last. Null: none did since this node started. */
  asked_at: string | null
  /** What it was answered: 204, 401, 403, 503; 0: nothing. */
  status: number
  /** When one asked last about somebody who may be here, which counted as activity. */
  known_at: string | null
  /** The id of that person; empty: nobody yet. */
  user: string
  as_of: string
}

/** EditUser changes an account. What is absent stays as it is. */
export interface EditUser {
  username?: string
  email?: string
  first_name?: string
  last_name?: string
  role?: Role
  /** False closes the account whatever its account_status, and ends its sessions. */
  is_active?: boolean
  /** A new password. It ends every session. */
  password?: string
}

/** ExportedUser is a row of an exported list of users. Moments are RFC 3339 in UTC, or as they read on a clock of the time zone asked for; empty where there is none. */
export interface ExportedUser {
  id: string
  username: string
  email: string
  first_name: string
  last_name: string
  role: string
  account_status: string
  is_active: boolean
  status: string
  cause: string
  held: boolean
  devices: number
  last_seen: string
  last_seen_local: string
  since: string
  since_local: string
  joined_at: string
  joined_at_local: string
}

/** ExportedAct is a row of an exported audit. Before and After are JSON as text. */
export interface ExportedAct {
  id: string
  at: string
  at_local: string
  actor: string
  action: string
  target: string
  target_name: string
  before: string
  after: string
  reason: string
  ip: string
  user_agent: string
  request_id: string
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

/** FeedTicketRequest is what a backend sends for a ticket on behalf of a user; people send nothing. */
export interface FeedTicketRequest {
  user: string
  ttl?: number
  device?: string
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

/** Person is everything that is kept about somebody, but for the hash of their password and what would let somebody in. */
export interface Person {
  exported_at: string
  account: PersonAccount
  presence: PersonPresence
  hold?: PersonHold
  /** Newest first, ended ones too. */
  sessions: PersonSession[]
  activity: PersonActivity[]
  history: PersonChange[]
  /** What admins did about them. */
  audit_about: PersonAuditLine[]
  /** What they did as an admin. */
  audit_by: PersonAuditLine[]
}

/** PersonAccount is the account. */
export interface PersonAccount {
  id: string
  username: string
  email: string
  first_name: string
  last_name: string
  avatar: string
  bio: string
  role: string
  is_staff: boolean
  status: string
  is_active: boolean
  email_verified: boolean
  has_password: boolean
  hide_status: boolean
  hide_last_seen: boolean
  join_date: string | null
  created_at: string | null
  updated_at: string | null
  /** When the account went into the trash; null: it is not there. */
  deleted_at: string | null
}

/** PersonPresence is how they are shown. */
export interface PersonPresence {
  online_status: string
  last_seen: string | null
  since: string | null
  cause: string
}

/** PersonHold is an override of their status. */
export interface PersonHold {
  status: string
  until: string | null
  note: string
  actor: string
}

/** PersonSession is one sign-in. Its number is left out: it would tell nobody anything, and it names tokens. */
export interface PersonSession {
  created_at: string | null
  expires_at: string | null
  ended_at: string | null
  end_cause: string
  ip_address: string
  user_agent: string
}

/** PersonActivity is a line of their activity. */
export interface PersonActivity {
  at: string | null
  action: string
  description: string
  ip_address: string
  user_agent: string
}

/** PersonChange is a change of their status. */
export interface PersonChange {
  at: string | null
  from: string
  to: string
  cause: string
  actor?: string
}

/** PersonAuditLine is a line of the audit. */
export interface PersonAuditLine {
  id: string
  at: string | null
  /** The id of the admin; negative: an API token, by its id; empty: the command line on the server's machine. */
  actor: string
  action: string
  target: string
  target_name: string
  before?: unknown
  after?: unknown
  reason?: string
  ip_address?: string
  user_agent?: string
  request_id?: string
}

/** ErasePerson asks for the end of a person. */
export interface ErasePerson {
  /** Their username, as it is written: what was done cannot be undone. */
  confirm: string
}

/** ErasedPerson is what an erasure did. */
export interface ErasedPerson {
  id: string
  /** Lines of the audit that were emptied. */
  audit_lines: number
}

/** Roster is everybody at once, by columns, for a table that is filtered and sorted where it is shown and kept true by the feed. Every column of a part has one value for each row. Rows are by id, and columns say little twice: IDs and Joined are differences to the row before, within the part; an e-mail that begins with @ is the username with that behind it; a username that begins with ~ is the names in small letters, joined by the next character, with the rest behind them (~.7 of Zahra Noori is zahra.noori7), but ~~ is a ~ of its own; LastSeen is from Now, Since from LastSeen. Words in Statuses, Causes, Roles and AccountStatuses are places in Words. */
export interface Roster {
  /** With seq, the cursor of the feed's scope all that this holds at least. */
  epoch: string
  seq: number
  /** Hand it in as since to get what changed about accounts later. */
  version: string
  /** The server's clock, milliseconds since 1970. */
  now: number
  /** Everybody is in here: forget those who are not. Else only what changed since. */
  full: boolean
  /** How many accounts there are, the trash aside. */
  total: number
  words: RosterWords
  /** Accounts that are gone since. Empty when full. */
  removed: string[]
  /** By id; each part stands on a line of its own. */
  parts: RosterPart[]
}

/** RosterWords are what the numbers in the columns stand for. */
export interface RosterWords {
  statuses: string[]
  causes: string[]
  roles: string[]
  account_statuses: string[]
}

/** RosterPart is some of the rows of a Roster, by columns. */
export interface RosterPart {
  /** The first id of the part, then differences to the row before. */
  ids: number[]
  /** One that begins with ~ and one of . - _ is first_name and last_name in small letters, joined by that, with the rest behind: ~.7 of Zahra Noori is zahra.noori7. ~~ stands for a ~. */
  usernames: string[]
  /** One that begins with @ is the username with that behind it. */
  emails: string[]
  first_names: string[]
  last_names: string[]
  roles: number[]
  account_statuses: number[]
  /** 1: is_active; 0: the account is closed whatever its status. */
  active: number[]
  /** Seconds since 1970 of the first row, then differences to the row before. */
  joined: number[]
  statuses: number[]
  /** Milliseconds from now, so hardly ever above 0; null: never seen. */
  last_seen: (number | null)[]
  /** When the status began, milliseconds from last_seen (from now where that is null); null: it never changed. */
  since: (number | null)[]
  causes: number[]
  /** 1: an admin's hold decides. */
  held: number[]
  /** What the person keeps from others: 1 last_seen, 2 status, 3 both. */
  private: number[]
  /** Live sessions. */
  devices: number[]
  /** Counts the changes of the status; v in the feed. */
  versions: number[]
}

/** SignIn is a name and a password, from the dashboard's own page. */
export interface SignIn {
  username: string
  password: string
}

/** SetUp makes the first admin, with the token of the link that the server printed. */
export interface SetUp {
  token: string
  username: string
  email?: string
  password: string
}

/** SetUpNeeded says whether there is nobody yet who could sign in as an admin. */
export interface SetUpNeeded {
  needed: boolean
}

/** SignedIn is what a page in a browser keeps in memory. What opens its session again is in a cookie that no script can read. */
export interface SignedIn {
  access_token: string
  /** When the access token ends. */
  expires_at: string
  account: Account
  as_of: string
}

/** System is how the server is. */
export interface System {
  version: string
  /** The node that answers. */
  node: string
  started_at: string
  uptime_seconds: number
  /** Numbers of this node. One that cannot be known here is not in the list. */
  facts: Fact[]
  as_of: string
}

/** Fact is one number about the server, and how it stands. */
export interface Fact {
  /** What it is; stable. */
  key: string
  /** Null: it is not known. */
  value: number | null
  unit: 'count' | 'per_second' | 'seconds' | 'bytes'
  /** From here on it is worth a look. */
  warn?: number
  /** From here on something is wrong, or nothing more fits. */
  limit?: number
  state: 'ok' | 'warn' | 'fail'
  /** In words. */
  text: string
}

/** Attention is what an admin may want to look at. What is in order is not in the list. */
export interface Attention {
  items: Concern[]
  as_of: string
}

/** Concern is one such thing. */
export interface Concern {
  /** What it is; stable. */
  key: 'held' | 'silent' | 'many_devices' | 'pending' | 'expiry_lag' | 'webhooks' | 'system'
  state: 'info' | 'warn' | 'fail'
  count: number
  /** In words. */
  text: string
  /** The page of the dashboard that shows it. */
  page: string
  /** The query of that page, which list_users takes, too. */
  query: string
}

/** Timeouts are the durations that decide when somebody is away or offline, in seconds. */
export interface Timeouts {
  /** How often clients are told to beat. */
  heartbeat_interval: number
  /** Time without input until clients report their person as away. */
  idle_after: number
  /** Silence after which somebody is offline: at least twice heartbeat_interval. */
  offline_after: number
  /** How long a session whose last connection closed may take to come back. */
  leave_grace: number
  /** How often those who poll are told to. */
  refresh_interval: number
}

/** NewTimeouts asks for other timeouts. */
export interface NewTimeouts extends Timeouts {
  /** For the audit. */
  reason?: string
}

/** TimeoutsNow is what the server goes by, and what it went by before. */
export interface TimeoutsNow extends Timeouts {
  /** dashboard: set while running, which outranks flags, environment and file until it is taken back. */
  source: 'dashboard' | 'configuration'
  /** What flags, environment, file and defaults say. */
  configured: Timeouts
  /** What is allowed and hardly meant. */
  warnings: string[]
  /** What was set while running, newest first; at most 50. */
  history: TimeoutsSet[]
}

/** TimeoutsSet is what somebody set. */
export interface TimeoutsSet {
  at: string
  /** The id of the admin. */
  by: string
  by_name: string
  /** Null: back to the configuration. */
  timeouts: Timeouts | null
  reason?: string
}

/** TimeoutsPreview says what would happen. */
export interface TimeoutsPreview {
  /** Who is online or away now, holds aside. */
  present: number
  /** Those of them who were not heard for longer than offline_after: with this, they would be offline. */
  offline: number
  warnings: string[]
}

/** Trash is the accounts that were deleted and can be restored. */
export interface Trash {
  /** The one that was deleted last first. */
  items: TrashedUser[]
  /** How many lie in the trash. */
  total: number
  /** How long accounts lie in the trash before they are erased by themselves. 0: until an admin erases them. */
  retention_seconds: number
  as_of: string
}

/** TrashedUser is an account in the trash. */
export interface TrashedUser {
  account: Account
  deleted_at: string
  /** The id of the admin who deleted it, with a minus before it that of an API token. Empty: the command line, or the audit does not know. */
  deleted_by: string
  /** The username of that admin, where the account is still there. */
  deleted_by_name: string
  reason?: string
  /** From when on it is erased by itself. Null: it is not. */
  erased_at: string | null
}

/** NewView is a way of looking at a page that is worth a name. */
export interface NewView {
  name: string
  /** The page of the dashboard it is about. */
  page: string
  /** The query string of the page, as it stands in its address. */
  query: string
  /** Every admin and moderator sees it; only its owner and admins change it. */
  shared: boolean
}

/** View is a saved view. */
export interface View extends NewView {
  id: string
  /** The id of whoever saved it. */
  owner: string
  owner_name: string
  mine: boolean
  /** When it was saved. */
  at: string
}

/** ViewList is one's own views and the shared ones, by name. */
export interface ViewList {
  items: View[]
}

/** WebhookMessage is the body of a delivery. Its id is in the header webhook-id and the same at every attempt. */
export interface WebhookMessage {
  type: 'events' | 'test'
  timestamp: string
  data: WebhookMessageData
}

/** WebhookMessageData is what a message tells. */
export interface WebhookMessageData {
  /** The id of the webhook. */
  webhook: string
  /** What happened, oldest first. */
  events: WebhookEvent[]
}

/** WebhookEvent is one thing that happened. Fields that mean nothing for its type are absent. */
export interface WebhookEvent {
  /** The same at every attempt and for every webhook: what to remember, to do nothing twice. */
  id: string
  type: string
  at: string
  /** The id of the person. */
  user?: string
  /** What they were called then. */
  username?: string
  /** user.*: the status before. account.*: the status of the account before. */
  from?: string
  /** user.*: the status since. account.*: the status of the account since. */
  to?: string
  /** user.* and session.ended: why. */
  cause?: string
  /** The session that made the difference, began or ended. */
  session?: string
  /** user.*: the id of the admin behind it. */
  actor?: string
  /** user.*: the server that noticed. */
  node?: string
  /** user.*: counts the person's changes; a higher one is newer. */
  version?: number
  /** user.*: the person's last sign of life. */
  last_seen?: string
  /** account.*: the role of the account. */
  role?: string
  /** gap: how many events are missing, where that is known. */
  missed?: number
}

/** Webhook is an address that is told what happens. */
export interface Webhook {
  id: string
  url: string
  description: string
  /** Names of events and groups of them. */
  events: string[]
  /** Events about somebody's status are told for these causes only. Empty: all. */
  causes: string[]
  /** Only what is about these people. Empty: everybody. */
  users: string[]
  /** How many events one delivery carries at most. */
  batch_size: number
  /** paused: by an admin. gone: the receiver answered 410. failing: it failed for too long. Nothing is kept for a webhook that is not active. */
  state: 'active' | 'paused' | 'gone' | 'failing'
  state_since: string
  created_at: string
  updated_at: string
  /** The id of the admin; empty: the command line. */
  created_by: string
  /** Until then the secret before the present one signs, too. Null: it does not. */
  old_secret_until: string | null
  /** Events that wait, those on their way among them. */
  queued: number
  /** When the first of them happened. */
  oldest_queued_at: string | null
  /** Attempts that failed in a row. */
  failures: number
  /** When the first of them was. Null: the last attempt succeeded, or there was none. */
  failing_since: string | null
  /** When the pending delivery is tried again. */
  next_attempt_at: string | null
  /** When it will be taken out of service if it goes on failing. */
  disable_at: string | null
  last_success_at: string | null
  last_failure_at: string | null
  /** Of the last attempt that failed. */
  last_error?: string
}

/** WebhookList is all webhooks; there are 100 at most. */
export interface WebhookList {
  items: Webhook[]
  as_of: string
}

/** NewWebhook asks for a webhook. */
export interface NewWebhook {
  /** An https address that takes POST requests. http only into networks that the operator allows. */
  url: string
  description?: string
  /** Names of events, groups (user.*, session.*, account.*) or *. Default: user.* */
  events?: string[]
  /** Tell of somebody's status for these causes only. Default: all. */
  causes?: string[]
  /** Only what is about these people, by id. Default: everybody. */
  users?: string[]
  /** How many events one delivery carries at most. Default: 100. */
  batch_size?: number
}

/** WebhookPatch changes a webhook; what is absent stays. */
export interface WebhookPatch {
  url?: string
  description?: string
  events?: string[]
  causes?: string[]
  users?: string[]
  batch_size?: number
  /** active also brings back one that is gone or failing; it is told of a gap first. */
  state?: 'active' | 'paused'
}

/** WebhookWithSecret is a webhook together with its secret, which is shown this once. */
export interface WebhookWithSecret extends Webhook {
  /** Signs every delivery. It is shown this once. */
  secret: string
}

/** WebhookRotation asks for a new secret. */
export interface WebhookRotation {
  /** For how long the old secret signs beside the new one, in seconds. Default: it stops at once. */
  keep_old_seconds?: number
}

/** WebhookDelivery is one message to a webhook. */
export interface WebhookDelivery {
  id: string
  /** The header webhook-id. */
  message_id: string
  kind: 'events' | 'test'
  /** A pending one will be tried again by itself, a failed one will not. */
  state: 'pending' | 'succeeded' | 'failed'
  /** How many it carries. */
  events: number
  created_at: string
  attempts: number
  /** When it was last tried. */
  attempt_at: string | null
  /** How long the last attempt took. */
  duration_ms: number
  /** Of the answer to the last attempt. 0: there was none. */
  http_status: number
  /** What was wrong with the last attempt. */
  error?: string
}

/** WebhookDeliveryPage is a page of deliveries, newest first. */
export interface WebhookDeliveryPage {
  items: WebhookDelivery[]
  /** Hand it in as cursor for the next page. Null: there is none. */
  next_cursor: string | null
}

/** WebhookAttempt is one try to deliver. */
export interface WebhookAttempt {
  at: string
  duration_ms: number
  /** 0: there was no answer. */
  http_status: number
  error?: string
  /** The beginning of the answer's body. */
  response?: string
  /** An admin asked for it. */
  manual: boolean
}

/** WebhookDeliveryDetail is a delivery with its body and every attempt. */
export interface WebhookDeliveryDetail extends WebhookDelivery {
  /** As it is sent, byte for byte. */
  body: string
  /** Every attempt, oldest first. */
  log: WebhookAttempt[]
}

/** WebhookEventType is a kind of event that webhooks can be told of. */
export interface WebhookEventType {
  name: string
  group: string
  text: string
  example: WebhookEvent
}

/** WebhookEventTypes are all of them. */
export interface WebhookEventTypes {
  items: WebhookEventType[]
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
