/** What went wrong, for programs. */
export type ErrorCode =
  | 'unreachable' // no answer: network, or a server that is down
  | 'unauthenticated' // two tokens in a row were refused
  | 'forbidden' // this account may not
  | 'signed_out' // there is no token
  | 'token_source' // the token function failed
  | 'busy' // the server asks for patience
  | 'refused' // any other refusal; status tells
  | 'session_over'
  | 'logout'
  | 'held' // an admin has decided my status
  | (string & {}) // codes of the feed and of the server's problems: docs/errors.md

export class PresenceError extends Error {
  override readonly name = 'PresenceError'
  /** Where the code is explained. */
  readonly doc: string
  constructor(
    readonly code: ErrorCode,
    message: string = code,
    /** The same may work later; where the client can, it tries by itself. */
    readonly retryable = false,
    /** The HTTP status, where there was one. */
    readonly status?: number,
    /** How long the server wants to be left alone, in milliseconds. */
    readonly retryAfter = 0,
  ) {
    super(message)
    this.doc = `https://github.com/offchat/presence/blob/main/docs/errors.md#${code}`
  }
}
