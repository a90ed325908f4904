import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Chrome, type Page } from './chrome'
import { Feed } from './feed'

const hidden = Number(process.env.SDK_HIDDEN_SECONDS ?? 30)
// How fast it has to be is judged on a quiet machine (SDK_STRICT=1); elsewhere a figure only has to be in proportion.
const slack = process.env.SDK_STRICT ? 1 : 30

let chrome: Chrome
let feed: Feed
let pages: Page[]

beforeAll(async () => {
  chrome = await Chrome.start()
})
afterAll(() => chrome?.stop())
beforeEach(async () => {
  feed = await Feed.start()
  pages = []
})
afterEach(async () => {
  for (const p of pages) await p.close().catch(() => {})
  await feed.stop()
})

const open = async (query = '') => {
  const p = await chrome.open(feed.url + query)
  pages.push(p)
  return p
}
const state = (p: Page) => p.eval<string>('globalThis.client ? client.connection.state : "none"')
const later = (ms: number) => new Promise((r) => setTimeout(r, ms))

/** Waits for something to be so; how long is what it resolves to. */
async function until(what: () => unknown, most = 60_000): Promise<number> {
  const start = Date.now()
  while (!(await what())) {
    if (Date.now() - start > most) throw new Error(`not so after ${most} ms: ${what}`)
    await later(20)
  }
  return Date.now() - start
}
const connected = (p: Page) => until(async () => (await state(p)) === 'connected')
const figure = (text: string) => console.log(`  ${text}`)

test('one line of script makes a dot', async () => {
  const p = await open()
  await connected(p)
  await until(async () => (await p.eval('document.querySelector("i").dataset.status')) === 'online')
  expect(await p.eval('document.querySelector("i").getAttribute("aria-label")')).toBe('online')
  await p.eval('document.body.insertAdjacentHTML("beforeend", "<b data-presence=8></b>")')
  await until(async () => (await p.eval('document.querySelector("b").dataset.status')) === 'away')
})

test('S1: a hidden tab whose timers stand still answers every ping', { timeout: (hidden + 60) * 1000 }, async () => {
  const p = await open()
  await connected(p)
  const front = await chrome.open('about:blank')
  pages.push(front)
  await front.show()
  expect(await p.eval('document.visibilityState')).toBe('hidden')
  await later(12_000)
  const before = await p.eval<number>('ticks')
  await later((hidden - 12) * 1000)
  const ticks = (await p.eval<number>('ticks')) - before
  const [c] = feed.open
  figure(
    `hidden ${hidden} s: ${ticks} main-thread ticks of ${hidden - 12}; ${c?.pongs} of ${c?.pings} pings answered within ${c?.slowest} ms`,
  )
  expect(ticks).toBeLessThan(2 + hidden / 30) // throttling was on
  expect(feed.connections).toHaveLength(1)
  expect(c?.pongs).toBeGreaterThan(hidden / 3)
  expect(feed.offlines).toBe(0)
})

describe('S2: the tab that carries the socket is frozen', () => {
  test('the one that is seen takes over, and the thawed one is connected within 1 s', async () => {
    const a = await open()
    await connected(a)
    const b = await open()
    await connected(b)
    await a.show()
    await until(async () => (await a.eval('document.visibilityState')) === 'visible')
    await until(() => feed.open.length === 1)
    await later(2500) // whoever was to take over has
    const carriers = feed.connections.length
    await b.show()
    await a.freeze()
    const took = await until(() => feed.connections.length > carriers)
    await later(8000)
    expect(feed.offlines).toBe(0)
    expect(await state(b)).toBe('connected')
    await a.show()
    await a.thaw()
    const thawed = await connected(a)
    figure(`taken over after ${took} ms; thawed and connected after ${thawed} ms`)
    expect(took).toBeLessThan(6500 * slack)
    expect(thawed).toBeLessThan(1000 * slack)
    await later(3000)
    expect(feed.open).toHaveLength(1)
    expect(feed.offlines).toBe(0)
  })

  test('alone: thawed after its socket died, it is back within 1 s', async () => {
    feed.pongMs = 1500
    const a = await open()
    await connected(a)
    const front = await chrome.open('about:blank')
    pages.push(front)
    await front.show()
    await a.freeze()
    await until(() => feed.open.length === 0)
    await a.thaw()
    await a.show()
    const back = await until(() => feed.open.length === 1)
    figure(`alone, thawed and back after ${back} ms`)
    expect(back).toBeLessThan(1000 * slack)
  })
})

