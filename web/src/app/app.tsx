import { useEffect, useState } from 'react'
import { type Server, ServerProvider, useLive, useServer, useValue } from '../data'
import { type Reader, ReadingProvider } from '../i18n'
import { NotStaff, SetUp, SignIn, Unreachable } from './door'
import type { Preferring } from './preferences'
import { Shell } from './shell'
import { Shortcuts } from './shortcuts'

export interface AppProps {
  readonly server: Server
  readonly reader: Reader
  readonly preferring: Preferring
}

export function App({ server, reader, preferring }: AppProps) {
  return (
    <ReadingProvider reader={reader}>
      <ServerProvider server={server}>
        <Shortcuts preferring={preferring}>
          <Entrance preferring={preferring} />
        </Shortcuts>
      </ServerProvider>
    </ReadingProvider>
  )
}

/** Shows the dashboard to who may see it, and the door to everybody else. */
function Entrance({ preferring }: { readonly preferring: Preferring }) {
  const { session } = useServer()
  const state = useValue(session)
  const [token] = useState(setUpToken)
  useEffect(() => void session.start(), [session])
  switch (state.phase) {
    case 'starting':
      return null // for one answer of our own server; a spinner would only flash
    case 'unreachable':
      return <Unreachable />
    case 'out':
      return token ? <SetUp token={token} /> : <SignIn ended={state.ended} />
    case 'in':
      if (state.account.role === 'user') return <NotStaff name={state.account.username} />
      return <Watching key={state.account.id} preferring={preferring} />
  }
}

function Watching({ preferring }: { readonly preferring: Preferring }) {
  const live = useLive()
  useEffect(() => {
    live.start(location.pathname === '/tv')
    return live.stop
  }, [live])
  return <Shell preferring={preferring} />
}

/** The token of the link that makes the first admin; it does not stay in the address. */
function setUpToken(): string {
  if (location.pathname !== '/setup') return ''
  const token = new URLSearchParams(location.search).get('token') ?? ''
  if (token) history.replaceState(null, '', '/setup')
  return token
}
