/**
 * One line for any page:
 *
 *     <script src="/sdk/presence.js" data-token-url="/my/token" defer></script>
 *     <i data-presence="7"></i>
 *
 * makes me present and every such element, also one that comes later, a dot of that person.
 */
import { createPresence } from './client'
import type { Presence, Token } from './types'

export { createPresence } from './client'
export { PresenceError } from './errors'

const colours = { online: '#1a7f37', away: '#bf8700', offline: '#8c959f' }
const script = document.currentScript as HTMLScriptElement | null
const tokenURL = script?.dataset.tokenUrl

/** The client of this page, if the script has a data-token-url. */
export const presence = tokenURL
  ? createPresence({ url: script?.dataset.url ?? new URL(script.src).origin, token: () => fetchToken(tokenURL) })
  : undefined

/** The address answers with the token as text, or as `token`, `ticket`, `access` or `access_token` of an object; 401, 403, 204: nobody. */
async function fetchToken(url: string): Promise<Token> {
  const r = await fetch(url, { credentials: 'same-origin', cache: 'no-store' })
  if (r.status === 401 || r.status === 403 || r.status === 204) return null
  if (!r.ok) throw new Error(`${url}: HTTP ${r.status}`)
  const text = (await r.text()).trim()
  if (!text.startsWith('{')) return text || null
  const o = JSON.parse(text) as Record<string, string | undefined>
  return o.token ?? o.ticket ?? o.access ?? o.access_token ?? null
}

const stops = new Map<HTMLElement, { id: string; stop: () => void }>()

function draw(e: HTMLElement, { status, stale, lastSeen }: Presence): void {
  e.dataset.status = status
  e.toggleAttribute('data-stale', stale)
  e.setAttribute('role', 'img')
  e.setAttribute('aria-label', status)
  e.title = lastSeen && status === 'offline' ? `${status}, ${new Date(lastSeen).toLocaleString()}` : status
  const { style } = e
  style.display = 'inline-block'
  style.width = style.height = 'var(--presence-size,.6em)'
  style.borderRadius = '50%'
  style.background = `var(--presence-${status},${colours[status]})`
}

/** Watches for those elements that are there, and no longer for those that are not. */
function look(): void {
  const there = new Set(document.querySelectorAll<HTMLElement>('[data-presence]'))
  for (const [e, w] of stops) {
    if (there.has(e) && e.dataset.presence === w.id) continue
    w.stop()
    stops.delete(e)
  }
  for (const e of there) {
    const id = e.dataset.presence
    if (!id || !presence || stops.has(e)) continue
    stops.set(e, { id, stop: presence.watch(id, (p) => draw(e, p)) })
  }
}

if (presence) {
  look()
  const filter = { childList: true, subtree: true, attributes: true, attributeFilter: ['data-presence'] }
  new MutationObserver(look).observe(document.documentElement, filter)
  presence.connect()
}
