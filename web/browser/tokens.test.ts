import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { enter, type House, openBrowser, openContext, openHouse, shot, until } from './harness'

// API tokens, in a real browser on the real server.

let browser: Browser
let house: House

beforeAll(async () => {
  browser = await openBrowser()
  house = await openHouse({ people: { root: 'admin' } })
})
afterAll(async () => {
  await browser?.close()
  await house?.stop()
})

test('a token is shown once, is copied also where pages get no clipboard, and ends when it is revoked', async () => {
  const context = await openContext(browser, { reducedMotion: true })
  await enter(context, house)
  const page = await context.newPage()
  // As on plain http inside a company's network: there is no navigator.clipboard.
  await page.addInitScript(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }))
  await page.goto(`${house.url}/tokens`)
  await page.getByRole('button', { name: 'New token' }).first().click()
  await page.getByLabel('Name').fill('chat backend')
  await page.getByRole('button', { name: 'Make the token' }).click()
  const secret = page.locator('[data-secret]')
  await secret.waitFor()
  const token = (await secret.textContent()) ?? ''
  await page.getByRole('dialog').getByRole('button', { name: 'Copy', exact: true }).click()
  await page.getByText('Copied', { exact: true }).waitFor()
  await shot(page, 'token-made')
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click()
  await secret.waitFor({ state: 'detached' })
  expect(await page.content()).not.toContain(token)

  await page.getByRole('button', { name: 'New token' }).first().click()
  const field = page.getByLabel('Name')
  await field.focus()
  await page.keyboard.press('Control+V')
  expect(await field.inputValue()).toBe(token)
  await page.keyboard.press('Escape')

  const asked = () => fetch(`${house.url}/api/v1/counts`, { headers: { Authorization: `Bearer ${token}` } })
  expect((await asked()).status).toBe(200)
  await page.getByRole('button', { name: 'Revoke chat backend' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke', exact: true }).click()
  await until(
    async () => (await asked()).status,
    (status) => status === 401,
  )
  await context.close()
})
