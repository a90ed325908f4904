import type { PresenceError } from './errors'
import type { Http } from './http'
import type { World } from './world'

/**
 * Where sockets are blocked, the heartbeat that every client of this server knows keeps a person online: by POST, as
 * often as the server says. `beat` is called after each that arrived, `end` when the server does not want any more.
 * What is returned begins (at once) and ends it.
 */
export function createBeats(world: World, http: Http, beat: () => void, end: (e: PresenceError) => void) {
  let turn = 0
  let cancel: (() => void) | undefined

  const run = async (mine: number) => {
    let wait = 30_000
    try {
      const r = await http('/api/users/heartbeat/')
      wait = Number(r.headers.get('Presence-Heartbeat-Interval')) * 1000 || wait
      if (mine === turn) beat()
    } catch (e) {
      const error = e as PresenceError
      if (mine === turn && !error.retryable) return end(error)
      wait = error.retryAfter || wait
    }
    if (mine === turn) cancel = world.after(wait, () => void run(mine))
  }
  return (on: boolean) => {
    turn++
    cancel?.()
    if (on) void run(turn)
  }
}
