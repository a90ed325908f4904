/** Sets of listeners by key. A listener that throws is reported and does not hurt the others. */
export function createEmitter<E>() {
  const all = new Map<keyof E, Set<(v: never) => void>>()
  return {
    /** The keys that somebody listens to. */
    keys: () => [...all.keys()],
    on<K extends keyof E>(key: K, fn: (v: E[K]) => void): () => void {
      const set = all.get(key) ?? new Set()
      all.set(key, set.add(fn))
      return () => {
        // Nobody else adds to an empty set: the next one finds none and begins another.
        if (set.delete(fn) && !set.size) all.delete(key)
      }
    },
    emit<K extends keyof E>(key: K, value: E[K]): void {
      for (const fn of [...(all.get(key) ?? [])]) {
        try {
          // The set of a key holds only functions that take its value.
          ;(fn as (v: E[K]) => void)(value)
        } catch (e) {
          console.error(e)
        }
      }
    },
  }
}
