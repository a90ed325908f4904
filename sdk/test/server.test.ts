import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type PresenceEvent, PresenceServer } from '../src/server'
import { pass } from './outside'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

/** Answers the requests one after the other; the last one never ends. */
function backend(...answers: (Response | Error)[]) {
  const asked: { url: string; headers: Headers; method?: string; body?: unknown }[] = []
  const own = (url: unknown, init: RequestInit = {}) => {
    asked.push({ url: String(url), headers: new Headers(init.headers), method: init.method, body: init.body })
    const a = answers.shift()
    if (a instanceof Error) return Promise.reject(a)
    return a
      ? Promise.resolve(a)
      : new Promise<Response>((_, no) => init.signal?.addEventListener('abort', () => no(new Error('aborted'))))
  }
  const token = vi.fn(({ refused }: { refused?: string }) => (refused ? 'fresh' : 'old'))
  // Only as much of fetch as is used.
  const server = new PresenceServer({ url: 'http://p/', token, fetch: own as typeof fetch })
  const events: PresenceEvent[] = []
  const stop = new AbortController()
  const listen = async () => {
    for await (const e of server.events({ signal: stop.signal })) events.push(e)
  }
  return { server, asked, token, events, stop, listen }
}

const stream = (...lines: string[]) => {
  const bytes = new TextEncoder().encode(`${lines.join('\n')}\n`)
  // Split where it hurts: in the middle of a line.
  const chunks = [bytes.slice(0, 41), bytes.slice(41)]
  return new Response(
    new ReadableStream({
      start(c) {
        for (const chunk of chunks) c.enqueue(chunk)
        c.close()
      },
    }),
  )
}

test('events come with cursors, and go on from the last one', async () => {
  const { events, asked, listen, stop } = backend(
    stream(
      'retry: 3000',
      '',
      'id: e-5',
      'data: {"t":"snap","epoch":"e","seq":5,"full":true,"users":[{"id":"7","s":"away"}]}',
      '',
    ),
    new Error('connection reset'),
    stream(
      ': ping',
      '',
      'id: e-9',
      'data: {"t":"delta","seq":9,"users":[{"id":"7","s":"online","from":"away"}]}',
      '',
      'data: {"t":"gap"}',
      '',
    ),
  )
  const done = listen()
  await pass(60_000)
  expect(events).toMatchObject([
    { type: 'snapshot', full: true, cursor: 'e-5', users: [{ id: '7', status: 'away' }] },
    { type: 'change', full: false, cursor: 'e-9', users: [{ id: '7', status: 'online' }] },
    { type: 'gap', cursor: 'e-9', users: [] },
  ])
  expect(asked.map((a) => a.headers.get('Last-Event-ID'))).toEqual([null, 'e-5', 'e-5', 'e-9'])
  expect(asked.every((a) => a.url === 'http://p/api/v1/feed?scope=all')).toBe(true)
  stop.abort()
  await done
})

test('a token that ran out is replaced; two in a row are the end', async () => {
  const { asked, token, listen } = backend(new Response('', { status: 401 }), new Response('', { status: 401 }))
  const failed = expect(listen()).rejects.toMatchObject({ code: 'unauthenticated', status: 401, retryable: false })
  await pass(60_000)
  await failed
  expect(asked.map((a) => a.headers.get('Authorization'))).toEqual(['Bearer old', 'Bearer fresh'])
  expect(token).toHaveBeenCalledTimes(2)
})

test('Retry-After is obeyed', async () => {
  const busy = new Response('', { status: 503, headers: { 'Retry-After': '30' } })
  const { asked, listen, stop } = backend(busy)
  const done = listen()
  await pass(29_000)
  expect(asked).toHaveLength(1)
  await pass(2000)
  expect(asked).toHaveLength(2)
  stop.abort()
  await done
})

test('a goodbye without a time to come back is the end', async () => {
  const { listen } = backend(stream('data: {"t":"bye","code":4004,"reason":"forbidden"}', ''))
  const failed = expect(listen()).rejects.toMatchObject({ code: 'forbidden', retryable: false })
  await pass(60_000)
  await failed
})

test('asks, buys tickets and throws out', async () => {
  const { server, asked } = backend(
    Response.json({
      items: [{ id: '7', status: 'online', last_seen: '2025-11-24T16:00:00Z', since: null }],
      as_of: '',
    }),
    Response.json({ ticket: 't', expires_in: 60 }),
    Response.json({ ticket: 'u', expires_in: 60 }),
    new Response(null, { status: 204 }),
  )
  expect((await server.query(['7'])).get('7')).toMatchObject({ status: 'online', lastSeen: 1_764_000_000_000 })
  expect(await server.ticket()).toEqual({ ticket: 't', expires: 60 })
  expect(await server.ticket('7', { device: 'd' })).toEqual({ ticket: 'u', expires: 60 })
  await server.forceLogout('7', { reason: 'lost phone' })
  expect(asked.map((a) => `${a.method} ${a.url}`)).toEqual([
    'POST http://p/api/v1/presence/query',
    'POST http://p/api/v1/feed/ticket',
    'POST http://p/api/v1/feed/ticket',
    'POST http://p/api/v1/users/7/force-logout',
  ])
  expect(asked.slice(2).map((a) => a.body)).toEqual(['{"user":"7","device":"d"}', '{"reason":"lost phone"}'])
})
