// The types as a consumer of the package sees them: resolved through package.json, from dist.
import { type Connection, createPresence, type Presence, PresenceError } from '@offchat/presence'
import {
  type PartProps,
  PresenceDot,
  useMyPresence,
  type usePresence,
  type usePresences,
} from '@offchat/presence/react'
import { type PresenceEvent, PresenceServer } from '@offchat/presence/server'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
type IsAny<T> = 0 extends 1 & T ? true : false
const yes = <T extends true>(): T | undefined => undefined
const no = <T extends false>(): T | undefined => undefined

const presence = createPresence({ token: async () => null, awayAfter: false, tabs: 'own' })
createPresence({ url: 'https://p.example', token: () => 'text' })
// @ts-expect-error a client needs to know where tokens are
createPresence({})
// @ts-expect-error no such way to share
createPresence({ token: () => null, tabs: 'some' })

const stop: () => void = presence.watch(['7'], (p) => {
  yes<Same<typeof p, Presence>>()
  // @ts-expect-error what is told is not ours to change
  p.status = 'online'
})
stop()
presence.watch('7')
// @ts-expect-error ids are strings
presence.watch(7)
yes<Same<ReturnType<typeof presence.get>, Presence | undefined>>()
yes<Same<Presence['lastSeen'], number | undefined>>()
yes<Same<Presence['status'], 'online' | 'away' | 'offline'>>()
no<IsAny<ReturnType<typeof presence.query>>>()
presence.on('connection', (c) => yes<Same<typeof c, Connection>>())
presence.on('signedout', (r) => no<IsAny<typeof r.reason>>())
// @ts-expect-error no such event
presence.on('nothing', () => {})
presence.setStatus('away', { until: new Date() })
// @ts-expect-error online is what one is, not what one says
presence.setStatus('online')
const error: Error = new PresenceError('busy', 'later', true)
yes<Same<PresenceError['retryable'], boolean>>()

export function Parts(props: PartProps) {
  const [me, setMe] = useMyPresence()
  yes<Same<typeof me, Presence | undefined>>()
  setMe('auto')
  yes<Same<ReturnType<typeof usePresence>, Presence | undefined>>()
  yes<Same<ReturnType<typeof usePresences>, ReadonlyMap<string, Presence>>>()
  return PresenceDot(props)
}

export async function backend() {
  const server = new PresenceServer({ url: 'https://p.example', token: 'text' })
  for await (const e of server.events({ users: ['7'] })) yes<Same<typeof e, PresenceEvent>>()
  yes<Same<Awaited<ReturnType<typeof server.query>>, Map<string, Presence>>>()
  return error
}
