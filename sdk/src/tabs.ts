import type { Channel, World } from './world'

/** The tabs of one browser: one of them leads, and carries the socket for all. */
export interface Tabs<M> {
  readonly id: string
  start(): void
  /** Gives the lead up, if this tab has it. */
  stop(): void
  /** To the other tabs. */
  post(m: M): void
  leading(): boolean
  /** Sees whether the leader is alive, and takes over from one that is frozen, or hidden while this tab is seen. */
  check(): void
}

export interface TabsOptions<M> {
  /** This tab leads from now on. */
  lead(): void
  /** It does not any more. */
  follow(): void
  /** Another tab leads now. */
  leader(): void
  message(m: M, from: string): void
}

type Envelope<M> = { from: string; k: 'who' } | { from: string; k: 'lead'; visible: boolean } | { from: string; m: M }

const patience = 1000

export function createTabs<M>(world: World, name: string, on: TabsOptions<M>): Tabs<M> {
  const locks = name ? world.locks : undefined
  const id = String(world.random())
  let channel: Channel | undefined
  let leading = false
  let leader = ''
  let seen: boolean | undefined // whether the leader is; undefined while it has not answered
  let turn = 0
  let checking = false
  let release: (() => void) | undefined
  let queued: AbortController | undefined

  const put = (e: { k: 'who' } | { k: 'lead'; visible: boolean } | { m: M }) => channel?.postMessage({ from: id, ...e })
  const announce = () => put({ k: 'lead', visible: world.visible() })
  const ask = () => put({ k: 'who' })

  const hear = (e: Envelope<M>) => {
    if ('m' in e) return on.message(e.m, e.from)
    if (e.k === 'who') return leading && announce()
    if (leading) return // somebody who was frozen and does not know yet
    seen = e.visible
    if (leader === e.from) return
    leader = e.from
    on.leader()
  }

  const lead = () => {
    leading = true
    announce()
    on.lead()
  }

  const request = (steal: boolean) => {
    const mine = ++turn
    queued?.abort()
    queued = new AbortController()
    const done = () => {
      if (mine !== turn) return // stopped, or asked again meanwhile
      if (!leading) return lead() // nothing was stolen: this page may not have locks
      leading = false
      leader = ''
      on.follow()
      request(false)
      ask()
    }
    locks
      ?.request(name, steal ? { steal } : { signal: queued.signal }, async () => {
        if (mine !== turn) return
        lead()
        await new Promise<void>((r) => (release = r))
      })
      .then(done, done)
  }

  return {
    id,
    post: (m) => put({ m }),
    leading: () => leading,
    start() {
      if (!locks) return lead()
      channel = world.channel?.(name)
      if (channel) channel.onmessage = (e) => hear(e.data as Envelope<M>)
      request(false)
      ask()
    },
    stop() {
      turn++
      leading = false
      leader = ''
      queued?.abort()
      release?.()
      channel?.close()
      channel = undefined
    },
    check() {
      if (leading || !channel || checking) return
      const mine = turn
      seen = undefined
      checking = true
      ask()
      world.after(patience, () => {
        checking = false
        if (mine !== turn || leading) return
        if (seen === undefined || (!seen && world.visible())) request(true)
      })
    },
  }
}
