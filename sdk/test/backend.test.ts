import { createHmac } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { PresenceServer, verifyWebhook } from '../src/server'
import { pass } from './outside'

/** A server that takes touches, and what it was told. */
function backend(answer: () => Response = () => new Response(null, { status: 204 })) {
  const told: { ids: string[]; source?: string }[] = []
  const own = async (_: unknown, init: RequestInit = {}) => {
    told.push(JSON.parse(String(init.body)))
    return answer()
  }
  const onError = vi.fn()
  // Only as much of fetch as is used.
  const server = new PresenceServer({ url: 'http://p', token: 'opt_x', onError, fetch: own as typeof fetch })
  return { server, told, onError }
}

describe('touch', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 1_764_000_000_000 })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  test('words about many people at once are one request; about one person, one in 5 s', async () => {
    const { server, told } = backend()
    const first = server.touch(['7', '8'])
    const second = server.touch('7')
    void server.touch('9')
    await pass(100)
    await Promise.all([first, second])
    expect(told).toEqual([{ ids: ['7', '8', '9'] }])
    await server.touch(['7', '8'])
    await pass(4000)
    await server.touch('7')
    expect(told).toHaveLength(1)
    await pass(1000)
    void server.touch('7')
    await pass(100)
    expect(told[1]).toEqual({ ids: ['7'] })
  })

  test('two thousand and one are three requests, and sources keep apart', async () => {
    const { server, told } = backend()
    void server.touch(
      Array.from({ length: 2001 }, (_, i) => String(i)),
      { source: 'api' },
    )
    void server.touch('1', { source: 'web' })
    await pass(100)
    expect(told.map((t) => [t.source, t.ids.length]).sort()).toEqual([
      ['api', 1],
      ['api', 1000],
      ['api', 1000],
      ['web', 1],
    ])
  })

  test('what failed is told again at the next word, and patience is kept', async () => {
    const answers = [new Response('', { status: 503, headers: { 'Retry-After': '10' } })]
    const { server, told } = backend(() => answers.shift() ?? new Response(null, { status: 204 }))
    const failed = expect(server.touch('7')).rejects.toMatchObject({
      code: 'busy',
      retryable: true,
      retryAfter: 10_000,
    })
    await pass(100)
    await failed
    await expect(server.touch('7')).rejects.toMatchObject({ code: 'busy' })
    await pass(10_000)
    void server.touch('7')
    await pass(100)
    expect(told).toHaveLength(2)
  })

  test('whoever may not be present is asked about again', async () => {
    const { server, told } = backend(() =>
      Response.json({ touched: 1, unknown: ['8'], refused: [{ id: '7', reason: 'logged_out' }] }),
    )
    for (let i = 0; i < 2; i++) {
      void server.touch(['7', '8', '9'])
      await pass(100)
    }
    expect(told).toEqual([{ ids: ['7', '8', '9'] }, { ids: ['7'] }])
  })
})

