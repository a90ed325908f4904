import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enter, type House, openBrowser, openContext, openHouse, shot } from './harness'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Every page; a new one belongs here. */
const pages = [
  '/',
  '/users',
  '/users?q=nobody-at-all',
  '/events',
  '/audit',
  '/settings',
  '/tokens',
  '/webhooks',
  '/system',
  '/identity',
  '/trash',
  '/tv',
  '/nowhere',
]

let browser: Browser
let house: House

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({ people: { root: 'admin' }, seeded: 300, online: 40 })
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe)
  return page.evaluate(async () => {
    const w = window as Window & {
      axe?: { run(o: object): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> }
    }
    const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
    const result = await w.axe?.run({ runOnly: { type: 'tag', values: tags } })
    return (result?.violations ?? []).map((v) => `${v.id}: ${v.nodes[0]?.html.slice(0, 200)}`)
  })
}

const settled = (page: Page) =>
  page.waitForSelector('h1, h2').then(() => page.waitForLoadState('load').catch(() => undefined))

describe.each(['light', 'dark'] as const)('%s', (theme) => {
  test.each(['en', 'ps', 'prs'] as const)(
    '%s: axe finds nothing, nothing comes from elsewhere, nothing complains',
    async (language) => {
      // A low window: every row is looked at, and ten are as good as forty.
      const context = await openContext(browser, { language, theme, reducedMotion: true, height: 560 })
      const foreign: string[] = []
      context.on('request', (r) => {
        if (!r.url().startsWith(house.url) && !/^(data|blob|ws):/.test(r.url())) foreign.push(r.url())
      })
      const page = await context.newPage()
      await page.goto(house.url)
      await page.waitForSelector('input[name=password]')
      expect(await findings(page), 'the door').toEqual([])
      await enter(context, house)
      for (const path of pages) {
        await page.goto(house.url + path)
        await settled(page)
        await page.waitForTimeout(100)
        expect(await findings(page), path).toEqual([])
        expect(await page.evaluate(() => document.getAnimations().length), `animations on ${path}`).toBe(0)
        await shot(page, `${path.replace(/\W+/g, '-')}-${language}-${theme}`)
      }
      await page.goto(`${house.url}/users`)
      await page.waitForSelector('[role=row][data-row]')
      await page.click('[role=row][data-row] input')
      expect(await findings(page), 'with somebody chosen').toEqual([])
      await page.click('[role=row][data-row] button[aria-haspopup=menu]')
      await page.waitForSelector('[role=menu]')
      expect(await findings(page), 'with a menu').toEqual([])
      await page.keyboard.press('Escape')
      await page.keyboard.press('Control+k')
      await page.waitForSelector('dialog')
      expect(await findings(page), 'the palette').toEqual([])
      expect(foreign).toEqual([])
      expect(context.errors).toEqual([])
      expect(await page.evaluate(() => document.documentElement.dir)).toBe(language === 'en' ? 'ltr' : 'rtl')
      await context.close()
    },
  )
})

test('on a small screen nothing scrolls sideways, and everything is large enough to touch', async () => {
  for (const language of ['en', 'ps', 'prs'] as const) {
    const context = await openContext(browser, { language, width: 375, height: 667 })
    await enter(context, house)
    const page = await context.newPage()
    for (const path of pages) {
      await page.goto(house.url + path)
      await settled(page)
      expect(
        await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth),
        `${path} ${language}`,
      ).toBe(true)
      const small = await page.evaluate(() =>
        [...document.querySelectorAll('button, a, input, select, label:has(input)')]
          .filter((el) => !el.matches('label input, [role=row] a, .visually-hidden, [class*=skip]'))
          .map((el) => [el.outerHTML.slice(0, 120), el.getBoundingClientRect()] as const)
          .filter(([, b]) => b.width > 1 && (b.width < 24 || b.height < 24))
          .map(([html]) => html),
      )
      expect(small, `${path} ${language}`).toEqual([])
      await shot(page, `${path.replace(/\W+/g, '-')}-${language}-375`)
    }
    await context.close()
  }
})

test('the language changes without a reload', async () => {
  const context = await openContext(browser)
  await enter(context, house)
  const page = await context.newPage()
  await page.goto(`${house.url}/users`)
  await page.waitForSelector('[role=row][data-row]')
  await page.evaluate(() => {
    ;(window as Window & { here?: boolean }).here = true
  })
  await page.click('button[aria-label=Language]')
  await page.click('[role=menuitemradio]:has-text("پښتو")')
  await page.waitForFunction(() => document.documentElement.dir === 'rtl' && document.documentElement.lang === 'ps')
  expect(await page.innerText('h1')).toBe('کاروونکي')
  expect(await page.evaluate(() => (window as Window & { here?: boolean }).here)).toBe(true)
})
