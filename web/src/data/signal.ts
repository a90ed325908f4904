/** A value that can be watched. */
export interface Readable<T> {
  get(): T
  subscribe(listener: () => void): () => void
}

export interface Signal<T> extends Readable<T> {
  set(value: T): void
}

export function createSignal<T>(value: T): Signal<T> {
  const listeners = new Set<() => void>()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const listener of [...listeners]) listener()
    },
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
