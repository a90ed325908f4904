// A site with people of its own. It serves a folder, and lets whoever is signed in into the presence server.
//   PRESENCE_TOKEN=... node server.mjs [folder] [port]
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'

const [folder = import.meta.dirname, port = '8080'] = process.argv.slice(2)
const presence = process.env.PRESENCE_URL ?? 'http://127.0.0.1:8000'
const types = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }

/** The user's id on the presence server, from your own session. Here: ?as=1, which you would never do. */
const signedIn = (req) => new URL(req.headers.referer ?? '/', 'http://x').searchParams.get('as') ?? '1'

createServer(async (req, res) => {
  try {
    const { pathname } = new URL(req.url, 'http://x')
    if (pathname === '/my/token') {
      const r = await fetch(`${presence}/api/v1/feed/ticket`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${process.env.PRESENCE_TOKEN}` },
        body: JSON.stringify({ user: signedIn(req) }),
      })
      return res.writeHead(r.status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }).end(await r.text())
    }
    const file = normalize(pathname === '/' ? '/index.html' : pathname)
    const text = await readFile(join(folder, file), 'utf8')
    res.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'text/plain' }).end(text.replaceAll('{presence}', presence))
  } catch (e) {
    res.writeHead(e.code === 'ENOENT' ? 404 : 500).end(String(e))
  }
}).listen(Number(port), '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`))