describe('S3: five tabs', () => {
  test('are one socket; when the carrier closes the next is there within 500 ms', async () => {
    for (let i = 0; i < 5; i++) await connected(await open())
    await later(2500)
    expect(feed.open).toHaveLength(1)
    const before = feed.connections.length
    await pages.at(-1)?.close() // the last one opened is seen, and carries
    await until(() => feed.connections.length > before && feed.open.length === 1)
    const gap = (feed.open[0]?.authAt ?? 0) - (feed.connections[before - 1]?.closedAt ?? 0)
    figure(`five tabs, ${before} sockets in all, one at a time; the next one ${gap} ms after the carrier's`)
    expect(gap).toBeLessThan(500 * slack)
    expect(feed.offlines).toBe(0)
  })

  test('without Web Locks each has its own, and it is still one person', async () => {
    for (let i = 0; i < 3; i++) await connected(await open('/?nolocks'))
    expect(feed.open).toHaveLength(3)
    expect(feed.transitions).toHaveLength(1)
  })
})

describe('S4: sleep and network', () => {
  test('back on the network it dials at once; a healthy socket is kept', async () => {
    const p = await open()
    await connected(p)
    const front = await chrome.open('about:blank')
    pages.push(front)
    for (let i = 0; i < 3; i++) {
      await front.show()
      await p.show()
      await later(300)
    }
    expect(feed.connections).toHaveLength(1)
    feed.refuse = true
    await p.send('Network.enable')
    await p.send('Network.emulateNetworkConditions', {
      offline: true,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    })
    feed.cut()
    await until(async () => (await state(p)) === 'offline')
    await later(8000)
    feed.refuse = false
    await p.send('Network.emulateNetworkConditions', {
      offline: false,
      latency: 0,
      downloadThroughput: -1,
      uploadThroughput: -1,
    })
    const back = await connected(p)
    figure(`back on the network and connected after ${back} ms`)
    expect(back).toBeLessThan(1000 * slack)
  })

  test('a half-open link is found when the page is shown', async () => {
    feed.pingMs = 60_000 // nothing but the look at waking can find it
    const p = await open()
    await connected(p)
    const front = await chrome.open('about:blank')
    pages.push(front)
    await front.show()
    for (const c of feed.open) c.mute = true
    await p.show()
    const found = await until(() => feed.connections.length === 2)
    await connected(p)
    figure(`half-open link replaced after ${found} ms`)
    expect(found).toBeLessThan(6000 * slack)
  })
})

test('S5: reloads are no absence; a close is told at once; logout is at once and everywhere', async () => {
  const p = await open()
  await connected(p)
  for (let i = 0; i < 5; i++) {
    await p.reload()
    await until(
      async () => (await p.eval('globalThis.states?.length ?? 0').catch(() => 0)) && (await state(p)) === 'connected',
    )
  }
  expect(feed.transitions).toHaveLength(1)
  const q = await open()
  await connected(q)
  const start = Date.now()
  await q.eval('void client.close({ offline: true })')
  await until(async () => (await p.eval('out')) === 'logout')
  const told = Date.now() - start
  await until(() => feed.offlines === 1)
  expect(await state(p)).toBe('denied')
  expect(await state(q)).toBe('closed')
  await q.eval('client.connect()')
  await connected(q)
  await q.close()
  const closed = await until(() => feed.open.length === 0)
  const offline = await until(() => feed.offlines === 2)
  figure(
    `logout offline and in the other tab after ${told} ms; close seen after ${closed} ms, offline after ${offline} ms`,
  )
  expect(told).toBeLessThan(1000 * slack)
  expect(closed).toBeLessThan(1000 * slack)
})

describe('S6: tokens', () => {
  test('one refused is one refresh; two are the end, and no loop', async () => {
    feed.tokens = ['old']
    const p = await open()
    await connected(p)
    expect(feed.tokenRequests).toBe(2)
    feed.tokens = ['old', 'older', 'oldest']
    const q = await open('/?nolocks')
    await until(async () => (await state(q)) === 'denied')
    expect(await q.eval('client.connection.error.code')).toBe('unauthenticated')
    await later(3000)
    expect(feed.tokenRequests).toBe(4)
  })

  test('nobody signed in: no socket, no loop; then somebody is', async () => {
    feed.tokens = [null]
    const p = await open()
    await until(async () => (await state(p)) === 'denied')
    await later(2000)
    expect(feed.tokenRequests).toBe(1)
    expect(feed.connections).toHaveLength(0)
    await p.eval('client.connect()')
    await connected(p)
  })
})
