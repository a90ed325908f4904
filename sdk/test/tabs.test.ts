import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createPresence } from '../src'
import { FakeBrowser, FakeTab, open, pass } from './outside'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_764_000_000_000 })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('tabs', () => {
  function five(n = 5) {
    const browser = new FakeBrowser()
    const tabs = Array.from({ length: n }, (_, i) => {
      const tab = new FakeTab(browser)
      tab.visible = i === 0
      return open({}, tab, { tabs: true })
    })
    for (const t of tabs) t.presence.connect()
    return { tabs, server: browser.server }
  }
  const at = <T>(list: T[], i: number) => list[i] as T

  test('are one socket, and each is told what it watches', async () => {
    const { tabs, server } = five()
    for (const [i, t] of tabs.entries()) t.presence.watch(`1${i}`)
    await pass(2000)
    server.set('14', 'online')
    server.set('10', 'away')
    await pass(100)
    expect(server.sockets).toHaveLength(1)
    expect(tabs.map((t) => t.presence.connection.state)).toEqual(Array(5).fill('connected'))
    expect(tabs.map((t) => t.presence.me)).toEqual(Array(5).fill('1'))
    expect(at(tabs, 4).presence.get('14')).toMatchObject({ status: 'online' })
    expect(at(tabs, 0).presence.get('10')).toMatchObject({ status: 'away' })
  })

  test('another carries on when the carrier closes, from where it was', async () => {
    const { tabs, server } = five()
    at(tabs, 3).presence.watch('7')
    await pass(2000)
    server.set('7', 'online')
    await pass(100)
    at(tabs, 0).tab.fire('pagehide')
    await pass(100)
    expect(server.open).toHaveLength(1)
    expect(server.open[0]?.said[0]).toMatchObject({ t: 'auth', resume: { epoch: 'e1', seq: 101 } })
    expect(at(tabs, 3).presence.get('7')).toMatchObject({ status: 'online', stale: false })
    server.set('7', 'away')
    await pass(100)
    expect(at(tabs, 3).presence.get('7')).toMatchObject({ status: 'away', stale: false })
  })

  test('the tab that is seen takes over from a frozen one within 6 s, and is not robbed when that thaws', async () => {
    const { tabs, server } = five(2)
    const [one, two] = [at(tabs, 0), at(tabs, 1)]
    await pass(2000)
    one.tab.visible = false
    one.tab.frozen = true
    two.tab.show()
    await pass(6100)
    expect(two.presence.connection.state).toBe('connected')
    expect(server.open.filter((s) => s.said.length)).toHaveLength(2)
    await pass(60_000)
    expect(server.open).toHaveLength(1) // the frozen one did not answer
    one.tab.thaw()
    await pass(2000)
    expect(server.sockets).toHaveLength(2)
    expect(one.presence.connection.state).toBe('connected')
    one.presence.watch('9')
    server.set('9', 'online')
    await pass(100)
    expect(one.presence.get('9')).toMatchObject({ status: 'online', stale: false })
  })

  test('the tab that is seen takes over from a hidden one', async () => {
    const { tabs, server } = five(3)
    await pass(2000)
    at(tabs, 0).tab.hide()
    at(tabs, 2).tab.show()
    await pass(2000)
    expect(server.sockets).toHaveLength(2)
    expect(server.open).toHaveLength(1)
    expect(tabs.map((t) => t.presence.connection.state)).toEqual(Array(3).fill('connected'))
    await pass(600_000)
    expect(server.sockets).toHaveLength(2)
  })

  test('input in one is input in all', async () => {
    const { tabs, server } = five(2)
    await pass(2000)
    for (let i = 0; i < 10; i++) {
      await pass(60_000)
      at(tabs, 1).tab.fire('keydown')
    }
    expect(server.open[0]?.said.some((f) => f.t === 'idle')).toBe(false)
  })

  test.each(['logout', 'session_over'] as const)('%s in one reaches all', async (how) => {
    const { tabs, server } = five()
    const outs = tabs.map((t) => {
      const fn = vi.fn()
      t.presence.on('signedout', fn)
      return fn
    })
    await pass(2000)
    if (how === 'logout') void at(tabs, 2).presence.close({ offline: true })
    else server.bye(4001, 'session_over')
    await pass(500)
    const expected = outs.map((_, i) => (how === 'logout' && i === 2 ? [] : [[{ reason: how }]]))
    expect(outs.map((fn) => fn.mock.calls)).toEqual(expected)
    await pass(60_000)
    expect(server.open).toHaveLength(0)
  })

  test('without locks each has a socket of its own', async () => {
    const browser = new FakeBrowser()
    const tabs = [1, 2, 3].map(() => open({}, new FakeTab(browser)))
    for (const t of tabs) t.presence.connect()
    await pass(100)
    expect(browser.server.open).toHaveLength(3)
  })

  test('a page that may not have locks has a socket of its own', async () => {
    const tab = new FakeTab()
    const world = tab.world({ tabs: true })
    world.locks = { request: () => Promise.reject(new DOMException('sandboxed', 'SecurityError')) }
    const presence = createPresence({ token: () => 'good' }, world)
    presence.connect()
    await pass(100)
    expect(presence.connection.state).toBe('connected')
    expect(tab.server.sockets).toHaveLength(1)
  })
})
