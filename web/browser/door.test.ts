import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { enter, type House, openBrowser, openContext, openHouse, password, signIn, until } from './harness'

let browser: Browser
let house: House

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({ people: { root: 'admin', mina: 'moderator', zahra: 'user' } })
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

test('the link that the server printed makes the first admin, once', async () => {
  const empty = await openHouse()
  try {
    const context = await openContext(browser)
    const page = await context.newPage()
    await page.goto(empty.setupLink)
    await page.fill('input[name=username]', 'boss')
    await page.fill('input[name=password]', 'x')
    await page.click('button[type=submit]')
    await page.waitForSelector('[aria-invalid=true]')
    expect(page.url(), 'the token stays in no history').not.toContain('token')
    await page.fill('input[name=password]', password)
    await page.click('button[type=submit]')
    await page.waitForSelector('[data-testid=truth]')
    expect(await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage }))).not.toMatch(/eyJ/)

    const other = await (await openContext(browser)).newPage()
    await other.goto(empty.setupLink)
    await other.fill('input[name=username]', 'mallory')
    await other.fill('input[name=password]', password)
    await other.click('button[type=submit]')
    await other.waitForSelector('[role=alert]')
    expect(context.errors).toEqual([])
  } finally {
    await empty.stop()
  }
})

test('signing in leads to the address that was asked for, and signing out in one tab out of all', async () => {
  const context = await openContext(browser)
  const page = await context.newPage()
  await page.goto(`${house.url}/users?presence=online&sort=user`)
  await page.fill('input[name=username]', 'root')
  await page.fill('input[name=password]', 'wrong')
  await page.keyboard.press('Enter')
  await page.waitForSelector('[role=alert]')
  await page.fill('input[name=password]', password)
  await page.keyboard.press('Enter')
  await page.waitForSelector('[role=grid]')
  expect(page.url()).toBe(`${house.url}/users?presence=online&sort=user`)

  const tab = await context.newPage()
  await tab.goto(`${house.url}/users`)
  await tab.waitForSelector('[role=grid]') // by the cookie alone
  await tab.reload()
  await tab.waitForSelector('[role=grid]')

  await page.click('button[aria-label="Account of root"]')
  await page.click('role=menuitem[name="Sign out"]')
  await page.waitForSelector('input[name=password]')
  await tab.waitForSelector('input[name=password]')
  await tab.reload()
  await tab.waitForSelector('input[name=password]')
})

test('a session that an admin ends leads to the door, and back to where one was', async () => {
  const context = await openContext(browser)
  const page = await context.newPage()
  await signIn(page, house, 'mina', '/users?role=admin')
  await page.waitForSelector('[role=grid]')
  const root = await house.as('root')
  const { items } = await root.call<{ items: { id: string }[] }>('GET', '/api/v1/users?search=mina')
  await root.call('DELETE', `/api/v1/users/${items[0]?.id}/sessions`)
  await page.waitForSelector('text=Your session has ended')
  expect(page.url()).toBe(`${house.url}/users?role=admin`)
  await page.fill('input[name=username]', 'mina')
  await page.fill('input[name=password]', password)
  await page.keyboard.press('Enter')
  await page.waitForSelector('[role=grid]')
  expect(page.url()).toBe(`${house.url}/users?role=admin`)
})

test('an ordinary user is told why there is nothing to see, and a moderator sees but does not act', async () => {
  const user = await openContext(browser)
  await enter(user, house, 'zahra')
  const page = await user.newPage()
  await page.goto(house.url)
  await page.waitForSelector('text=zahra is an ordinary user')
  expect(user.errors).toEqual([])

  const staff = await openContext(browser)
  await enter(staff, house, 'mina')
  const table = await staff.newPage()
  await table.goto(`${house.url}/users`)
  await table.click('[data-row] button[aria-haspopup=menu]')
  expect(await table.getAttribute('role=menuitem[name="Ban"]', 'aria-disabled')).toBe('true')
  await table.click('role=menuitem[name="Ban"]', { force: true })
  expect(await table.locator('dialog').count()).toBe(0)
  await until(() => table.locator('[role=menu]').count())
})
