import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const password = 'correct horse battery'

export const later = (ms: number) => new Promise((r) => setTimeout(r, ms))

/** Waits for something to be so; how long is what it resolves to. */
export async function until(what: () => unknown, most = 60_000): Promise<number> {
  const start = Date.now()
  while (!(await what())) {
    if (Date.now() - start > most) throw new Error(`not so after ${most} ms: ${what}`)
    await later(20)
  }
  return Date.now() - start
}

/** The real server with people, and beside it the site of somebody else whose pages use it. */
export class House {
  private server?: ChildProcess
  url = ''
  site = ''
  private constructor(
    readonly binary: string,
    readonly data: string,
    private readonly pages: Server,
    private readonly flags: string[],
  ) {}

  /** `page` answers for the other site; /my/token?user=NAME is answered with an access token of that user. */
  static async start(
    binary: string,
    page: (req: IncomingMessage, house: House) => string | Promise<string>,
    flags: string[] = [],
    first: string[] = [],
  ): Promise<House> {
    const serve: RequestListener = async (req, res) => {
      const { pathname, searchParams } = new URL(req.url ?? '/', 'http://x')
      if (pathname === '/my/token')
        return res.end(await house.session(searchParams.get('user') ?? '', searchParams.get('device') ?? ''))
      res.setHeader('Content-Type', 'text/html')
      res.end(await page(req, house))
    }
    const pages = createServer((req, res) => void serve(req, res))
    const house = new House(binary, mkdtempSync(join(tmpdir(), 'presence-sdk-')), pages, flags)
    house.site = `http://127.0.0.1:${await port(pages)}`
    house.url = `http://127.0.0.1:${await freePort()}`
    for (const name of first) await house.person(name)
    await house.person('root', 'admin')
    await house.serve()
    return house
  }

  /** A command of the server; what it prints. */
  run(args: string[], input = ''): string {
    return execFileSync(this.binary, [...args, '--data', this.data], { input, encoding: 'utf8' })
  }

  /** Starts the server, at the same address each time. */
  async serve() {
    const flags = ['--listen', this.url.slice(7), '--data', this.data, ...this.flags]
    if (!flags.includes('--cors-origins')) flags.push('--cors-origins', this.site)
    this.server = spawn(this.binary, ['serve', ...flags], { stdio: 'ignore' })
    await until(() =>
      fetch(`${this.url}/readyz`).then(
        (r) => r.ok,
        () => false,
      ),
    )
  }

  async halt() {
    const { server } = this
    if (!server) return
    const gone = new Promise((resolve) => server.once('exit', resolve))
    server.kill()
    await gone
  }

  /** The access token of somebody on a device: one session, however many tabs ask. */
  session(name: string, device: string): Promise<string> {
    const key = `${name} ${device}`
    const token = this.sessions.get(key) ?? this.login(name)
    this.sessions.set(key, token)
    return token
  }
  private readonly sessions = new Map<string, Promise<string>>()

  async login(name: string): Promise<string> {
    const r = await fetch(`${this.url}/api/auth/login/`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ username: name, password }),
    })
    return ((await r.json()) as { tokens: { access: string } }).tokens.access
  }

  /** Makes somebody; their id, while the server runs. */
  async person(name: string, role = 'user'): Promise<string> {
    this.run(['user', 'create', name, '--role', role, '--password-stdin'], password)
    if (!this.server) return ''
    const { items } = await this.ask<{ items: { id: string; username: string }[] }>('users')
    return items.find((u) => u.username === name)?.id ?? ''
  }

  /** What /api/v1 answers to root. */
  async ask<T>(path: string): Promise<T> {
    this.root ??= await this.login('root')
    const r = await fetch(`${this.url}/api/v1/${path}`, { headers: { Authorization: `Bearer ${this.root}` } })
    return (await r.json()) as T
  }
  root?: string

  async stop() {
    await this.halt()
    this.pages.close()
    rmSync(this.data, { recursive: true, force: true })
  }
}

export async function freePort(): Promise<number> {
  const free = createServer()
  const number = await port(free)
  await new Promise((r) => free.close(r))
  return number
}

async function port(s: Server): Promise<number> {
  await new Promise<void>((resolve) => s.listen(0, '127.0.0.1', resolve))
  return (s.address() as AddressInfo).port
}
