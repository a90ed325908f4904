import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { UserDetail } from '../../web/src/wire'
import { PresenceServer } from '../src/server'
import { Chrome, type Page } from './chrome'
import { House, later, until } from './house'

// Against the real server: SDK_SERVER=../bin/presence npm run test:browser
const binary = process.env.SDK_SERVER
const suite = describe.skipIf(!binary)

let house: House
let chrome: Chrome
let backend: PresenceServer
// Everybody meets these two; each test has somebody of its own.
let zahra: string
let ahmad: string
let pages: Page[] = []
let began = ''

/** A page of another origin than the server's. */
const page = (url: string, house: House) => {
  const q = new URL(url, 'http://x').searchParams
  const before = q.has('nosockets') ? 'WebSocket = function () { throw new Error("blocked") }' : ''
  return `<!doctype html><title>page</title><script>${before}; asked = 0
      const real = fetch; fetch = (...a) => (/\\/my\\/token|\\/ticket\\//.test(a[0]) && asked++, real(...a))</script>
    <script src="${house.url}/sdk/presence.js" data-token-url="${q.get('token') ?? '/my/token'}?user=${q.get('user')}&device=${q.get('device') ?? ''}" defer></script>
    <i data-presence="${q.get('watch')}"></i>
    <script>addEventListener('DOMContentLoaded', () => {
      client = OffChatPresence.presence; out = ''; client.on('signedout', (r) => (out = r.reason)) })</script>`
}

beforeAll(async () => {
  if (!binary) return
  const leases = ['--offline-after', '12s', '--heartbeat-interval', '3s', '--leave-grace', '4s']
  const answer = (path: string) =>
    /^\/ticket\/([^?]+)/.exec(path)?.[1] ?? (path.startsWith('/bad') ? 'bad' : page(path, house))
  house = await House.start(binary, (req) => answer(req.url ?? '/'), leases)
  zahra = await house.person('zahra')
  ahmad = await house.person('ahmad')
  backend = new PresenceServer({ url: house.url, token: () => house.login('root') })
  chrome = await Chrome.start()
})
afterAll(async () => {
  await chrome?.stop()
  await house?.stop()
})
beforeEach(async () => {
  if (binary) began = (await house.ask<UserDetail>(`users/${zahra}`)).as_of
})
afterEach(async () => {
  for (const p of pages) await p.close().catch(() => {})
  pages = []
})

const open = async (query: string, apart = false) => {
  const p = await chrome.open(`${house.site}/?${query}`, apart)
  pages.push(p)
  return p
}
const state = (p: Page) => p.eval<string>('globalThis.client ? client.connection.state : "none"').catch(() => 'none')
const connected = (p: Page) => until(async () => (await state(p)) === 'connected')
const dot = (p: Page) => p.eval<string>('document.querySelector("i").dataset.status')
const status = async (id: string) => (await backend.query([id])).get(id)?.status
const sessions = async (id: string) => (await house.ask<UserDetail>(`users/${id}`)).sessions.filter((s) => s.live)
/** When and why somebody went offline since the test began, by the server's own book. */
const offlines = async (id: string) =>
  (await house.ask<UserDetail>(`users/${id}`)).transitions.filter((t) => t.to === 'offline' && t.at > began)
const figure = (text: string) => console.log(`  ${text}`)

