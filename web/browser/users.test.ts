import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Caller, enter, type House, openBrowser, openContext, openHouse, until } from './harness'

let browser: Browser
let house: House
let root: Caller

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({ people: { root: 'admin' }, seeded: 600, online: 60 })
  root = await house.as('root')
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

async function open(path: string, wait = '[role=row][data-row]'): Promise<Page> {
  const context = await openContext(browser)
  await enter(context, house)
  const page = await context.newPage()
  await page.goto(house.url + path)
  await page.waitForSelector(wait)
  return page
}
const shown = (page: Page) => page.innerText('[data-testid=shown]').then((t) => Number(t.replace(/\D/g, '')))
const total = (query: string) =>
  root.call<{ total: number }>('GET', `/api/v1/users?limit=1&total=true&${query}`).then((r) => r.total)

test('numbers agree with the API: everybody, by status, by account, by role', async () => {
  const page = await open('/users')
  for (const [address, query] of [
    ['', ''],
    ['?account=pending', 'account_status=pending'],
    ['?role=moderator', 'role=moderator'],
    ['?presence=online', 'presence=online'],
    ['?q=popal', 'search=popal'],
  ]) {
    await page.goto(`${house.url}/users${address}`)
    await until(
      async () => [await shown(page), await total(query ?? '')],
      ([a = 0, b]) => a === b && a > 0,
    )
  }
})

test('search finds names however their letters were typed', async () => {
  const page = await open('/users')
  const everybody = await shown(page)
  const counts: number[] = []
  for (const text of ['علي', 'ولی', 'ولي', 'WALI']) {
    await page.fill('input[type=search]', text)
    await until(
      () => shown(page),
      (n) => n !== everybody || text === 'علي',
    )
    await until(
      () => page.evaluate(() => new URLSearchParams(location.search).get('q')),
      (q) => q === text,
    )
    counts.push(await shown(page))
  }
  expect(counts[1]).toBeGreaterThan(0)
  expect(counts[2]).toBe(counts[1])
})

test('the address is the state: a copy of it shows the same', async () => {
  const page = await open('/users')
  await page.keyboard.press('f')
  await page.click('role=menuitem[name="Account"]').catch(() => page.click('[role^=menuitem]:has-text("Account")'))
  await page.click('[role=menuitemcheckbox]:has-text("Pending")')
  await page.keyboard.press('Escape')
  await page.click('role=columnheader >> text=User')
  await page.waitForURL(/account=pending/)
  await page.waitForURL(/sort=user/)
  const names = (of: Page) => of.locator('[role=row][data-row] a').allInnerTexts()
  const copy = await open(new URL(page.url()).pathname + new URL(page.url()).search)
  const [first, second] = await until(
    async () => [await names(page), await names(copy)] as const,
    ([a, b]) => a.length > 5 && a.join() === b.join(),
  )
  expect(second).toEqual(first)
  expect(first).toEqual([...first].sort())
  await page.keyboard.press('Escape')
  await page.keyboard.press('r')
  await until(
    () => page.url(),
    (u) => !u.includes('account'),
  )
})

test('nobody matches: the page names the filter that leaves out most, and a key drops it', async () => {
  const page = await open('/users?presence=online&q=zzzz', 'text=Nobody matches')
  expect(await page.innerText('main')).toContain('Without “\u2068Search\u2069”'.replaceAll(/[\u2068\u2069]/g, ''))
  await page.keyboard.press('d')
  await page.waitForSelector('[role=row][data-row]')
  await until(
    () => page.url(),
    (u) => !u.includes('zzzz'),
  )
})

test('by keyboard alone: rows, choosing, acts, palette, pages', async () => {
  const page = await open('/users?sort=user')
  const active = () => page.evaluate(() => document.activeElement?.getAttribute('aria-rowindex'))
  await page.keyboard.press('j')
  await until(active, (a) => a === '2')
  await page.keyboard.press('ArrowDown')
  await until(active, (a) => a === '3')
  await page.keyboard.press('x')
  await page.keyboard.press('Shift+ArrowDown')
  await page.waitForSelector('text=2 chosen')
  await until(active, (a) => a === '4')
  await page.keyboard.press('.')
  await page.waitForSelector('[role=menu]')
  await page.keyboard.press('Escape')
  await page.keyboard.press('Escape')
  await until(
    () => page.locator('[role=toolbar]').count(),
    (n) => n === 0,
  )
  await page.keyboard.press('Control+k')
  await page.keyboard.type('overv')
  await page.keyboard.press('Enter')
  await page.waitForURL(`${house.url}/`)
  await page.keyboard.press('g')
  await page.keyboard.press('u')
  await page.waitForURL(/\/users/)
  await page.keyboard.press('?')
  await page.waitForSelector('dialog >> text=Keyboard shortcuts')
})

test('acts on many: the number is typed, it runs as a job, what was not possible is said, and it can be undone', async () => {
  const page = await open('/users?q=noori&account=active&sort=user')
  await page.click('[role=columnheader] input')
  const n = await shown(page)
  expect(n).toBeGreaterThan(20)
  await page.click('[role=toolbar] >> text=More')
  await page.click('role=menuitem[name="Suspend"]')
  expect(await page.isDisabled('button[type=submit][form=act]')).toBe(true)
  await page.fill('dialog input[inputmode=numeric]', String(n))
  await page.click('button[type=submit][form=act]')
  const undo = page.locator('[role=status] button:has-text("Undo")')
  await undo.waitFor({ timeout: 60_000 })
  await until(
    () => total('search=noori&account_status=suspended'),
    (left) => left >= n,
  )
  await undo.click()
  await page.mouse.move(1, 1) // rows that come back below a resting pointer would wait
  await until(
    () => total('search=noori&account_status=active'),
    (back) => back === n,
  )
  await until(
    () => shown(page),
    (back) => back === n,
  )
})

test('a job that cannot do all says which and why', async () => {
  const page = await open('/users?q=root')
  await page.click('[data-row] button[aria-haspopup=menu]')
  await page.click('role=menuitem[name="Ban"]')
  await page.click('button[type=submit][form=act]')
  await page.waitForSelector('dialog li:has-text("root")')
  expect(await page.innerText('dialog li')).toMatch(/own account|yourself|last/i)
})

test('a view is saved with a name, and is there for others', async () => {
  const page = await open('/users?role=moderator')
  await page.click('[data-testid=view]')
  await page.click('role=menuitem[name="Save this view"]')
  await page.fill('dialog input[name=name]', 'Our moderators')
  await page.check('dialog input[name=shared]')
  await page.keyboard.press('Enter')
  await page.waitForSelector('[data-testid=view]:has-text("Our moderators")')
  const views = await root.call<{ items: { name: string; query: string }[] }>('GET', '/api/v1/views')
  expect(views.items).toMatchObject([{ name: 'Our moderators', query: 'role=moderator' }])
})

test('the view as a file, with what spreadsheets would run made harmless', async () => {
  const page = await open('/users?presence=offline')
  const file = page.waitForEvent('download')
  await page.click('button[aria-label=Export]')
  await page.click('role=menuitem[name="CSV"]')
  const stream = await (await file).createReadStream()
  let text = ''
  for await (const part of stream) text += part
  expect(text.trim().split('\r\n').length - 1).toBe(await total('presence=offline'))
})
