// A thread that changes people's statuses through the API at a given rate, each request on its own, as admins do.
import { Agent, request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const { url, token, ids, rate } = workerData
const agent = new Agent({ keepAlive: true, maxSockets: 24 })
const statuses = ['online', 'away', 'offline']
const began = performance.now()
let sent = 0
let done = 0
let failed = 0
let running = true

function change(n) {
  const body = JSON.stringify({ status: statuses[(n + Math.floor(n / ids.length)) % 3] })
  const r = request(`${url}/api/users/admin/users/${ids[n % ids.length]}/set-online-status/`, {
    agent,
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Content-Length': body.length },
  })
  r.on('response', (answer) => {
    answer.resume()
    answer.on('end', () => (answer.statusCode === 200 ? done++ : failed++))
  })
  r.on('error', () => failed++)
  r.end(body)
}

const timer = setInterval(() => {
  const due = Math.min(((performance.now() - began) / 1000) * rate, done + failed + 400) // what waits is bounded
  while (running && sent < due) change(sent++)
}, 10)
parentPort.on('message', () => {
  running = false
  clearInterval(timer)
  parentPort.postMessage({ done, failed, seconds: (performance.now() - began) / 1000 })
  agent.destroy()
  parentPort.close()
})
