import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Caller, enter, type House, openBrowser, openContext, openHouse, password, shot, until } from './harness'

// The overview and a user's page, in a real browser on the real server.

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let browser: Browser
let house: House
let root: Caller

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({
    people: { root: 'admin', zahra: 'user', farid: 'user', omid: 'user', laila: 'user', nasim: 'user', hidden: 'user' },
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

interface Counts {
  online: number
  away: number
  offline: number
  total: number
}

/** The numbers of the tiles, read in one go. */
const tiles = (page: Page) =>
  page.evaluate(() =>
    ['online', 'away', 'offline'].map((tone) =>
      Number(document.querySelector(`[data-tone="${tone}"] [data-number]`)?.textContent?.replace(/\D/g, '')),
    ),
  )

const button = (page: Page, name: string | RegExp) =>
  page.getByRole('button', { name, exact: typeof name === 'string' })

const detail = (id: string) =>
  root.call<{
    account: { account_status: string }
    sessions: unknown[]
    transitions: unknown[]
    hold?: object
    presence: { status: string }
  }>('GET', `/api/v1/users/${id}`)

test('the tiles add up in every frame while people come and go, and agree with the API', async () => {
  const { context, page } = await open('/')
  await until(
    () => tiles(page),
    (n) => n.every(Number.isFinite),
  )
  const sums = page.evaluate(
    () =>
      new Promise<number[]>((resolve) => {
        const seen: number[] = []
        const end = performance.now() + 4000
        const look = () => {
          const read = (tone: string) =>
            Number(document.querySelector(`[data-tone="${tone}"] [data-number]`)?.textContent)
          seen.push(read('online') + read('away') + read('offline'))
          if (performance.now() < end) requestAnimationFrame(look)
          else resolve(seen)
        }
        look()
      }),
  )
  const someone = await house.as('farid')
  await root.call('POST', `/api/v1/users/${someone.id}/hold`, { status: 'away' })
  await root.call('DELETE', `/api/v1/users/${someone.id}/hold`)
  expect(new Set(await sums)).toEqual(new Set([7]))
  const counts = await root.call<Counts>('GET', '/api/v1/counts')
  await until(
    () => tiles(page),
    ([online, away, offline]) => online === counts.online && away === counts.away && offline === counts.offline,
  )
  await context.close()
})

test('the devices are a tile with their share of a person and their connections, as the API counts them', async () => {
  const { context, page } = await open('/')
  const tile = page.getByRole('region', { name: 'Who is here now' }).locator('[data-tone="present"]:has([data-number])')
  await until(
    async () => {
      const { devices, connections } = await root.call<{ devices: number; connections: number }>(
        'GET',
        '/api/v1/counts',
      )
      const [number, words] = [await tile.locator('[data-number]').textContent(), await tile.textContent()]
      return devices > 0 && number === String(devices) && !!words?.includes(`${connections} open connections`)
    },
    (same) => same,
  )
  await context.close()
})

test('a chart is a table, too, and the range is in the address', async () => {
  const { context, page } = await open('/?range=1h')
  await button(page, '1 h').waitFor()
  expect(await button(page, '1 h').getAttribute('aria-pressed')).toBe('true')
  await button(page, '7 days').click()
  await until(
    () => page.url(),
    (url) => url.includes('range=7d'),
  )
  await button(page, 'Table').first().click()
  await until(() => page.getByRole('region', { name: 'People present' }).locator('tbody tr').count())
  const people = page.getByRole('region', { name: 'People present' })
  expect((await people.locator('thead th').allTextContents()).slice(-2)).toEqual(['Devices', 'Open connections'])
  const present = page.waitForEvent('download')
  await button(page, 'Download People present as CSV').click()
  const minutes = readFileSync((await (await present).path()) ?? '', 'utf8')
  expect(minutes.split('\r\n')[0]).toBe('\ufeffat,at_local,online,away,offline,peak_online,devices,connections')
  const download = page.waitForEvent('download')
  await button(page, 'Download Why it changed as CSV').click()
  const text = readFileSync((await (await download).path()) ?? '', 'utf8')
  expect(text.split('\r\n')[0]).toMatch(/^\ufeffat,at_local,login,/)
  await context.close()
})

test('the heat map is walked by keyboard and tells each hour', async () => {
  const { context, page } = await open('/')
  const cell = page.getByRole('gridcell').first()
  await cell.waitFor()
  await cell.focus()
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('End')
  const label = await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))
  expect(label).toMatch(/^Tuesday, 23:00 – 00:00: /)
  await context.close()
})

