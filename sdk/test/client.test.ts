import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Presence } from '../src'
import { type FakeTab, open, pass } from './outside'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_764_000_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** What the newest socket was told, but for pongs. */
const said = (tab: FakeTab) => tab.server.sockets.at(-1)?.said.filter((f) => f.t !== 'pong')

describe('watching', () => {
  test('tells what is known and every change, and keeps the object of whoever stays the same', async () => {
    const { presence, server } = open()
    server.users.set('7', { id: '7', s: 'away', ls: 5 })
    const seen: Presence[] = []
    presence.watch(['7', '8'], (p) => seen.push(p))
    presence.connect()
    await pass(100)
    expect(seen.map((p) => `${p.id} ${p.status} ${p.lastSeen}`)).toEqual(['7 away 5', '8 offline undefined'])
    const eight = presence.get('8')
    server.set('7', 'online')
    await pass(100)
    expect(seen).toHaveLength(3)
    expect(seen[2]).toMatchObject({ id: '7', status: 'online', stale: false })
    expect(presence.get('8')).toBe(eight)
    server.set('8', 'online')
    await pass(100)
    const known = presence.get('8')
    server.open[0]?.say({ t: 'delta', seq: 999, users: [server.state('8')] })
    await pass(100)
    expect(presence.get('8')).toBe(known)
    expect(seen).toHaveLength(4)
  })

  test('a repeated and an old delta change nothing', async () => {
    const { presence, server } = open()
    const fn = vi.fn()
    presence.watch('7', fn)
    presence.connect()
    await pass(100)
    fn.mockClear()
    const [socket] = server.open
    socket?.say({ t: 'delta', seq: 101, users: [{ id: '7', s: 'online' }] })
    socket?.say({ t: 'delta', seq: 101, users: [{ id: '7', s: 'away' }] })
    socket?.say({ t: 'delta', seq: 90, users: [{ id: '7', s: 'away' }] })
    await pass(0)
    expect(fn.mock.calls.map(([p]) => p.status)).toEqual(['online'])
  })

  test('is counted: the first asks, the last gives up, in one frame a turn', async () => {
    const { presence, tab } = open()
    presence.connect()
    await pass(100)
    const stops = ['7', '8', '7'].map((id) => presence.watch(id))
    await pass(10)
    expect(said(tab)?.slice(1)).toEqual([
      { t: 'sub', users: ['1'] },
      { t: 'sub', users: ['7', '8'] },
    ])
    stops[0]?.()
    stops[0]?.()
    await pass(10)
    expect(presence.get('7')).toBeDefined()
    stops[2]?.()
    stops[1]?.()
    await pass(10)
    expect(said(tab)?.slice(3)).toEqual([{ t: 'unsub', users: ['7', '8'] }])
    expect(presence.get('7')).toBeUndefined()
  })

  test('watching and looking do not make me present', async () => {
    const { presence, server } = open()
    presence.watch(['7'], () => {})
    await pass(60_000)
    expect(server.sockets).toHaveLength(0)
    expect(presence.connection.state).toBe('idle')
  })

  test('gap: what is held is stale until the whole picture came, also in parts', async () => {
    const { presence, server } = open()
    presence.watch(['7', '8', '9'])
    presence.connect()
    await pass(100)
    const [s] = server.open
    s?.say({ t: 'gap' })
    expect([...presence.all().values()].every((p) => p.stale)).toBe(true)
    s?.say({ t: 'snap', epoch: 'e2', seq: 7, full: true, users: [{ id: '7', s: 'online' }], more: true })
    expect(presence.get('7')).toMatchObject({ stale: false, status: 'online' })
    expect(presence.get('8')).toMatchObject({ stale: true })
    s?.say({ t: 'snap', epoch: 'e2', seq: 7, full: true, users: [{ id: '8', s: 'away' }] })
    expect(presence.get('8')).toMatchObject({ stale: false, status: 'away' })
    expect(presence.get('9')).toBeUndefined()
    expect(presence.get('7')).toMatchObject({ status: 'online' })
  })

  test('query asks a thousand at a time', async () => {
    const { presence, server } = open()
    server.users.set('5', { id: '5', s: 'online', ls: 5 })
    const all = await presence.query(Array.from({ length: 2500 }, (_, i) => String(i)))
    expect(all.size).toBe(2500)
    expect(all.get('5')).toMatchObject({ status: 'online', lastSeen: 5 })
    expect(server.requests.map((r) => (r.body as { ids: string[] }).ids.length)).toEqual([1000, 1000, 500])
  })
})

