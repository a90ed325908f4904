import { createContext, type ReactNode, useContext, useEffect, useMemo, useRef } from 'react'
import type { Label } from './label'
import type { Preferring } from './preferences'

/** Something a key does. Keys are as KeyboardEvent.key names them: "p", "?", "g o" one after the other, "mod+k". */
export interface Shortcut {
  readonly keys: string
  readonly text: Label
  readonly run: (e: KeyboardEvent) => void
  /** Also while one types. */
  readonly always?: boolean
}

interface Registry {
  add(s: { readonly current: Shortcut }): () => void
  all(): Shortcut[]
}

const RegistryContext = createContext<Registry | null>(null)

/** Listens to the keys of the page. */
export function Shortcuts({ preferring, children }: { readonly preferring: Preferring; readonly children: ReactNode }) {
  const shortcuts = useRef(new Set<{ readonly current: Shortcut }>())
  const registry = useMemo<Registry>(
    () => ({
      add(s) {
        shortcuts.current.add(s)
        return () => shortcuts.current.delete(s)
      },
      all: () => [...shortcuts.current].map((s) => s.current),
    }),
    [],
  )
  useEffect(() => {
    let first = ''
    let firstAt = 0
    const onKey = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.isComposing) return
      const mod = e.ctrlKey || e.metaKey
      const typing =
        e.target instanceof Element && e.target.closest('input, textarea, select, [contenteditable]') !== null
      const modal = document.querySelector('dialog[open]') !== null
      const pair = first && Date.now() - firstAt < 1200 ? `${first} ${e.key}` : ''
      first = ''
      // The newest counts: a page's before the shell's.
      const fits = registry
        .all()
        .reverse()
        .filter((s) => {
          if (s.keys.startsWith('mod+')) return mod && e.key.toLowerCase() === s.keys.slice(4)
          if (mod || e.altKey) return false
          if ((typing || modal) && !s.always) return false
          return s.keys === 'Escape' || preferring.get().keys
        })
      const met = fits.find((s) => s.keys === pair) ?? fits.find((s) => s.keys.startsWith('mod+') || s.keys === e.key)
      if (met) {
        e.preventDefault()
        met.run(e)
      } else if (fits.some((s) => s.keys.startsWith(`${e.key} `))) {
        first = e.key
        firstAt = Date.now()
      }
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [preferring, registry])
  return <RegistryContext value={registry}>{children}</RegistryContext>
}

/** While a component is there, a key does something. null: not now. */
export function useShortcut(shortcut: Shortcut | null): void {
  const registry = useShortcuts()
  const latest = useRef(shortcut)
  latest.current = shortcut
  const there = shortcut !== null
  useEffect(() => {
    if (!there) return
    // There is a shortcut for as long as this effect holds.
    return registry.add(latest as { current: Shortcut })
  }, [registry, there])
}

export function useShortcuts(): Registry {
  const registry = useContext(RegistryContext)
  if (!registry) throw new Error('useShortcut outside of <Shortcuts>')
  return registry
}