test('why and when run on; a device that is logged out is gone at once, and everywhere with its token', async () => {
  const zahra = await house.as('zahra')
  await house.as('zahra')
  const { context, page } = await open(`/users/${zahra.id}`)
  const timer = page.getByRole('timer')
  const first = await timer.textContent()
  await until(
    () => timer.textContent(),
    (text) => text !== first,
  )
  expect(await page.locator('h1 ~ * , main').first().textContent()).toContain('zahra')
  const rows = page.locator('[data-session]')
  await until(
    () => rows.count(),
    (n) => n === 2,
  )
  const list = await root.call<{ sessions: { id: string }[] }>('GET', `/api/v1/users/${zahra.id}`)
  await rows
    .first()
    .getByRole('button', { name: /^Log out:/ })
    .click()
  await until(
    () => rows.count(),
    (n) => n === 1,
  )
  expect((await detail(zahra.id)).sessions).toHaveLength(list.sessions.length - 1)
  await button(page, 'Log out everywhere').click()
  await page
    .getByRole('dialog', { name: 'Log out zahra everywhere?' })
    .getByRole('button', { name: 'Log out everywhere' })
    .click()
  await until(
    () => rows.count(),
    (n) => n === 0,
  )
  await expect(zahra.call('GET', '/api/v1/me')).rejects.toThrow('401')
  await page.getByText(/^Offline since .*ended by an admin/).waitFor()
  await shot(page, 'user-logged-out')
  await context.close()
})

test('a status set by hand has a lock, its admin, its end and its note, and goes back', async () => {
  const omid = await house.as('omid')
  const { context, page } = await open(`/users/${omid.id}`)
  await button(page, 'Set status').click()
  const dialog = page.getByRole('dialog', { name: 'Set status' })
  await dialog.getByLabel('Away').check()
  await dialog.getByLabel('Until').selectOption('quarter')
  await dialog.getByLabel('Note').fill('في اجتماع = meeting')
  await dialog.getByRole('button', { name: 'Set Away' }).click()
  await page.getByText(/^Away because root set it by hand, until/).waitFor()
  await page.getByText('Note: في اجتماع = meeting').waitFor()
  expect((await detail(omid.id)).hold).toMatchObject({ status: 'away', note: 'في اجتماع = meeting' })
  await button(page, 'Set status').click()
  await dialog.getByLabel('Automatic').check()
  await dialog.getByRole('button', { name: 'Back to automatic' }).click()
  await page.getByText(/^Online since/).waitFor()
  await context.close()
})

test('what hurts names the person, and does what it says', async () => {
  const laila = await house.as('laila')
  const { context, page } = await open(`/users/${laila.id}`)
  const choose = async (item: string) => {
    const found = page.getByRole('menuitem', { name: item })
    await until(async () => {
      if (!(await found.isVisible())) await button(page, 'More').click()
      return found.isVisible() // a click right after the menu closed is the one that closed it
    })
    await found.click()
  }
  await choose('Edit account')
  await page.getByRole('dialog').getByLabel('First name').fill('لیلا')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await page.getByRole('heading', { level: 1, name: 'لیلا' }).waitFor()

  await choose('Delete history…')
  await page
    .getByRole('dialog', { name: 'Delete the history of laila?' })
    .getByRole('button', { name: 'Delete history' })
    .click()
  await page.getByText('Nothing changed yet.').waitFor()

  await choose('Ban…')
  const dialog = page.getByRole('dialog', { name: 'Ban laila?' })
  await dialog.getByLabel('Reason').fill('testing')
  await dialog.getByRole('button', { name: 'Ban' }).click()
  await page.getByText('Banned', { exact: true }).waitFor()
  expect((await detail(laila.id)).account.account_status).toBe('banned')
  await expect(house.as('laila')).rejects.toThrow()
  await choose('Lift the ban')
  await until(async () => (await detail(laila.id)).account.account_status === 'active')

  await choose('Reset password…')
  const fresh = await page.getByRole('dialog').locator('code').textContent()
  await page.getByRole('dialog').getByRole('button', { name: 'Reset password' }).click()
  const login = (with_: string) =>
    fetch(`${house.url}/api/users/login/`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: 'laila', password: with_ }),
    })
  await until(async () => (await login(fresh ?? '')).ok)
  expect((await login(password)).ok).toBe(false)
  await context.close()
})