describe('middleware', () => {
  const user = (r: { headers: Record<string, unknown> }) => r.headers['x-user'] as string | undefined

  test('Express', async () => {
    const { server, told } = backend()
    const app = express()
    app.use(server.middleware(user))
    app.get('/', (_, res) => void res.send('hello'))
    const http = app.listen(0)
    const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}/`
    expect(await (await fetch(url, { headers: { 'x-user': '7' } })).text()).toBe('hello')
    expect(await (await fetch(url)).text()).toBe('hello')
    await vi.waitFor(() => expect(told).toEqual([{ ids: ['7'] }]), 10_000)
    http.close()
  })

  test('Fastify', async () => {
    const { server, told } = backend()
    const app = fastify()
    app.addHook('onRequest', server.middleware(user))
    app.get('/', () => 'hello')
    expect((await app.inject({ url: '/', headers: { 'x-user': '7' } })).body).toBe('hello')
    await vi.waitFor(() => expect(told).toEqual([{ ids: ['7'] }]), 10_000)
    await app.close()
  })

  test('Hono', async () => {
    const { server, told } = backend()
    const app = new Hono()
    app.use(
      server.middleware((c: { req: { header(n: string): string | undefined } }) => c.req.header('x-user')) as never,
    )
    app.get('/', (c) => c.text('hello'))
    expect(await (await app.request('/', { headers: { 'x-user': '7' } })).text()).toBe('hello')
    await vi.waitFor(() => expect(told).toEqual([{ ids: ['7'] }]), 10_000)
  })

  test('fails no request: neither when the server is down nor when the user cannot be told', async () => {
    const { server, onError } = backend(() => {
      throw new Error('down')
    })
    const app = fastify()
    app.addHook('onRequest', server.middleware(user))
    app.addHook(
      'onRequest',
      server.middleware(() => {
        throw new Error('no session')
      }),
    )
    app.get('/', () => 'hello')
    expect((await app.inject({ url: '/', headers: { 'x-user': '7' } })).body).toBe('hello')
    await vi.waitFor(() => expect(onError).toHaveBeenCalledTimes(2), 10_000)
    expect(onError.mock.calls.map(([e]) => e.message)).toEqual(['no session', 'Error: down'])
    await app.close()
  })
})

describe('webhooks', () => {
  const key = Buffer.from('0123456789abcdef01234567')
  const secret = `whsec_${key.toString('base64')}`
  const at = 1_764_000_000
  const body = '{"type":"events","data":{"events":[]}}'
  const sign = (text: string, k = key) => `v1,${createHmac('sha256', k).update(`msg_1.${at}.${text}`).digest('base64')}`
  const headers = (signature: string) => ({
    'Webhook-Id': 'msg_1',
    'webhook-timestamp': String(at),
    'webhook-signature': signature,
  })
  const check = (
    h: Record<string, string>,
    secrets: string | string[] = secret,
    text: string | Uint8Array = body,
    ms = 0,
  ) => verifyWebhook(text, h, secrets, at * 1000 + ms)

  test('what the server signed is taken, as text and as bytes, with any of the signatures and secrets', async () => {
    expect(await check(headers(sign(body)))).toMatchObject({ type: 'events' })
    expect(await check(headers(`v1a,xyz v1,AAAA ${sign(body)}`), secret, Buffer.from(body))).toMatchObject({
      type: 'events',
    })
    expect(await check(headers(sign(body)), ['whsec_b2xk', secret])).toMatchObject({ type: 'events' })
    expect(await verifyWebhook(body, new Headers(headers(sign(body))), secret, at * 1000)).toMatchObject({
      type: 'events',
    })
  })

  test('anything else is not', async () => {
    const bad = (code: string, h: Record<string, string>, text = body, ms = 0) =>
      expect(check(h, secret, text, ms)).rejects.toMatchObject({ code })
    await bad('signature', headers(sign(body)), `${body} `)
    await bad('signature', headers(sign(body, Buffer.from('another'))))
    await bad('signature', headers(''))
    await bad('signature', { ...headers(sign(body)), 'Webhook-Id': 'msg_2' })
    await bad('timestamp', headers(sign(body)), body, 301_000)
    await bad('timestamp', headers(sign(body)), body, -301_000)
    await bad('timestamp', {})
    await expect(check(headers(sign(body)), 'whsec_')).rejects.toThrow(TypeError)
  })

  test('the server object knows its secret', async () => {
    const now = Math.floor(Date.now() / 1000)
    const signature = `v1,${createHmac('sha256', key).update(`m.${now}.${body}`).digest('base64')}`
    const server = new PresenceServer({ url: 'http://p', token: 't', webhookSecret: secret })
    const h = { 'webhook-id': 'm', 'webhook-timestamp': String(now), 'webhook-signature': signature }
    expect(await server.verifyWebhook(body, h)).toMatchObject({ type: 'events' })
  })
})
