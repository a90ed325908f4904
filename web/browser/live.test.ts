import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, enter, type House, later, openBrowser, openContext, openHouse, until } from './harness'

let browser: Browser
let house: House
let root: Caller

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({ people: { root: 'admin', zahra: 'user' }, seeded: 400, online: 60 })
  root = await house.as('root')
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

async function open(path: string, wait = '[role=row][data-row]') {
  const context = await openContext(browser)
  await enter(context, house)
  const page = await context.newPage()
  await page.goto(house.url + path)
  await page.waitForSelector(wait)
  await until(
    () => truth(page),
    (t) => t === 'live',
  )
  return { context, page }
}
const truth = (page: Page) => page.evaluate(() => document.documentElement.dataset.truth)
const statusOf = (page: Page, id: string) =>
  page.evaluate((id) => document.querySelector(`[data-row="${id}"] [data-status]`)?.getAttribute('data-status'), id)
const order = (page: Page) =>
  page.evaluate(() =>
    [...document.querySelectorAll('[role=row][data-row]')]
      .sort((a, b) => Number(a.getAttribute('aria-rowindex')) - Number(b.getAttribute('aria-rowindex')))
      .map((row) => row.getAttribute('data-row') ?? ''),
  )
const set = (id: string, status: string) =>
  root.call('POST', `/api/users/admin/users/${id}/set-online-status/`, { status })

test('a change by the API is on the screen without a reload, with its why', async () => {
  const { page, context } = await open('/users?sort=user')
  const [id = ''] = await order(page)
  for (const status of ['away', 'online', 'offline']) {
    await set(id, status)
    await until(
      () => statusOf(page, id),
      (s) => s === status,
    )
  }
  expect(await page.innerText(`[data-row="${id}"]`)).toContain('set by an admin')
  expect(context.errors).toEqual([])
})

test('somebody who is made while one looks appears by themselves', async () => {
  const { page } = await open('/users?q=newcomer', 'text=Nobody matches')
  expect(await page.locator('[role=row][data-row]').count()).toBe(0)
  const r = await fetch(`${house.url}/api/users/register/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'newcomer', password: 'correct horse battery', email: 'new@example.org' }),
  })
  expect(r.ok).toBe(true)
  await page.waitForSelector('[role=row][data-row]')
  expect(await page.innerText('[role=row][data-row]')).toContain('newcomer')
})

test('no row moves while the pointer is at the table, and an act is on who was there', async () => {
  const { page } = await open('/users?sort=status')
  const before = await order(page)
  const box = await page.locator('[role=grid]').boundingBox()
  if (!box) throw new Error('no table')
  await page.mouse.move(box.x + 300, box.y + 200)
  const at = () =>
    page.evaluate(
      ([x, y, h]) =>
        Array.from({ length: 20 }, (_, i) =>
          document
            .elementFromPoint(x, y + 40 + (i * (h - 60)) / 20)
            ?.closest('[data-row]')
            ?.getAttribute('data-row'),
        ),
      [box.x + 300, box.y, box.height] as const,
    )
  const points = await at()
  const moving = before.filter((id) => id !== root.id).slice(0, 12) // whose own requests show that they are there
  for (const id of moving) await set(id, 'offline')
  await until(
    async () => (await Promise.all(moving.map((id) => statusOf(page, id)))).join(),
    (s) => !/online/.test(s),
  )
  expect(await at()).toEqual(points)
  expect(await order(page)).toEqual(before)
  await until(
    () => page.innerText('[data-testid=behind]'),
    (text) => /\d+ rows moved/.test(text),
  )
  await page.keyboard.press('s')
  await until(
    () => page.locator('[data-testid=behind]').count(),
    (n) => n === 0,
  )
  expect((await order(page)).slice(0, 12)).not.toEqual(before.slice(0, 12))
})

test('a row that stops to match stays, says so, and goes when somebody wants order', async () => {
  const { page } = await open('/users?presence=online&sort=user')
  const [id = ''] = await order(page)
  await page.focus(`[data-row="${id}"]`)
  await set(id, 'offline')
  await page.waitForSelector(`[data-row="${id}"]:has-text("no longer matches")`)
  expect((await order(page))[0]).toBe(id)
  expect(await page.evaluate((id) => document.activeElement?.getAttribute('data-row') === id, id)).toBe(true)
  await page.keyboard.press('s')
  await until(
    () => order(page),
    (o) => !o.includes(id),
  )
})

test('paused is paused: nothing in the table changes, changes are counted, and all of them are there afterwards', async () => {
  const { page } = await open('/users?sort=user')
  const some = (await order(page)).slice(0, 5)
  for (const id of some) await set(id, 'online')
  for (const id of some)
    await until(
      () => statusOf(page, id),
      (s) => s === 'online',
    )
  await page.keyboard.press('p')
  await until(
    () => truth(page),
    (t) => t === 'paused',
  )
  await page.evaluate(() => {
    const table = document.querySelector('[role=grid]')
    const w = window as Window & { moved?: number }
    w.moved = 0
    if (table)
      new MutationObserver((m) => (w.moved = (w.moved ?? 0) + m.length)).observe(table, {
        subtree: true,
        characterData: true,
        childList: true,
      })
  })
  for (const id of some) await set(id, 'away')
  await until(
    () => page.innerText('[data-testid=truth]'),
    (text) => /5 changes wait/.test(text),
  )
  await later(1500) // longer than a tick
  expect(await page.evaluate(() => (window as Window & { moved?: number }).moved)).toBe(0)
  expect(await statusOf(page, some[0] ?? '')).toBe('online')
  await page.keyboard.press('p')
  for (const id of some)
    await until(
      () => statusOf(page, id),
      (s) => s === 'away',
    )
})

test('when the server is gone the page says so, nothing ticks, and all is as before when it is back', async () => {
  const { page } = await open('/users?sort=user')
  await page.evaluate(() => {
    ;(window as Window & { here?: boolean }).here = true
    document.querySelector('[role=grid]')?.scrollTo(0, 1200)
  })
  await page.waitForFunction(
    () => Number(document.querySelector('[role=row][data-row]')?.getAttribute('aria-rowindex')) > 10,
  )
  const [, , , id = ''] = await order(page)
  await page.focus(`[data-row="${id}"]`)
  const scroll = await page.evaluate(() => document.querySelector('[role=grid]')?.scrollTop)
  await house.kill()
  await until(
    () => truth(page),
    (t) => t === 'reconnecting',
  )
  // A page that was busy may still take in what came before the end.
  await later(1000)
  await until(
    () => truth(page),
    (t) => t === 'reconnecting',
  )
  expect(await page.innerText('[data-testid=truth]')).toMatch(/Reconnecting \(data as of \d\d:\d\d:\d\d\)/)
  const text = await page.innerText('[role=grid]')
  await later(1500)
  expect(await page.innerText('[role=grid]')).toBe(text)
  expect(
    await page.evaluate(
      () => getComputedStyle(document.querySelector('[data-status=online] circle + *') ?? document.body).display,
    ),
    'a status that nobody knows is hollow',
  ).not.toBe('inline')
  await house.start()
  await until(
    () => truth(page),
    (t) => t === 'live',
  )
  root = await house.as('root')
  await set(id, 'away')
  await until(
    () => statusOf(page, id),
    (s) => s === 'away',
  )
  expect(await page.evaluate(() => (window as Window & { here?: boolean }).here), 'no reload').toBe(true)
  expect(await page.evaluate(() => document.querySelector('[role=grid]')?.scrollTop)).toBe(scroll)
  expect(await page.evaluate(() => document.activeElement?.getAttribute('data-row'))).toBe(id)
})
