import { LastSeen, PresenceDot, PresenceProvider, useConnection } from '@offchat/presence/react'
import { createRoot } from 'react-dom/client'

const options = {
  url: document.querySelector('meta[name=presence]').content,
  token: async () => (await (await fetch('/my/token')).json()).ticket ?? null,
}

function Link() {
  const { state } = useConnection()
  return state === 'connected' ? null : <small>{state}</small>
}

createRoot(document.getElementById('root')).render(
  <PresenceProvider options={options}>
    <p>
      Zahra <PresenceDot user="1" /> <LastSeen user="1" />
    </p>
    <Link />
  </PresenceProvider>,
)
