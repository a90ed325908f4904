import type { PresenceError } from './errors'
import type { Http } from './http'
import type { Settings } from './wire'
import type { World } from './world'

/**
 * Where sockets are blocked, the heartbeat that every client of this server knows keeps a person online: by POST, as
 * often as the server says. `beat` is called after each that arrived, `end` when the server does not want any more.
 * What is returned begins (at once) and ends it.
 */
export function createBeats(world: World, http: Http, beat: () => void, end: (e: PresenceError) => void) {
  let turn = 0
  let cancel: (() => void) | undefined
  let often = 0 // what the server says

  const run = async (mine: number) => {
    let wait = often || 30_000
    try {
      await http('/api/users/heartbeat/')
      if (mine === turn) beat()
      if (!often) {
        const settings = (await (await http('/api/v1/settings', undefined, 'GET')).json()) as Settings
        wait = often = settings.heartbeat_interval * 1000
      }
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
