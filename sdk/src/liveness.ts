import type { World } from './world'

const signs = ['visibilitychange', 'pageshow', 'online', 'resume', 'focus']

/**
 * Calls `wake` when the page may have been asleep: it is shown, thawed, or on the network again; and `tick` every 5 s,
 * also while it is hidden. Whether it is visible is asked each time and never remembered.
 */
export function watchLife(world: World, wake: () => void, tick: () => void): () => void {
  let cancel: () => void
  const next = () => {
    cancel = world.after(5000, next)
    tick()
  }
  const deaf = world.listen(signs, (e) => {
    if (e.type !== 'visibilitychange' || world.visible()) wake()
  })
  next()
  return () => {
    cancel()
    deaf()
  }
}
