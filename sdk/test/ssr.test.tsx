import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'
import { LastSeen, PresenceDot, PresenceProvider } from '../src/react'

test('a server renders it without a window, and connects to nothing', () => {
  expect(typeof window).toBe('undefined')
  const token = () => {
    throw new Error('asked for a token')
  }
  const html = renderToString(
    <PresenceProvider options={{ url: 'https://presence.example', token }}>
      <PresenceDot user="7" />
      <LastSeen user="7" />
    </PresenceProvider>,
  )
  expect(html).toContain('aria-label="Offline"')
})
