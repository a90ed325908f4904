/** The frames of `/api/v1/feed`, as docs/protocol.md tells them. Nothing here exists at run time. */

export type Status = 'online' | 'away' | 'offline'
export type Scope = 'users' | 'all' | 'counts'

export interface User {
  id: string
  s: Status
  ls?: number
  since?: number
  v?: number
  c?: string
  held?: boolean
  from?: Status
  by?: string
  node?: string
}

export interface Counts {
  online: number
  away: number
  offline: number
}

export interface AuthFrame {
  t: 'auth'
  token?: string
  ticket?: string
  scope?: Scope
  users?: string[]
  resume?: { epoch: string; seq: number }
  idle?: boolean
  observe?: boolean
}

export type ClientFrame =
  | AuthFrame
  | { t: 'sub'; users: string[] }
  | { t: 'unsub'; users: string[] }
  | { t: 'idle' }
  | { t: 'active' }
  | { t: 'pong'; n: number }
  | { t: 'token'; token: string }
  | { t: 'leave' }

export interface HelloFrame {
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
}

export interface SnapFrame {
  t: 'snap'
  epoch: string
  seq: number
  full?: true
  users: User[]
  counts?: Counts
  more?: true
}

export interface DeltaFrame {
  t: 'delta'
  seq: number
  after?: number
  users?: User[]
  counts?: Counts
}

export interface GapFrame {
  t: 'gap'
}

export interface PingFrame {
  t: 'ping'
  n: number
  seq?: number
}

export interface ByeFrame {
  t: 'bye'
  code: number
  reason: string
  retry_ms?: [number, number]
}

export type ServerFrame =
  | HelloFrame
  | SnapFrame
  | DeltaFrame
  | GapFrame
  | PingFrame
  | ByeFrame
  | { t: 'renew'; in_ms: number }
  | { t: 'token'; expires: number }
  | { t: 'error'; code: string; message: string; re?: string }

/** The frames that change what one holds. */
export type ViewFrame = HelloFrame | SnapFrame | DeltaFrame | GapFrame | PingFrame
