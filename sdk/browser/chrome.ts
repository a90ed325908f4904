import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import WebSocket from 'ws'

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Timers of pages hidden for 10 s run once a minute, as they do after 5 minutes otherwise.
  '--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/10',
  '--remote-debugging-port=0',
]

type Json = Record<string, unknown>

/** Chromium over its DevTools protocol, without a driver: drivers keep every tab visible. */
export class Chrome {
  private last = 0
  private waiting = new Map<number, { resolve: (v: Json) => void; reject: (e: Error) => void }>()
  private constructor(
    private readonly process: ChildProcess,
    private readonly profile: string,
    private readonly socket: WebSocket,
  ) {
    socket.on('message', (data) => {
      const m = JSON.parse(String(data)) as { id?: number; result: Json; error?: { message: string } }
      const w = this.waiting.get(m.id ?? 0)
      if (m.error) w?.reject(new Error(m.error.message))
      else w?.resolve(m.result)
    })
  }

  /** Three attempts: on a busy machine the first start of a browser may fail. */
  static async start(): Promise<Chrome> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await Chrome.launch()
      } catch (e) {
        if (attempt === 3) throw e
      }
    }
  }

  private static async launch(): Promise<Chrome> {
    const binary = process.env.CHROMIUM ?? '/usr/bin/chromium'
    if (!existsSync(binary))
      throw new Error(`no Chromium at ${binary}: install it (apt-get install chromium) or set CHROMIUM`)
    const profile = await mkdtemp(join(tmpdir(), 'presence-chromium-'))
    const child = spawn(binary, [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const url = await new Promise<string>((resolve, reject) => {
      let text = ''
      child.stderr.on('data', (d) => {
        text += d
        const m = /DevTools listening on (ws:\S+)/.exec(text)
        if (m?.[1]) resolve(m[1])
      })
      child.on('exit', () => reject(new Error(`Chromium ended: ${text}`)))
      setTimeout(() => reject(new Error(`Chromium says nothing: ${text}`)), 40_000).unref()
    }).catch(async (e) => {
      child.kill('SIGKILL')
      await rm(profile, { recursive: true, force: true, maxRetries: 5 })
      throw e
    })
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    return new Chrome(child, profile, socket)
  }

  send(method: string, params: Json = {}, sessionId?: string): Promise<Json> {
    const id = ++this.last
    this.socket.send(JSON.stringify({ id, method, params, sessionId }))
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }))
  }

  /** A tab; apart: of another browser, as it were, which shares nothing with the rest. */
  async open(url: string, apart = false): Promise<Page> {
    const context = apart ? await this.send('Target.createBrowserContext') : {}
    const { targetId } = (await this.send('Target.createTarget', { url, ...context })) as { targetId: string }
    const { sessionId } = (await this.send('Target.attachToTarget', { targetId, flatten: true })) as {
      sessionId: string
    }
    return new Page(this, targetId, sessionId)
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.process.once('exit', resolve))
    this.process.kill()
    await gone
    await rm(this.profile, { recursive: true, force: true, maxRetries: 5 })
  }
}

export class Page {
  constructor(
    private readonly chrome: Chrome,
    readonly target: string,
    private readonly session: string,
  ) {}

  send(method: string, params: Json = {}) {
    return this.chrome.send(method, params, this.session)
  }

  async eval<T>(expression: string): Promise<T> {
    const r = (await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })) as {
      result: { value: T }
      exceptionDetails?: { text: string; exception?: { description: string } }
    }
    if (r.exceptionDetails) throw new Error(r.exceptionDetails.exception?.description ?? r.exceptionDetails.text)
    return r.result.value
  }

  /** To the front: the other tabs of its window are hidden from then on. */
  show() {
    return this.chrome.send('Target.activateTarget', { targetId: this.target })
  }

  freeze() {
    return this.send('Page.setWebLifecycleState', { state: 'frozen' })
  }

  thaw() {
    return this.send('Page.setWebLifecycleState', { state: 'active' })
  }

  reload() {
    return this.send('Page.reload')
  }

  close() {
    return this.chrome.send('Target.closeTarget', { targetId: this.target })
  }
}
