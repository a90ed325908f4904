import { PresenceError } from './errors'
import type { Http } from './http'
import { most } from './query'
import type { Touched } from './wire'

/** More often than this, a word about the same person says nothing new to the server. */
const pace = 5000
/** How long words wait for company. */
const gather = 50
/** How many people are remembered at most. */
const crowd = 100_000

/** Tells the server who is active: at most once in 5 s about each person, and many in one request. */
export class Touches {
  readonly #ask: Http
  readonly #now: () => number
  readonly #said = new Map<string, number>() // by source and id, oldest first
  readonly #waiting = new Map<string, { ids: Set<string>; sent: Promise<void> }>() // by source
  #quiet = 0 // until when the server wants to be left alone

  constructor(ask: Http, now: () => number = Date.now) {
    this.#ask = ask
    this.#now = now
  }

  /** Resolves when the server knows, at once when it knows already. Rejects with PresenceError. */
  async touch(ids: Iterable<string>, source = ''): Promise<void> {
    const now = this.#now()
    if (now < this.#quiet)
      throw new PresenceError('busy', 'the server asked for patience', true, undefined, this.#quiet - now)
    const sent = new Set<Promise<void>>()
    for (const id of ids) {
      const key = `${source} ${id}`
      const waiting = this.#waiting.get(source)
      if (waiting?.ids.has(id)) sent.add(waiting.sent)
      if (now - (this.#said.get(key) ?? -pace) < pace) continue
      this.#said.delete(key) // to the end
      this.#said.set(key, now)
      sent.add(this.#put(id, source))
    }
    this.#forget(now)
    await Promise.all(sent)
  }

  #put(id: string, source: string): Promise<void> {
    let batch = this.#waiting.get(source)
    if (!batch || batch.ids.size >= most) {
      const ids = new Set<string>()
      const sent = new Promise((r) => setTimeout(r, batch ? 0 : gather)).then(() => this.#send(ids, source))
      batch = { ids, sent }
      this.#waiting.set(source, batch)
    }
    batch.ids.add(id)
    return batch.sent
  }

  async #send(ids: Set<string>, source: string): Promise<void> {
    if (this.#waiting.get(source)?.ids === ids) this.#waiting.delete(source)
    try {
      const r = await this.#ask('/api/v1/touch', { ids: [...ids], ...(source && { source }) })
      if (r.status === 204) return
      // Those who may not be present are asked about again at their next word; the rest is settled.
      for (const { id } of ((await r.json()) as Touched).refused) this.#said.delete(`${source} ${id}`)
    } catch (e) {
      for (const id of ids) this.#said.delete(`${source} ${id}`)
      if (e instanceof PresenceError) this.#quiet = this.#now() + e.retryAfter
      throw e
    }
  }

  /** Drops what is too old to matter. */
  #forget(now: number) {
    for (const [key, at] of this.#said) {
      if (now - at < pace && this.#said.size <= crowd) return
      this.#said.delete(key)
    }
  }
}