test('who hides is called private, and nothing is guessed', async () => {
  const hidden = await house.as('hidden')
  await hidden.call('PUT', '/api/v1/me/privacy', { hide_status: true, hide_last_seen: true })
  const { context, page } = await open(`/users/${hidden.id}`)
  await page.getByText('Private', { exact: true }).waitFor()
  await context.close()
})

test('the day is walked stretch by stretch', async () => {
  const nasim = await house.as('nasim')
  const { context, page } = await open(`/users/${nasim.id}`)
  const slider = page.getByRole('slider')
  await slider.focus()
  await page.keyboard.press('ArrowLeft')
  expect(await slider.getAttribute('aria-valuetext')).toMatch(/^Together: (online|offline|not recorded), /)
  await button(page, 'Week').click()
  await until(
    () => page.url(),
    (url) => url.includes('span=week'),
  )
  await button(page, 'Month').click()
  await page.getByRole('grid', { name: 'Minutes online by day and hour' }).waitFor()
  await context.close()
})

describe.each(['ps', 'prs'] as const)('in %s', (language) => {
  test('dates, digits and words are of the language, where the browser has none', async () => {
    const nasim = await house.as('nasim')
    const { context, page } = await open(`/users/${nasim.id}`, { language })
    const text = await page.locator('body').innerText()
    const months =
      language === 'ps'
        ? /وری|غویی|غبرګولی|چنګاښ|زمری|وږی|تله|لړم|لیندۍ|مرغومی|سلواغه|کب/
        : /حمل|ثور|جوزا|سرطان|اسد|سنبله|میزان|عقرب|قوس|جدی|دلو|حوت/
    expect(text).toMatch(months)
    expect(text).toMatch(language === 'ps' ? /مخکې|اوس/ : /پیش|اکنون/)
    expect(text).not.toMatch(/\b(ago|min|Nov|Dec|Jan)\b/)
    expect(text).toMatch(/[۰-۹]{2}:[۰-۹]{2}/)
    expect(await page.evaluate(() => document.documentElement.dir)).toBe('rtl')
    await context.close()
  })
})

describe.each(['light', 'dark'] as const)('%s', (theme) => {
  test.each(['en', 'ps', 'prs'] as const)('%s: axe finds nothing and nothing scrolls sideways', async (language) => {
    const nasim = await house.as('nasim')
    const { context, page } = await open('/', { language, theme })
    for (const path of [
      '/',
      `/users/${nasim.id}`,
      `/users/${nasim.id}?span=week`,
      `/users/${nasim.id}?span=month`,
      '/users/999999',
    ]) {
      await page.goto(house.url + path)
      await page.waitForSelector('h1, h2')
      await page.waitForLoadState('networkidle').catch(() => undefined)
      await page.evaluate(axe)
      const found = await page.evaluate(async () => {
        const w = window as Window & {
          axe?: { run(where: string, o: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
        }
        const result = await w.axe?.run('main', {
          runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] },
        })
        return (result?.violations ?? []).map((v) => `${v.id}: ${v.nodes[0]?.html.slice(0, 200)}`)
      })
      expect(found, path).toEqual([])
      for (const width of [375, 1024, 1440]) {
        await page.setViewportSize({ width, height: width === 375 ? 667 : 900 })
        expect(
          await page.evaluate(() => document.documentElement.scrollWidth),
          `${path} at ${width}`,
        ).toBeLessThanOrEqual(width)
        await shot(page, `page${path.replace(/\W+/g, '-')}-${language}-${theme}-${width}`)
      }
    }
    expect(context.errors).toEqual([])
    await context.close()
  })
})

test('without the server the numbers are hollow and stand still; with it again they go on', async () => {
  const { context, page } = await open('/')
  await until(
    () => tiles(page),
    (n) => n.every(Number.isFinite),
  )
  await page.waitForSelector('[data-truth]')
  await house.kill()
  const stale = page.locator('section[data-stale]').first()
  await stale.waitFor()
  const then = await tiles(page)
  await page.waitForTimeout(1500)
  expect(await tiles(page)).toEqual(then)
  await house.start()
  await until(
    () => page.locator('section[data-stale]').count(),
    (n) => n === 0,
  )
  await context.close()
})
