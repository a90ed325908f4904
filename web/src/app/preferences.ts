import { createSignal, type Readable } from '../data/signal'

/** How the shell behaves for somebody; remembered in this browser. How they read is in i18n. */
export interface ShellPreferences {
  readonly theme: 'auto' | 'dark' | 'light'
  /** Shortcuts of a single key (WCAG 2.1.4). Those with Ctrl or Cmd are always there. */
  readonly keys: boolean
  /** Comings and goings are told to screen readers, a sentence every ten seconds. */
  readonly announce: boolean
  readonly dense: boolean
}

const place = 'presence.shell'
const initial: ShellPreferences = { theme: 'auto', keys: true, announce: false, dense: true }

export interface Preferring extends Readable<ShellPreferences> {
  change(to: Partial<ShellPreferences>): void
}

export function createPreferring(shelf: Pick<Storage, 'getItem' | 'setItem'>): Preferring {
  let stored: Partial<Record<keyof ShellPreferences, unknown>> = {}
  try {
    const parsed: unknown = JSON.parse(shelf.getItem(place) ?? '{}')
    if (typeof parsed === 'object' && parsed !== null) stored = parsed
  } catch {
    // what cannot be read is as good as not there
  }
  const flag = (name: 'keys' | 'announce' | 'dense') =>
    typeof stored[name] === 'boolean' ? (stored[name] as boolean) : initial[name]
  const theme = stored.theme === 'dark' || stored.theme === 'light' ? stored.theme : 'auto'
  const state = createSignal<ShellPreferences>({
    theme,
    keys: flag('keys'),
    announce: flag('announce'),
    dense: flag('dense'),
  })
  return {
    ...state,
    change(to) {
      state.set({ ...state.get(), ...to })
      try {
        shelf.setItem(place, JSON.stringify(state.get()))
      } catch {
        // a full or forbidden storage forgets; the page goes on
      }
    },
  }
}

/** Keeps the page in the theme that was chosen, or in the system's. Returns what stops it. */
export function followTheme(preferring: Preferring): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    const { theme } = preferring.get()
    document.documentElement.dataset.theme = theme === 'auto' ? (system.matches ? 'dark' : 'light') : theme
  }
  apply()
  system.addEventListener('change', apply)
  const stop = preferring.subscribe(apply)
  return () => {
    system.removeEventListener('change', apply)
    stop()
  }
}
