import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Caller, enter, type House, openBrowser, openContext, openHouse, shot, until } from './harness'

// The trash, the identity page and the requests behind a page, in a real browser on the real server.

let browser: Browser
let house: House
let root: Caller

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({
    people: { root: 'admin', zahra: 'user', farid: 'user' },
    settings: ['--trash-retention', '30d'],
  })
  root = await house.as('root')
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

async function open(path: string, look: Parameters<typeof openContext>[1] = {}) {
  const context = await openContext(browser, { reducedMotion: true, ...look })
  await enter(context, house)
  const page = await context.newPage()
  await page.goto(house.url + path)
  await page.waitForSelector('h1')
  return { context, page }
}

const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })
const idOf = async (name: string) => (await house.as(name)).id

test('who was deleted is restored, or erased by whoever types the name; the request that does it is shown', async () => {
  const [zahra, farid] = [await idOf('zahra'), await idOf('farid')]
  await root.call('POST', `/api/v1/users/${zahra}/acts`, { act: 'trash', reason: 'left in spring' })
  await root.call('POST', `/api/v1/users/${farid}/acts`, { act: 'trash' })
  const { context, page } = await open('/trash')
  const row = page.getByRole('row', { name: /zahra/ })
  await row.waitFor()
  expect(await row.innerText()).toMatch(/root[\s\S]*left in spring/)
  expect(await row.locator('time').count(), 'when it was deleted, and when it will be erased').toBe(2)

  await button(page, 'Restore zahra').click()
  await row.waitFor({ state: 'detached' })
  expect((await root.call<{ account: { username: string } }>('GET', `/api/v1/users/${zahra}`)).account.username).toBe(
    'zahra',
  )
  await button(page, 'Request').click()
  const curl = await page.locator('dialog [data-curl]').first().innerText()
  expect(curl).toContain(`curl -X POST '${house.url}/api/v1/users/${zahra}/acts'`)
  expect(curl).toContain(`-d '{"act":"restore"}'`)
  expect(curl).toContain('Bearer $TOKEN')
  await page.keyboard.press('Escape')

  await button(page, 'Erase farid').click()
  const sure = button(page, 'Erase for good')
  expect(await sure.isDisabled()).toBe(true)
  await page.getByLabel('Type farid to confirm').fill('fari')
  expect(await sure.isDisabled()).toBe(true)
  await page.getByLabel('Type farid to confirm').fill('farid')
  await sure.click()
  await page.getByRole('heading', { name: 'The trash is empty' }).waitFor()
  const trash = await root.call<{ total: number }>('GET', '/api/v1/trash')
  expect(trash.total).toBe(0)
  expect(context.errors).toEqual([])
  await context.close()
})

test('a token is judged: why not, and as whom', async () => {
  const { context, page } = await open('/identity')
  const judge = async (token: string) => {
    await page.getByRole('textbox', { name: 'Token' }).fill(token)
    await button(page, 'Check').click()
    await page.waitForSelector('[data-verdict]')
    return page.getAttribute('[data-verdict]', 'data-verdict')
  }
  expect(await judge('not a token')).toBe('malformed')
  const { access_token } = (await (
    await context.request.post(`${house.url}/api/v1/session/refresh`, { headers: { 'Presence-Session': '1' } })
  ).json()) as { access_token: string }
  expect(await judge(`Bearer ${access_token}`)).toBe('accepted')
  await page.getByText('This token is let in as root').waitFor()
  expect(await judge(`${access_token.slice(0, -6)}AAAAAA`)).toBe('issuer') // another key's
  await page.keyboard.press('Escape')
  await page.locator('h1').click()
  await page.keyboard.press('c')
  await page.waitForSelector('dialog [data-curl]')
  expect(await page.locator('dialog').innerText(), 'a pasted token is not kept').not.toContain(
    access_token.slice(40, 80),
  )
  await context.close()
})

test('the line of a proxy turns green by itself when one asks', async () => {
  const { context, page } = await open('/identity?proxy=caddy')
  await page.waitForSelector('[data-proxy=waiting]')
  expect(await page.locator('pre').first().innerText()).toContain('forward_auth')
  await fetch(`${house.url}/api/v1/forward-auth`)
  await page.waitForSelector('[data-proxy=nobody]')
  await root.call('GET', '/api/v1/forward-auth')
  await page.waitForSelector('[data-proxy=known]')
  await until(
    () => page.locator('[data-proxy]').innerText(),
    (text) => text.includes('root'),
  )
  await context.close()
})

test('a refusal is told in the language of who reads, with the words of the server', async () => {
  const { context, page } = await open('/identity', { language: 'ps' })
  await page.locator('textarea').fill('x')
  await page.route('**/api/v1/identity/check', (route) =>
    route.fulfill({
      status: 429,
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'throttled', detail: 'Too many, try later', status: 429, retry_after: 5 }),
    }),
  )
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  const alert = page.getByRole('alert')
  await alert.waitFor()
  expect(await alert.innerText()).toMatch(/غوښتنې ډېرې دي[\s\S]*۵/)
  expect(await alert.locator('details').textContent()).toContain('Too many, try later')
  await context.close()
})

describe('narrow and wide', () => {
  let zahra: string
  beforeAll(async () => {
    zahra = await idOf('zahra')
    await root.call('POST', `/api/v1/users/${zahra}/acts`, { act: 'trash' })
  })
  afterAll(() => root.call('POST', `/api/v1/users/${zahra}/acts`, { act: 'restore' }))
  test.each(['en', 'ps', 'prs'] as const)('%s: nothing scrolls sideways', async (language) => {
    const { context, page } = await open('/trash', {
      language,
      theme: language === 'ps' ? 'dark' : 'light',
      width: 375,
    })
    for (const width of [375, 1440]) {
      await page.setViewportSize({ width, height: 800 })
      for (const path of ['/trash', '/identity']) {
        await page.goto(house.url + path)
        await page.waitForSelector(path === '/trash' ? 'table' : '[data-proxy]')
        const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
        expect(over, `${path} at ${width}`).toBeLessThanOrEqual(0)
        await shot(page, `desk${path.replace('/', '-')}-${language}-${width}`)
      }
    }
    await context.close()
  })
})

test('a copied link shows its receiver the same times', async () => {
  const { context, page } = await open('/trash?tz=Asia/Tokyo')
  expect(await page.evaluate(() => localStorage.getItem('presence.reading'))).toContain('Asia/Kabul')
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.keyboard.press('Control+k')
  await page.keyboard.type('copy a link')
  await page.keyboard.press('Enter')
  await page.getByText('Copied', { exact: true }).waitFor()
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${house.url}/trash?tz=Asia%2FTokyo`)
  expect(context.errors).toEqual([])
  await context.close()
})