suite('the real server', { timeout: 180_000 }, () => {
  test('two people see each other come, go away on every device, return and be thrown out', async () => {
    const a = await open(`user=ahmad&watch=${zahra}`, true)
    await connected(a)
    const z = await open(`user=zahra&watch=${ahmad}`, true)
    await connected(z)
    await until(async () => (await dot(a)) === 'online')
    const asked = await backend.query([zahra, ahmad, '999'])
    expect([zahra, ahmad, '999'].map((id) => asked.get(id)?.status)).toEqual(['online', 'online', 'offline'])

    const phone = await open(`user=zahra&device=phone&watch=${ahmad}`, true)
    await connected(phone)
    await phone.eval('client.setStatus("away", { until: Date.now() + 3600_000, text: "travelling" })')
    figure(`away on the other's dot after ${await until(async () => (await dot(a)) === 'away')} ms`)
    expect(await house.ask<UserDetail>(`users/${zahra}`)).toMatchObject({ own_status: { text: 'travelling' } })
    await z.eval('client.setStatus("auto")')
    await until(async () => (await dot(a)) === 'online')

    await backend.forceLogout(zahra, { reason: 'lost phone' })
    figure(`forced logout on the other's dot after ${await until(async () => (await dot(a)) === 'offline')} ms`)
    for (const p of [z, phone]) {
      await until(async () => (await p.eval('out')) === 'session_over')
      expect(await state(p)).toBe('denied')
    }
  })

  test('S1: a hidden tab whose timers stand still keeps its person online', async () => {
    const laila = await house.person('laila')
    const p = await open(`user=laila&watch=${ahmad}`)
    await connected(p)
    const front = await chrome.open('about:blank')
    pages.push(front)
    await front.show()
    expect(await p.eval('document.visibilityState')).toBe('hidden')
    await later(25_000) // two leases; the timers stand still after ten seconds
    expect(await offlines(laila)).toEqual([])
    expect(await status(laila)).toBe('online')
    expect(await state(p)).toBe('connected')
  })

  test('S2, S3: five tabs are one connection of one device; the carrier freezes, then it closes, and nobody notices', async () => {
    const farid = await house.person('farid')
    const connections = async () => (await sessions(farid)).reduce((n, s) => n + s.connections, 0)
    for (let i = 0; i < 5; i++) await connected(await open(`user=farid&watch=${ahmad}`))
    await until(async () => (await connections()) === 1)
    const carrier = pages.at(-1)
    const next = pages[0]
    await next?.show()
    await carrier?.freeze()
    await later(10_000)
    expect(await offlines(farid)).toEqual([])
    expect(await state(next as Page)).toBe('connected')
    await until(async () => (await connections()) === 1)
    await carrier?.thaw()
    await next?.close()
    pages.shift()
    await until(async () => (await state(pages[0] as Page)) === 'connected' && (await connections()) === 1)
    expect((await sessions(farid)).filter((s) => s.connections)).toHaveLength(1)
    expect(await offlines(farid)).toEqual([])
  })

  test('S4, S9: the server restarts; the page comes back by itself, and nobody was offline', async () => {
    const nadia = await house.person('nadia')
    const p = await open(`user=nadia&watch=${ahmad}`)
    await connected(p)
    await house.halt()
    await until(async () => ['waiting', 'offline'].includes(await state(p)))
    expect(await p.eval('client.get(client.me ?? "")?.stale ?? true')).toBe(true)
    await house.serve()
    figure(`back ${await connected(p)} ms after the server was`)
    await until(async () => (await status(nadia)) === 'online')
    expect(await offlines(nadia)).toEqual([])
  })

  test('S5: reloads are no absence; a close is one; the logout button is at once and everywhere', async () => {
    const [jamal, karima] = [await house.person('jamal'), await house.person('karima')]
    const p = await open(`user=jamal&watch=${ahmad}`)
    await connected(p)
    for (let i = 0; i < 3; i++) {
      await p.reload()
      await until(async () => (await p.eval('performance.navigation.type').catch(() => 0)) === 1)
      await connected(p)
    }
    await later(5000) // longer than the grace
    expect(await offlines(jamal)).toEqual([])
    const q = await open(`user=jamal&watch=${ahmad}`)
    await connected(q)
    await q.eval('void client.close({ offline: true })')
    figure(`logout seen after ${await until(async () => (await offlines(jamal)).length)} ms`)
    await until(async () => (await p.eval('out')) === 'logout')
    const w = await open(`user=karima&watch=${jamal}`, true)
    await connected(w)
    await w.close()
    figure(`close seen after ${await until(async () => (await offlines(karima)).length)} ms, 4000 of them grace`)
  })

  test('S6: a token that the server refuses twice is the end, and no loop', async () => {
    await house.person('omid')
    const p = await open('user=omid&watch=1&token=/bad')
    await until(async () => (await state(p)) === 'denied')
    expect(await p.eval('client.connection.error.code')).toBe('unauthenticated')
    const before = await p.eval('performance.getEntriesByType("resource").length')
    await later(5000)
    expect(await p.eval('performance.getEntriesByType("resource").length')).toBe(before)
  })

  test('S10: where sockets are blocked, heartbeats keep me online and dots true', async () => {
    const parwin = await house.person('parwin')
    const p = await open(`user=parwin&watch=${ahmad}&nosockets`)
    await until(async () => (await p.eval('client.connection.beats').catch(() => false)) === true)
    await until(async () => (await status(parwin)) === 'online')
    const a = await open(`user=ahmad&watch=${parwin}`, true)
    await connected(a)
    await until(async () => (await dot(a)) === 'online' && (await dot(p)) === 'online')
    await later(14_000) // longer than a lease
    expect(await offlines(parwin)).toEqual([])
  })

  test('S10: where sockets are blocked and the application gives tickets, one ticket is enough', async () => {
    const token = /opt_\w+/.exec(house.run(['token', 'create', 'desk', '--scope', 'read,tickets']))?.[0] ?? ''
    const desk = new PresenceServer({ url: house.url, token })
    const soraya = await house.person('soraya')
    const { ticket } = await desk.ticket(soraya, { device: 'laptop', ttl: 300 })
    const p = await open(`user=&watch=${ahmad}&token=/ticket/${ticket}&nosockets`)
    await until(async () => (await p.eval('client.connection.beats').catch(() => false)) === true)
    await until(async () => (await status(soraya)) === 'online')
    await p.eval('client.setStatus("away", { text: "at lunch" })')
    await until(async () => (await status(soraya)) === 'away')
    await p.eval('client.setStatus("auto")')
    await later(14_000) // longer than a lease
    expect(await status(soraya)).toBe('online')
    expect(await offlines(soraya)).toEqual([])
    expect(await p.eval('asked')).toBe(1)
    expect(await p.eval(`client.query(["${ahmad}"]).then((m) => m.size)`)).toBe(1)
  })

  test('a backend with a token of its own: touches, asks, listens, and lets its users in by tickets', async () => {
    const [mina, yusuf] = [await house.person('mina'), await house.person('yusuf')]
    const made = house.run(['token', 'create', 'shop', '--scope', 'touch,read,tickets,logout'])
    const token = /opt_\w+/.exec(made)?.[0] ?? ''
    const shop = new PresenceServer({ url: house.url, token })
    const end = new AbortController()
    const told: string[] = []
    const hearing = (async () => {
      for await (const e of shop.events({ users: [mina], signal: end.signal }))
        told.push(...e.users.map((u) => u.status))
    })()
    await until(() => told.length > 0)
    await shop.touch([mina, yusuf], { source: 'mobile-api' })
    await until(() => told.at(-1) === 'online')
    expect((await shop.query([yusuf])).get(yusuf)?.status).toBe('online')
    expect((await sessions(mina)).map((s) => s.user_agent).join()).toContain('mobile-api')

    const { ticket } = await shop.ticket(yusuf, { device: 'laptop' })
    const p = await open(`user=&watch=${mina}&token=/ticket/${ticket}`)
    await connected(p)
    expect(await p.eval('client.me')).toBe(yusuf)
    await until(async () => (await dot(p)) === 'online')
    await shop.forceLogout(mina)
    await until(() => told.at(-1) === 'offline')
    end.abort()
    await hearing
  })
})
