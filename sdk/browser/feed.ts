import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import type { ClientFrame, ServerFrame } from '../src/wire'

const grace = 10_000

export interface Connection {
  socket: WebSocket
  authAt: number
  closedAt?: number
  pings: number
  pongs: number
  slowest: number
  /** Takes everything and says nothing more. */
  mute: boolean
}

/** A feed as docs/protocol.md has it, for one person, who is online while a connection lives and 10 s longer. */
export class Feed {
  readonly connections: Connection[] = []
  readonly transitions: { at: number; to: 'online' | 'offline' }[] = []
  tokens: (string | null)[] = []
  token = 'good'
  tokenRequests = 0
  refuse = false
  pingMs = 2000
  pongMs = 10_000
  private leaving?: NodeJS.Timeout
  private seq = 1
  private sockets = new WebSocketServer({ noServer: true })
  private constructor(private readonly http: Server) {}

  static async start(): Promise<Feed> {
    const http = createServer()
    const feed = new Feed(http)
    http.on('request', (req, res) => void feed.serve(req, res))
    http.on('upgrade', (req, socket, head) => {
      if (feed.refuse) return socket.destroy()
      feed.sockets.handleUpgrade(req, socket, head, (ws) => feed.accept(ws))
    })
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    return feed
  }

  get url() {
    return `http://127.0.0.1:${(this.http.address() as AddressInfo).port}`
  }

  get open() {
    return this.connections.filter((c) => c.authAt && !c.closedAt)
  }

  get offlines() {
    return this.transitions.filter((t) => t.to === 'offline').length
  }

  async stop() {
    clearTimeout(this.leaving)
    for (const c of this.sockets.clients) c.terminate()
    this.http.closeAllConnections()
    await new Promise((resolve) => this.http.close(resolve))
  }

  /** Cuts every connection, as a network does. */
  cut() {
    for (const c of this.open) c.socket.terminate()
  }

  private async serve(req: IncomingMessage, res: ServerResponse) {
    const url = new URL(req.url ?? '/', this.url)
    if (url.pathname === '/sdk/presence.js') {
      res.setHeader('Content-Type', 'text/javascript')
      res.end(await readFile(new URL('../dist/presence.js', import.meta.url)))
    } else if (url.pathname === '/my/token') {
      this.tokenRequests++
      const token = this.tokens.length ? this.tokens.shift() : this.token
      res.writeHead(token ? 200 : 204).end(token ? JSON.stringify({ token }) : '')
    } else if (url.pathname === '/api/auth/logout/') {
      this.change('offline')
      for (const c of this.open) this.end(c, 4001, 'session_over')
      res.end('{}')
    } else {
      res.setHeader('Content-Type', 'text/html')
      const before = url.searchParams.has('nolocks') ? "Object.defineProperty(navigator, 'locks', {})" : ''
      res.end(`<!doctype html><title>page</title><script>${before}</script>
        <script src="/sdk/presence.js" data-token-url="/my/token"></script><p>Zahra <i data-presence="7"></i></p>
        <script>
          ticks = 0; setInterval(() => ticks++, 1000)
          client = OffChatPresence.presence; states = []
          client.on('connection', (c) => states.push([c.state, Date.now()]))
          client.on('signedout', (r) => (out = r.reason)); out = ''
        </script>`)
    }
  }

  private accept(socket: WebSocket) {
    const c: Connection = { socket, authAt: 0, pings: 0, pongs: 0, slowest: 0, mute: false }
    this.connections.push(c)
    let pinged = 0
    const say = (f: ServerFrame) => c.mute || socket.send(JSON.stringify(f))
    const timer = setInterval(() => {
      if (!c.authAt || c.mute) return
      if (c.pings > c.pongs) return
      const n = ++c.pings
      pinged = Date.now()
      say({ t: 'ping', n, seq: this.seq })
      // This one, not the next that may just be on its way.
      setTimeout(() => c.pongs < n && !c.closedAt && this.end(c, 4005, 'silent', [0, 300]), this.pongMs)
    }, this.pingMs)
    socket.on('close', () => {
      clearInterval(timer)
      c.closedAt = Date.now()
      if (!this.open.length && this.transitions.at(-1)?.to === 'online') {
        this.leaving = setTimeout(() => this.change('offline'), grace)
      }
    })
    socket.on('message', (data) => {
      const f = JSON.parse(String(data)) as ClientFrame
      if (f.t === 'pong') {
        c.pongs = f.n
        c.slowest = Math.max(c.slowest, Date.now() - pinged)
      } else if (f.t === 'auth') {
        if (f.token !== this.token) return this.end(c, 4003, 'unauthenticated')
        this.enter(c, f, say)
      } else if (f.t === 'sub') {
        say({ t: 'snap', epoch: 'e', seq: ++this.seq, users: f.users.map((id) => ({ id, s: 'away' })) })
      } else if (f.t === 'leave') this.end(c, 1000, 'bye')
      else if (!['unsub', 'idle', 'active', 'token'].includes(f.t))
        say({ t: 'error', code: 'unknown_frame', message: '', re: f.t })
    })
  }

  private enter(c: Connection, f: ClientFrame & { t: 'auth' }, say: (f: ServerFrame) => void) {
    c.authAt = Date.now()
    clearTimeout(this.leaving)
    this.change('online')
    const resumed = f.resume?.epoch === 'e'
    const at = { epoch: 'e', seq: ++this.seq }
    say({
      ...{
        t: 'hello',
        user: '1',
        session: 's',
        staff: false,
        scope: 'users',
        ...at,
        resumed,
        now: Date.now(),
        expires: 0,
      },
      ...{ ping_ms: this.pingMs, pong_ms: this.pongMs, heartbeat_ms: 30_000, idle_after_ms: 300_000 },
      ...{ offline_after_ms: 120_000, max_users: 10_000 },
    })
    if (!resumed) say({ t: 'snap', ...at, full: true, users: (f.users ?? []).map((id) => ({ id, s: 'online' })) })
  }

  private end(c: Connection, code: number, reason: string, retry_ms?: [number, number]) {
    if (!c.mute) c.socket.send(JSON.stringify({ t: 'bye', code, reason, retry_ms } satisfies ServerFrame))
    c.socket.close(code)
    c.closedAt ??= Date.now()
  }

  private change(to: 'online' | 'offline') {
    if (this.transitions.at(-1)?.to !== to) this.transitions.push({ at: Date.now(), to })
  }
}
