import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Chrome, type Page } from './chrome'
import { freePort, House, until } from './house'

// The examples as their READMEs have them, against the real server.
const binary = process.env.SDK_SERVER
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const vanilla = here('../../examples/vanilla-page')

let house: House
let chrome: Chrome
let dist: string
const sites: ChildProcess[] = []

beforeAll(async () => {
  if (!binary) return
  dist = mkdtempSync(join(tmpdir(), 'presence-react-'))
  chrome = await Chrome.start()
})
afterAll(async () => {
  for (const site of sites) site.kill()
  await chrome?.stop()
  await house?.stop()
  if (dist) rmSync(dist, { recursive: true, force: true })
})

/** Starts a server with Zahra as its first user, and the example's site in front of a folder. */
async function site(folder: string): Promise<string> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  await house?.stop()
  house = await House.start(binary ?? '', () => '', ['--cors-origins', url], ['zahra'])
  const made = house.run(['token', 'create', 'my-site', '--scope', 'tickets', '--json'])
  const { token } = JSON.parse(made) as { token: string }
  const env = { ...process.env, PRESENCE_URL: house.url, PRESENCE_TOKEN: token }
  sites.push(spawn(process.execPath, [join(vanilla, 'server.mjs'), folder, String(port)], { env, stdio: 'ignore' }))
  await until(() =>
    fetch(url).then(
      (r) => r.ok,
      () => false,
    ),
  )
  return url
}

const status = (p: Page) =>
  p.eval<string>('document.querySelector("[data-status]")?.dataset.status ?? "none"').catch(() => 'none')

describe.skipIf(!binary)('examples', { timeout: 180_000 }, () => {
  test('vanilla-page: two lines are a green dot', async () => {
    const p = await chrome.open(await site(vanilla))
    await until(async () => (await status(p)) === 'online')
    expect(await p.eval('getComputedStyle(document.querySelector("i")).backgroundColor')).toBe('rgb(26, 127, 55)')
    await p.close()
  })

  test('react-page: a green dot, and what it says in words', async () => {
    const root = here('../../examples/react-page')
    const modules = here('../node_modules')
    expect(existsSync(join(root, 'main.jsx'))).toBe(true)
    await build({
      root,
      logLevel: 'error',
      resolve: {
        alias: [
          { find: /^@offchat\/presence$/, replacement: here('../dist/index.mjs') },
          { find: /^@offchat\/presence\/react$/, replacement: here('../dist/react.mjs') },
          { find: /^(react|react-dom)(\/.*)?$/, replacement: `${modules}/$1$2` },
        ],
      },
      build: { outDir: dist, emptyOutDir: true },
    })
    const p = await chrome.open(await site(dist))
    await until(async () => (await status(p)) === 'online')
    await until(async () => (await p.eval<string>('document.body.textContent')).includes('Zahra  Online'))
    await p.close()
  })
})