describe('the link', () => {
  test('the token goes in the first frame and never into an address or the trace', async () => {
    const { presence, server, tab } = open({ url: 'https://presence.example/' })
    presence.connect()
    await pass(100)
    expect(server.sockets[0]?.url).toBe('wss://presence.example/api/v1/feed')
    expect(said(tab)?.[0]).toMatchObject({ t: 'auth', token: 'good' })
    expect(JSON.stringify(presence.debug())).not.toContain('good')
  })

  test('a lost link marks everybody stale and resumes from the cursor', async () => {
    const { presence, server, tab, states } = open()
    presence.watch('7')
    presence.connect()
    await pass(100)
    server.open[0]?.lose(1006)
    expect(presence.get('7')).toMatchObject({ stale: true, status: 'offline' })
    server.set('7', 'online')
    await pass(3100)
    expect(said(tab)?.[0]).toMatchObject({ resume: { epoch: 'e1', seq: 100 }, users: ['7', '1'] })
    expect(presence.get('7')).toMatchObject({ stale: false, status: 'online' })
    expect(states).toEqual(['connecting', 'connected', 'waiting', 'connecting', 'connected'])
  })

  test('comes back with full jitter between 0.5 and 20 s, which starts over after 30 s of peace', async () => {
    const { presence, server } = open()
    vi.spyOn(Math, 'random').mockReturnValue(1)
    server.reach = 'refused'
    const waits: number[] = []
    presence.on('connection', (c) => c.state === 'waiting' && !c.beats && waits.push((c.retryAt ?? 0) - Date.now()))
    presence.connect()
    await pass(10_000)
    expect(waits).toEqual([3000, 6000, 12_000])
    server.reach = 'open'
    await pass(60_000)
    waits.length = 0
    server.open[0]?.lose(1006)
    expect(waits).toEqual([3000])
  })

  test('the least wait after the first is half a second', async () => {
    const { presence, server } = open()
    vi.spyOn(Math, 'random').mockReturnValue(0)
    server.reach = 'refused'
    const waits: number[] = []
    presence.on('connection', (c) => c.state === 'waiting' && waits.push((c.retryAt ?? 0) - Date.now()))
    presence.connect()
    await pass(2000)
    expect(waits.slice(0, 3)).toEqual([0, 500, 500])
  })

  test("the server's window is obeyed, whatever wakes the page meanwhile", async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(100)
    server.bye(1012, 'restart', [40_000, 50_000])
    tab.fire('online', 'focus', 'pageshow')
    await pass(39_000)
    expect(server.sockets).toHaveLength(1)
    await pass(12_000)
    expect(server.sockets).toHaveLength(2)
    expect(presence.connection.state).toBe('connected')
  })

  test.each([
    [1008, 'bad_frame'],
    [4004, 'forbidden'],
  ])('%i %s is the last word', async (code, reason) => {
    const { presence, server } = open()
    presence.connect()
    await pass(100)
    server.bye(code, reason)
    await pass(600_000)
    expect(server.sockets).toHaveLength(1)
    expect(presence.connection).toMatchObject({ state: 'denied', error: { code: reason } })
    presence.connect()
    await pass(100)
    expect(presence.connection.state).toBe('connected')
  })

  test.each(['visibilitychange', 'pageshow', 'online', 'resume', 'focus'])('%s dials at once', async (event) => {
    const { presence, server, tab } = open()
    vi.spyOn(Math, 'random').mockReturnValue(1)
    presence.connect()
    await pass(100)
    server.open[0]?.lose(1006)
    tab.fire(event)
    await pass(50)
    expect(presence.connection.state).toBe('connected')
  })

  test('being hidden is no reason to dial, and is looked up each time', async () => {
    const { presence, server, tab } = open()
    vi.spyOn(Math, 'random').mockReturnValue(1)
    presence.connect()
    await pass(100)
    server.open[0]?.lose(1006)
    tab.hide()
    await pass(50)
    expect(presence.connection.state).toBe('waiting')
  })

  test('a healthy socket is asked at waking and kept; a zombie is replaced within 5 s', async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(1000)
    tab.fire('focus')
    await pass(10_000)
    expect(server.sockets).toHaveLength(1)
    if (server.sockets[0]) server.sockets[0].dead = true
    tab.fire('focus')
    await pass(5100)
    expect(server.sockets).toHaveLength(2)
    expect(presence.connection.state).toBe('connected')
  })

  test('an hour of sleep is noticed by the clock', async () => {
    const { presence, server } = open()
    presence.connect()
    await pass(1000)
    if (server.sockets[0]) server.sockets[0].dead = true
    vi.setSystemTime(Date.now() + 3_600_000)
    await pass(5000 + 5000 + 3100)
    expect(server.open).toHaveLength(1)
    expect(presence.connection.state).toBe('connected')
  })

  test('silence of a ping and its patience means dead', async () => {
    const { presence, server } = open()
    server.pings = false
    presence.connect()
    await pass(34_000)
    expect(server.sockets).toHaveLength(1)
    await pass(12_000)
    expect(server.sockets.length).toBeGreaterThan(1)
  })

  test('every ping is answered, thirty hidden minutes long', async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(100)
    tab.hide()
    await pass(30 * 60_000)
    expect(server.sockets).toHaveLength(1)
    expect(server.sockets[0]?.said.filter((f) => f.t === 'pong')).toHaveLength(72)
  })

  test('offline is said as such', async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(100)
    tab.online = false
    server.open[0]?.lose(1006)
    expect(presence.connection).toMatchObject({ state: 'offline', error: { code: 'unreachable', retryable: true } })
  })

  test('after close() nothing reopens it but connect()', async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(100)
    await presence.close()
    tab.fire('focus', 'online', 'pageshow')
    await pass(600_000)
    expect(server.open).toHaveLength(0)
    expect(server.sockets).toHaveLength(1)
    expect(presence.connection.state).toBe('closed')
    presence.connect()
    await pass(100)
    expect(presence.connection.state).toBe('connected')
  })

  test('connect, close, connect in one turn is one socket', async () => {
    const { presence, server } = open()
    presence.connect()
    void presence.close()
    presence.connect()
    await pass(1000)
    expect(server.sockets).toHaveLength(1)
    expect(presence.connection.state).toBe('connected')
  })

  test('leaving says so, and coming back from the cache resumes', async () => {
    const { presence, server, tab } = open()
    presence.connect()
    await pass(100)
    tab.fire('pagehide')
    expect(server.sockets[0]?.said.at(-1)).toEqual({ t: 'leave' })
    await pass(60_000)
    expect(server.sockets).toHaveLength(1)
    tab.fire('pageshow')
    await pass(100)
    expect(presence.connection.state).toBe('connected')
  })
})

