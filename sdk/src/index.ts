/** Who is online, away or offline, as it happens. */
export { createPresence } from './client'
export { type ErrorCode, PresenceError } from './errors'
export type {
  Connection,
  ConnectionState,
  Counts,
  DebugEntry,
  Presence,
  PresenceClient,
  PresenceEvents,
  PresenceOptions,
  Scope,
  SignedOut,
  Status,
  Token,
} from './types'
export type { Channel, Locks, Socket, World } from './world'
