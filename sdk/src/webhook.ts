import { PresenceError } from './errors'

/** Headers as frameworks have them. */
export type AnyHeaders = Headers | Record<string, string | string[] | undefined>

/** A webhook older than this, in milliseconds, is a replay. */
const tolerance = 300_000

/**
 * Checks that a webhook came from the server (Standard Webhooks, v1) and returns its message. `body` has to be the raw
 * body, byte for byte. Several secrets count while one replaces another. Rejects with PresenceError, code `signature`
 * or `timestamp`; answer that with 400. A message may come twice: remember the ids of its events.
 */
export async function verifyWebhook<T = unknown>(
  body: string | Uint8Array,
  headers: AnyHeaders,
  secrets: string | readonly string[],
  now: number = Date.now(),
): Promise<T> {
  const header = (name: string) => {
    const v =
      headers instanceof Headers
        ? headers.get(name)
        : Object.entries(headers).find(([k]) => k.toLowerCase() === name)?.[1]
    return typeof v === 'string' ? v : ''
  }
  const id = header('webhook-id')
  const at = header('webhook-timestamp')
  if (!/^\d{1,12}$/.test(at) || Math.abs(now - Number(at) * 1000) > tolerance)
    throw new PresenceError('timestamp', 'the webhook is too old, or our clock is wrong')
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body)
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  const start = new TextEncoder().encode(`${id}.${at}.`)
  const signed = new Uint8Array(start.length + bytes.length)
  signed.set(start)
  signed.set(bytes, start.length)
  const signatures = header('webhook-signature')
    .split(' ')
    .flatMap((s) => (s.startsWith('v1,') ? (decode(s.slice(3)) ?? []) : []))
  for (const secret of typeof secrets === 'string' ? [secrets] : secrets) {
    const raw = decode(secret.replace(/^whsec_/, ''))
    if (!raw?.length) throw new TypeError('a webhook secret is whsec_ and base64')
    const key = await crypto.subtle.importKey('raw', raw, { name: 'HMAC', hash: 'SHA-256' }, false, ['verify'])
    for (const signature of signatures) {
      if (await crypto.subtle.verify('HMAC', key, signature, signed)) return JSON.parse(text) as T
    }
  }
  throw new PresenceError('signature', 'the webhook was not signed with this secret')
}

function decode(base64: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))
  } catch {
    return
  }
}
