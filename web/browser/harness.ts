import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

/** The real server on data of its own, and people who live on it. */
export const password = 'correct horse battery'

const binary = process.env.PRESENCE ?? join(import.meta.dirname, '../../bin/presence')
const seeder = process.env.SEED ?? join(import.meta.dirname, '../../bin/seed')
const shots = process.env.SHOTS ?? join(tmpdir(), 'presence-shots')

export interface House {
  readonly url: string
  /** The link that makes the first admin, where there is none. */
  readonly setupLink: string
  stop(): Promise<void>
  /** Kills the server and starts it again at the same address with the same data. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Halts the server where it stands, and lets it go on: a network that swallows everything. */
  halt(on: boolean): void
  /** Calls the API as somebody. */
  as(name: string): Promise<Caller>
}

export interface Caller {
  readonly id: string
  readonly token: string
  call<T>(method: string, path: string, body?: unknown): Promise<T>
}

export interface HouseOptions {
  /** Made by the command line, with the password. The first one is an admin. */
  readonly people?: Readonly<Record<string, 'admin' | 'moderator' | 'user'>>
  readonly seeded?: number
  readonly online?: number
  readonly settings?: readonly string[]
}

async function freePort(): Promise<number> {
  const s = createServer()
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve))
  const { port } = s.address() as AddressInfo
  await new Promise((resolve) => s.close(resolve))
  return port
}

export const later = (ms: number) => new Promise((r) => setTimeout(r, ms))

/** Waits for something to be so; fails with what it is instead. */
export async function until<T>(what: () => Promise<T> | T, so: (v: T) => boolean = Boolean, most = 60_000): Promise<T> {
  const end = Date.now() + most
  for (;;) {
    const v = await what()
    if (so(v)) return v
    if (Date.now() > end) throw new Error(`not so after ${most} ms: ${what} is ${JSON.stringify(v)}`)
    await later(25)
  }
}

export async function openHouse(o: HouseOptions = {}): Promise<House> {
  const data = mkdtempSync(join(tmpdir(), 'presence-web-'))
  const listen = `127.0.0.1:${await freePort()}`
  const url = `http://${listen}`
  for (const [name, role] of Object.entries(o.people ?? {})) {
    execFileSync(binary, ['user', 'create', name, '--role', role, '--password-stdin', '--data', data], {
      input: password,
    })
  }
  if (o.seeded) {
    const admin = Object.keys(o.people ?? {})[0] ?? 'root'
    execFileSync(seeder, ['-data', data, '-users', `${o.seeded}`, '-online', `${o.online ?? 0}`, '-like', admin])
  }
  let server: ChildProcess
  let said = ''
  const start = async () => {
    server = spawn(binary, ['serve', '--listen', listen, '--data', data, ...(o.settings ?? [])], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    server.stderr?.on('data', (d) => (said += d))
    await until(() =>
      fetch(`${url}/readyz`).then(
        (r) => r.ok,
        () => {
          if (server.exitCode !== null) throw new Error(`the server ended: ${said}`)
          return false
        },
      ),
    )
  }
  const end = async (signal: NodeJS.Signals) => {
    const gone = new Promise((resolve) => server.once('exit', resolve))
    if (server.exitCode === null) {
      server.kill(signal)
      await gone
    }
  }
  await start()
  return {
    url,
    get setupLink() {
      return /http:\/\/\S+\/setup\?token=\S+/.exec(said)?.[0] ?? ''
    },
    start,
    kill: () => end('SIGKILL'),
    halt: (on) => void server.kill(on ? 'SIGSTOP' : 'SIGCONT'),
    async stop() {
      await end('SIGTERM')
      rmSync(data, { recursive: true, force: true })
    },
    async as(name) {
      const r = await fetch(`${url}/api/users/login/`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ username: name, password }),
      })
      const body = (await r.json()) as { access?: string; tokens?: { access: string }; user?: { id: number } }
      const token = body.tokens?.access ?? body.access
      if (!token) throw new Error(`login of ${name}: ${r.status} ${JSON.stringify(body)}`)
      const call = async <T>(method: string, path: string, send?: unknown): Promise<T> => {
        const answer = await fetch(url + path, {
          method,
          headers: {
            Authorization: `Bearer ${token}`,
            ...(send === undefined ? {} : { 'Content-Type': 'application/json' }),
          },
          body: send === undefined ? undefined : JSON.stringify(send),
        })
        const text = await answer.text()
        if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
        return (text ? JSON.parse(text) : undefined) as T // the type is the caller's
      }
      const me = await call<{ account: { id: string } }>('GET', '/api/v1/me')
      return { id: me.account.id, token, call }
    },
  }
}

export async function openBrowser(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
  if (!existsSync(executablePath))
    throw new Error(`no Chromium at ${executablePath}: install it (apt-get install chromium) or set CHROMIUM`)
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--js-flags=--expose-gc'] })
}

export interface Look {
  readonly width?: number
  readonly height?: number
  readonly language?: 'en' | 'ps' | 'prs'
  readonly theme?: 'light' | 'dark'
  readonly reducedMotion?: boolean
}

/** A browser that nobody used before. Whatever its pages complain about ends up in errors. */
export async function openContext(browser: Browser, look: Look = {}): Promise<BrowserContext & { errors: string[] }> {
  const context = await browser.newContext({
    viewport: { width: look.width ?? 1440, height: look.height ?? 900 },
    reducedMotion: look.reducedMotion ? 'reduce' : 'no-preference',
    colorScheme: look.theme ?? 'light',
    locale: 'en-US',
  })
  await context.addInitScript(
    ([language, theme]) => {
      if (!location.protocol.startsWith('http')) return
      if (localStorage.getItem('presence.reading')) return
      localStorage.setItem('presence.reading', JSON.stringify({ language, zone: 'Asia/Kabul' }))
      localStorage.setItem('presence.shell', JSON.stringify({ theme }))
    },
    [look.language ?? 'en', look.theme ?? 'auto'],
  )
  const errors: string[] = []
  context.on('weberror', (e) => errors.push(String(e.error())))
  context.on('console', (m) => {
    // Who is not signed in yet asks once and is told so; a server that was killed does not answer.
    if (m.type() === 'error' && !/401|Failed to load resource|WebSocket connection/.test(m.text()))
      errors.push(m.text())
  })
  return Object.assign(context, { errors })
}

/** Signs in on the page's own form. */
export async function signIn(page: Page, house: House, name = 'root', path = '/'): Promise<void> {
  await page.goto(house.url + path)
  await page.fill('input[name=username]', name)
  await page.fill('input[name=password]', password)
  await page.keyboard.press('Enter')
  await page.waitForSelector('[data-testid=truth]')
}

/** Signs in by the API: quicker, where signing in is not what is tested. */
export async function enter(context: BrowserContext, house: House, name = 'root'): Promise<void> {
  const r = await context.request.post(`${house.url}/api/v1/session`, {
    headers: { 'Presence-Session': '1' },
    data: { username: name, password },
  })
  if (!r.ok()) throw new Error(`signing in: ${r.status()} ${await r.text()}`)
}

export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(shots, { recursive: true })
  await page.screenshot({ path: join(shots, `${name}.png`) })
}