describe('tokens', () => {
  test('one refused: one refresh; two refused: denied, and no loop', async () => {
    const { presence, server, token } = open({})
    token.mockImplementation(async ({ refused }) => (refused ? 'fresh' : 'old'))
    server.token = 'fresh'
    presence.connect()
    await pass(1000)
    expect(presence.connection.state).toBe('connected')
    expect(token.mock.calls).toEqual([[{ refused: undefined }], [{ refused: 'old' }]])
    server.token = 'none of them'
    server.bye(4003, 'unauthenticated')
    await pass(600_000)
    expect(presence.connection).toMatchObject({ state: 'denied', error: { code: 'unauthenticated' } })
    expect(token.mock.calls.length).toBeLessThan(6)
  })

  test('however many need one, it is asked once', async () => {
    const { presence, token } = open()
    token.mockImplementation(() => new Promise((r) => setTimeout(r, 500, 'good')))
    presence.connect()
    const all = Promise.all([presence.query(['1']), presence.query(['2']), presence.query(['3'])])
    await pass(1000)
    await all
    expect(token).toHaveBeenCalledTimes(1)
  })

  test('null is nobody, not a loop; and nobody is not signed out who was not in', async () => {
    const { presence, server, token } = open()
    const out = vi.fn()
    presence.on('signedout', out)
    token.mockResolvedValue(null)
    presence.connect()
    await pass(600_000)
    expect(token).toHaveBeenCalledTimes(1)
    expect(server.sockets).toHaveLength(0)
    expect(presence.connection).toMatchObject({ state: 'denied', error: { code: 'signed_out' } })
    expect(out).not.toHaveBeenCalled()
    token.mockResolvedValue('good') // the same client, after login
    presence.connect()
    await pass(100)
    expect(presence.connection.state).toBe('connected')
  })

  test('a source that fails is asked again later', async () => {
    const { presence, token } = open()
    token.mockRejectedValueOnce(new Error('login server is down'))
    presence.connect()
    await pass(10)
    expect(presence.connection).toMatchObject({ state: 'waiting', error: { code: 'token_source', retryable: true } })
    await pass(3100)
    expect(presence.connection.state).toBe('connected')
  })

  test('is renewed while connected', async () => {
    const { presence, server, token } = open()
    presence.connect()
    await pass(100)
    token.mockResolvedValue('second')
    server.sockets[0]?.say({ t: 'renew', in_ms: 60_000 })
    await pass(100)
    expect(token).toHaveBeenLastCalledWith({ refused: 'good' })
    expect(server.sockets[0]?.said.at(-1)).toEqual({ t: 'token', token: 'second' })
    expect(server.sockets).toHaveLength(1)
  })

  test('one that ran out comes back with another', async () => {
    const { presence, server, token } = open()
    presence.connect()
    await pass(100)
    token.mockResolvedValue((server.token = 'second'))
    server.bye(4002, 'token_expired', [0, 0])
    await pass(100)
    expect(presence.connection.state).toBe('connected')
    expect(token).toHaveBeenCalledTimes(2)
  })

  test('a closed client does not dial when its token comes at last', async () => {
    const { presence, server, token } = open()
    token.mockImplementation(() => new Promise((r) => setTimeout(r, 500, 'good')))
    presence.connect()
    await pass(100)
    void presence.close()
    await pass(5000)
    expect(server.sockets).toHaveLength(0)
  })

  test('the end of the session is told, once, and is not argued with', async () => {
    const { presence, server } = open()
    const out = vi.fn()
    presence.on('signedout', out)
    presence.connect()
    await pass(100)
    server.bye(4001, 'session_over')
    await pass(600_000)
    expect(out.mock.calls).toEqual([[{ reason: 'session_over' }]])
    expect(server.sockets).toHaveLength(1)
  })
})

