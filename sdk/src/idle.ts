import type { World } from './world'

const inputs = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'scroll', 'focus']

/** Calls back when the keyboard or the mouse was used, at most once a second. Returns what stops it. */
export function watchInput(world: World, input: () => void): () => void {
  let last = 0
  return world.listen(inputs, () => {
    const now = world.now()
    if (now - last < 1000) return
    last = now
    input()
  })
}
