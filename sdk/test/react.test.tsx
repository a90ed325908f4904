// @vitest-environment happy-dom
import { createPresence, type PresenceClient } from '@offchat/presence'
import { act, memo, StrictMode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { prs, ps } from '../src/languages'
import {
  LastSeen,
  PresenceDot,
  PresenceProvider,
  useConnection,
  useMyPresence,
  useOnlineCount,
  usePresence,
  usePresences,
} from '../src/react'
import { FakeTab, pass } from './outside'

let tab: FakeTab
let client: PresenceClient
let root: Root
let box: HTMLElement

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  vi.useFakeTimers({
    now: 1_764_000_000_000,
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date'],
  })
  tab = new FakeTab()
  client = createPresence({ token: () => 'good' }, tab.world())
  box = document.createElement('div')
  root = createRoot(box)
})
afterEach(async () => {
  await act(() => root.unmount())
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

const settle = () => act(() => pass(100))

test('ten thousand rows under StrictMode: one frame, one render for each that changed', {
  timeout: 30_000,
}, async () => {
  const ids = Array.from({ length: 10_000 }, (_, i) => String(i + 2))
  const renders = new Map<string, number>()
  const Row = memo(({ id }: { id: string }) => {
    renders.set(id, (renders.get(id) ?? 0) + 1)
    return <i>{usePresence(id)?.status}</i>
  })
  await act(() =>
    root.render(
      <StrictMode>
        <PresenceProvider client={client}>
          {ids.map((id) => (
            <Row key={id} id={id} />
          ))}
        </PresenceProvider>
      </StrictMode>,
    ),
  )
  await settle()
  await settle()
  expect(tab.server.sockets).toHaveLength(1)
  expect(tab.server.sockets[0]?.said.map((f) => f.t)).toEqual(['auth', 'sub'])
  expect(box.querySelectorAll('i')).toHaveLength(10_000)
  expect(box.textContent).toBe('offline'.repeat(10_000))
  renders.clear()
  tab.server.set('77', 'online')
  await settle()
  expect([...renders.keys()]).toEqual(['77'])
  expect(box.textContent).toContain('online')
})

test('mounted is present, unmounted is not', async () => {
  const Name = () => <b>{useConnection().state}</b>
  await act(() => root.render(<PresenceProvider client={client}>{<Name />}</PresenceProvider>))
  await settle()
  expect(box.textContent).toBe('connected')
  await act(() => root.render(<p />))
  await settle()
  expect(tab.server.open).toHaveLength(0)
})

test('several, myself, and what the scope does not tell', async () => {
  tab.server.users.set('7', { id: '7', s: 'away' })
  tab.server.users.set('1', { id: '1', s: 'online' })
  const All = () => {
    const all = usePresences(['7', '8'])
    const [me, setMe] = useMyPresence()
    return (
      <button type="button" onClick={() => void setMe('away')}>
        {`${all.get('7')?.status} ${all.get('8')?.status} ${me?.id} ${me?.status} ${useOnlineCount()}`}
      </button>
    )
  }
  await act(() => root.render(<PresenceProvider client={client}>{<All />}</PresenceProvider>))
  await settle()
  await settle()
  expect(box.textContent).toBe('away offline 1 online undefined')
  tab.server.set('8', 'online')
  await settle()
  expect(box.textContent).toBe('away online 1 online undefined')
  box.querySelector('button')?.dispatchEvent(new MouseEvent('click', { bubbles: true }))
  await settle()
  expect(tab.server.requests.at(-1)).toMatchObject({ body: { status: 'away' } })
})

test.each([
  ['en', undefined, 'Offline', '5 minutes ago'],
  ['ps', ps, 'آفلاین', '5 دقیقې مخکې'],
  ['prs', prs, 'آفلاین', '۵ دقیقه پیش'],
] as const)('the parts say it in words (%s)', async (_, words, word, ago) => {
  tab.server.users.set('7', { id: '7', s: 'offline', ls: Date.now() - 300_000 })
  await act(() =>
    root.render(
      <PresenceProvider client={client}>
        <PresenceDot user="7" words={words} />
        <LastSeen user="7" words={words} />
      </PresenceProvider>,
    ),
  )
  await settle()
  const dot = box.querySelector('span')
  expect(dot?.getAttribute('role')).toBe('img')
  expect(dot?.getAttribute('aria-label')).toBe(word)
  expect(box.querySelector('time')?.textContent).toBe(ago)
  await act(() => pass(60_000))
  expect(box.querySelector('time')?.textContent).not.toBe(ago)
})
