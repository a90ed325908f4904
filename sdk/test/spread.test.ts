import { expect, test } from 'vitest'
import type { Socket, World } from '../src'
import { createTokens } from '../src/token'
import { createLink } from '../src/transport'

const clients = 10_000

/** Always the same numbers (mulberry32), so that the test says the same each time. */
function dice(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** When each of many clients dials again after they lost the same server at the same moment, in milliseconds. */
async function comeBack(bye?: object): Promise<number[]> {
  const random = dice(7)
  const waits: number[] = []
  const sockets: (Socket & { readyState: number })[] = []
  const world = {
    now: () => 0,
    random,
    online: () => true,
    after: (ms: number) => {
      waits.push(ms)
      return () => {}
    },
    socket: () => {
      const s = { readyState: 1, onopen: null, onmessage: null, onclose: null, send() {}, close() {} }
      sockets.push(s)
      return s
    },
  } as unknown as World
  const nothing = () => {}
  for (let i = 0; i < clients; i++) {
    const tokens = createTokens(() => 'good')
    const auth = () => ({ scope: 'users' as const })
    createLink(world, {
      url: 'ws://x',
      tokens,
      auth,
      frame: nothing,
      state: nothing,
      blocked: nothing,
      trace: nothing,
    }).start()
  }
  while (sockets.length < clients) await new Promise((r) => setTimeout(r))
  for (const s of sockets) {
    s.onopen?.()
    s.onmessage?.({ data: JSON.stringify({ t: 'hello', user: '1', ping_ms: 25_000, pong_ms: 10_000 }) })
    if (bye) s.onmessage?.({ data: JSON.stringify(bye) })
    s.onclose?.({ code: bye ? 1012 : 1006 })
  }
  return waits
}

const seconds = (waits: number[]) => {
  const n: number[] = []
  for (const ms of waits) n[Math.floor(ms / 1000)] = (n[Math.floor(ms / 1000)] ?? 0) + 1
  return n
}

test('S9: ten thousand clients come back spread over the window that the server gives', async () => {
  const waits = await comeBack({ t: 'bye', code: 1012, reason: 'restart', retry_ms: [1000, 21_000] })
  expect(waits).toHaveLength(clients)
  expect(Math.min(...waits)).toBeGreaterThanOrEqual(1000)
  expect(Math.max(...waits)).toBeLessThanOrEqual(21_000)
  const busiest = Math.max(...seconds(waits).filter((n) => n))
  console.log(`  busiest second: ${busiest} of a mean of ${clients / 20}`)
  expect(busiest).toBeLessThan((2 * clients) / 20)
})

test('S9: without a last word of the server the first attempts are spread over three seconds', async () => {
  const waits = await comeBack()
  expect(waits).toHaveLength(clients)
  expect(Math.max(...waits)).toBeLessThanOrEqual(3000)
  expect(Math.max(...seconds(waits).filter((n) => n))).toBeLessThan((2 * clients) / 3)
})
