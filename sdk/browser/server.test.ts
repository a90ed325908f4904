import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PresenceEvent, PresenceServer } from '../src/server'
import { Chrome, type Page } from './chrome'

// Against the real server: SDK_SERVER=../bin/presence npm run test:browser
const binary = process.env.SDK_SERVER
const suite = test.skipIf(!binary)

let data: string
let server: ChildProcess
let pages: Server
let chrome: Chrome
let url: string
let site: string

const later = (ms: number) => new Promise((r) => setTimeout(r, ms))
async function until(what: () => unknown, most = 20_000): Promise<number> {
  const start = Date.now()
  while (!(await what())) {
    if (Date.now() - start > most) throw new Error(`not so after ${most} ms: ${what}`)
    await later(20)
  }
  return Date.now() - start
}

async function login(name: string, password = 'correct horse battery'): Promise<string> {
  const r = await fetch(`${url}/api/auth/login/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: name, password }),
  })
  return ((await r.json()) as { tokens: { access: string } }).tokens.access
}

async function freePort(): Promise<number> {
  const s = createServer()
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve))
  const { port } = s.address() as AddressInfo
  await new Promise((resolve) => s.close(resolve))
  return port
}

beforeAll(async () => {
  if (!binary) return
  data = mkdtempSync(join(tmpdir(), 'presence-sdk-'))
  pages = createServer(async (req, res) => {
    const { pathname, searchParams } = new URL(req.url ?? '/', 'http://x')
    if (pathname === '/my/token') return res.end(await login(searchParams.get('user') ?? ''))
    res.setHeader('Content-Type', 'text/html')
    res.end(`<!doctype html><title>page</title><i data-presence="${searchParams.get('watch')}"></i>
      <script src="${url}/sdk/presence.js" data-token-url="/my/token?user=${searchParams.get('user')}"></script>
      <script>client = OffChatPresence.presence; out = ''; client.on('signedout', (r) => (out = r.reason))</script>`)
  })
  await new Promise<void>((resolve) => pages.listen(0, '127.0.0.1', resolve))
  site = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`
  const listen = `127.0.0.1:${await freePort()}`
  url = `http://${listen}`
  for (const [name, role] of Object.entries({ root: 'admin', zahra: 'user', ahmad: 'user' })) {
    execFileSync(binary, ['user', 'create', name, '--role', role, '--password-stdin', '--data', data], {
      input: 'correct horse battery',
    })
  }
  server = spawn(binary, ['serve', '--listen', listen, '--data', data, '--cors-origins', site], { stdio: 'ignore' })
  await until(() =>
    fetch(`${url}/readyz`).then(
      (r) => r.ok,
      () => false,
    ),
  )
  chrome = await Chrome.start()
})

afterAll(async () => {
  await chrome?.stop()
  pages?.close()
  if (server) {
    const gone = new Promise((resolve) => server.once('exit', resolve))
    server.kill()
    await gone
  }
  if (data) rmSync(data, { recursive: true, force: true })
})

const state = (p: Page) => p.eval<string>('globalThis.client ? client.connection.state : "none"')

suite('two people see each other come, go away, return and log out; a backend sees it all', {
  timeout: 120_000,
}, async () => {
  const root = await login('root')
  const backend = new PresenceServer({ url, token: root })
  const list = await fetch(`${url}/api/v1/users`, { headers: { Authorization: `Bearer ${root}` } })
  const { items } = (await list.json()) as { items: { id: string; username: string }[] }
  const [zahra = '', ahmad = ''] = ['zahra', 'ahmad'].map((name) => items.find((u) => u.username === name)?.id)
  const seen: PresenceEvent[] = []
  const stop = new AbortController()
  const listening = (async () => {
    for await (const e of backend.events({ signal: stop.signal })) seen.push(e)
  })()

  const a = await chrome.open(`${site}/?user=ahmad&watch=${zahra}`, true)
  const dot = () => a.eval<string>('document.querySelector("i").dataset.status')
  await until(async () => (await state(a)) === 'connected')
  const z = await chrome.open(`${site}/?user=zahra&watch=${ahmad}`, true)
  await until(async () => (await state(z)) === 'connected')
  await until(async () => (await dot()) === 'online')

  expect((await backend.query([zahra, ahmad, '999'])).get('999')?.status).toBe('offline')
  expect((await backend.query([zahra])).get(zahra)).toMatchObject({ status: 'online' })
  expect((await backend.ticket()).ticket).toHaveLength(43)

  const away = Date.now()
  await a.eval('client.setStatus("away")')
  await until(() => seen.some((e) => e.type === 'change' && e.users.some((u) => u.status === 'away')))
  console.log(`  away told to the backend after ${Date.now() - away} ms`)
  await a.eval('client.setStatus("auto")')

  await backend.forceLogout(zahra)
  const told = await until(async () => (await dot()) === 'offline')
  console.log(`  forced logout on the other's dot after ${told} ms`)
  await until(async () => (await z.eval('out')) === 'session_over')
  expect(await state(z)).toBe('denied')
  stop.abort()
  await listening
})