describe('being there', () => {
  const moods = (tab: FakeTab) =>
    said(tab)
      ?.map((f) => f.t)
      .filter((t) => t === 'idle' || t === 'active')

  test('five minutes without input is away; the first touch is back', async () => {
    const { presence, tab } = open()
    presence.connect()
    await pass(299_000)
    expect(moods(tab)).toEqual([])
    await pass(6000)
    expect(moods(tab)).toEqual(['idle'])
    tab.fire('pointermove')
    expect(moods(tab)).toEqual(['idle', 'active'])
  })

  test('false is never', async () => {
    const { presence, tab } = open({ awayAfter: false })
    presence.connect()
    await pass(3_600_000)
    expect(moods(tab)).toEqual([])
  })

  test('a new connection knows that I am away', async () => {
    const { presence, tab, server } = open()
    presence.connect()
    await pass(400_000)
    server.open[0]?.lose(1006)
    await pass(3100)
    expect(said(tab)?.[0]).toMatchObject({ t: 'auth', idle: true })
  })

  test('my own word goes to the server, which keeps it for all my devices', async () => {
    const { presence, server } = open()
    presence.connect()
    await pass(100)
    const until = Date.now() + 60_000
    await presence.setStatus('away', { until, text: 'travelling' })
    await presence.setStatus('auto')
    expect(server.requests).toEqual([
      {
        url: 'https://page.example/api/v1/me/status',
        token: 'good',
        body: { status: 'away', until: new Date(until).toISOString(), text: 'travelling' },
      },
      { url: 'https://page.example/api/v1/me/status', token: 'good', body: { status: 'auto' } },
    ])
  })

  test("an admin's hold is told as what it is", async () => {
    const { presence, server } = open()
    server.answer = (url) =>
      url.endsWith('/me/status')
        ? Response.json({ code: 'held', detail: 'An admin has decided' }, { status: 409 })
        : undefined
    await expect(presence.setStatus('away')).rejects.toMatchObject({
      code: 'held',
      message: 'An admin has decided',
      retryable: false,
      status: 409,
      doc: 'https://github.com/offchat/presence/blob/main/docs/errors.md#held',
    })
  })

  test('logout ends the session, and tells nobody here what they know', async () => {
    const { presence, server } = open()
    presence.connect()
    await pass(100)
    await presence.close({ offline: true })
    expect(server.requests.map((r) => [r.url, r.token])).toEqual([['https://page.example/api/auth/logout/', 'good']])
    expect(server.open).toHaveLength(0)
  })
})

