import { createContext, useContext, useSyncExternalStore } from 'react'
import type { Preferring, ShellPreferences } from './preferences'

export interface Toast {
  readonly text: string
  readonly act?: { readonly label: string; readonly run: () => void }
  /** In milliseconds. */
  readonly lasts?: number
}

/** What the shell does for pages. */
export interface ShellServices {
  readonly preferring: Preferring
  /** A sentence about what was done, for a few seconds, with what undoes it. */
  toast(toast: Toast): void
  /** One sentence for screen readers. Others of the last seconds may be dropped for it. */
  announce(text: string): void
}

export const ShellContext = createContext<ShellServices | null>(null)

export function useShell(): ShellServices {
  const shell = useContext(ShellContext)
  if (!shell) throw new Error('useShell outside of the shell')
  return shell
}

export function useShellPreferences(): ShellPreferences {
  const { preferring } = useShell()
  return useSyncExternalStore(preferring.subscribe, preferring.get)
}
