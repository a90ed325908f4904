import { PresenceError } from './errors'
import type { PresenceOptions, Token } from './types'

export interface Tokens {
  /** The token at hand, or one from the application; however many ask, it is asked once at a time. */
  get(): Promise<Token>
  /** The server did not take this one. Without effect when it was replaced meanwhile. */
  refused(token: string): void
  /** In place of a ticket, which is good once: what the server gave for it. Without effect when it was replaced meanwhile. */
  trade(ticket: string, pass: string | null): void
  /** Forgets the token, and one that is on its way: somebody else may sign in next. */
  clear(): void
}

export function createTokens(source: PresenceOptions['token']): Tokens {
  let held: Token = null
  let refused: string | undefined
  let asking: Promise<Token> | undefined
  let turn = 0

  const ask = async (mine: number): Promise<Token> => {
    try {
      const t = await source({ refused })
      if (mine === turn) held = t
      return t
    } catch (e) {
      throw new PresenceError('token_source', String(e), true)
    } finally {
      if (mine === turn) asking = undefined
    }
  }
  return {
    async get() {
      return held ?? (asking ??= ask(turn))
    },
    refused(token) {
      if (held !== token) return
      refused = token
      held = null
    },
    trade(ticket, pass) {
      if (pass && held === ticket) held = pass
    },
    clear() {
      turn++
      held = null
      refused = asking = undefined
    },
  }
}