describe('where sockets are blocked', () => {
  test.each(['refused', 'none'] as const)(
    '(%s) heartbeats keep me online and tell about those I watch',
    async (reach) => {
      const { presence, server } = open()
      server.reach = reach
      server.users.set('7', { id: '7', s: 'online' })
      presence.watch('7')
      presence.connect()
      await pass(30_000)
      const beats = () => server.requests.filter((r) => r.url.endsWith('/api/users/heartbeat/')).length
      expect(presence.connection.beats).toBe(true)
      expect(presence.get('7')).toMatchObject({ status: 'online', stale: false })
      const before = beats()
      await pass(300_000)
      expect(beats() - before).toBe(10)
      server.reach = 'open'
      await pass(25_000)
      expect(presence.connection).toEqual({ state: 'connected' })
      const after = beats()
      await pass(120_000)
      expect(beats()).toBe(after)
    },
  )

  test('a ticket is asked for once: the server gives a pass for it, and the socket takes that as well', async () => {
    let asked = 0
    const { presence, server } = open({
      token: () => {
        server.tickets.add(`ticket ${++asked}`)
        return `ticket ${asked}`
      },
    })
    server.token = 'nobody has it'
    server.reach = 'none'
    server.users.set('7', { id: '7', s: 'online' })
    presence.watch('7')
    presence.connect()
    await pass(600_000)
    expect(presence.connection.beats).toBe(true)
    expect(presence.get('7')).toMatchObject({ status: 'online', stale: false })
    expect(asked).toBe(1)
    server.reach = 'open'
    await pass(25_000)
    expect(presence.connection).toEqual({ state: 'connected' })
    expect(asked).toBe(1)
    server.passes.clear() // its session is over, or its time
    expect((await presence.query(['7'])).get('7')?.status).toBe('online')
    expect(asked).toBe(2)
  })

  test('a ticket that opened the socket is worth nothing to a request, which gets another', async () => {
    let asked = 0
    const { presence, server } = open({
      token: () => {
        server.tickets.add(`ticket ${++asked}`)
        return `ticket ${asked}`
      },
    })
    server.token = 'nobody has it'
    presence.connect()
    await pass(1000)
    expect(presence.connection.state).toBe('connected')
    await presence.setStatus('away')
    await presence.setStatus('auto')
    expect(asked).toBe(2)
    expect(server.requests.map((r) => r.token)).toEqual(['ticket 1', 'ticket 2', 'pass for ticket 2'])
  })

  test('the server says how often, and when not', async () => {
    const { presence, server } = open()
    server.reach = 'none'
    server.heartbeat = 10
    let n = 0
    server.answer = (url) => {
      if (!url.endsWith('/heartbeat/')) return
      if (n++ === 1) return new Response('{}', { status: 503, headers: { 'Retry-After': '90' } })
      return new Response('{}')
    }
    presence.connect()
    await pass(40_000)
    expect(n).toBe(2)
    await pass(60_000)
    expect(n).toBe(2)
    await pass(40_000)
    expect(n).toBeGreaterThan(2)
  })

  test('a session that is over ends the beats too', async () => {
    const { presence, server } = open()
    server.reach = 'none'
    presence.connect()
    await pass(30_000)
    server.token = 'not this one'
    server.answer = (url) => (url.endsWith('/heartbeat/') ? new Response('{}', { status: 401 }) : undefined)
    await pass(100_000)
    expect(presence.connection).toMatchObject({ state: 'denied', error: { code: 'unauthenticated' } })
    const n = server.requests.length
    await pass(600_000)
    expect(server.requests).toHaveLength(n)
  })
})
