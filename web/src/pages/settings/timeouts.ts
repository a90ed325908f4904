import type { Timeouts } from '../../wire'

export type Name = keyof Timeouts

export const names = ['heartbeat_interval', 'offline_after', 'idle_after', 'leave_grace', 'refresh_interval'] as const

/** The least and the most of each, in seconds: what the server takes. */
export const bounds: Readonly<Record<Name, readonly [number, number]>> = {
  heartbeat_interval: [1, 43_200],
  offline_after: [1, 86_400],
  idle_after: [1, 86_400],
  leave_grace: [1, 600],
  refresh_interval: [1, 3_600],
}

export interface Problem {
  readonly name: Name
  /** beats: one lost heartbeat would show people offline who are there. */
  readonly what: 'missing' | 'bounds' | 'beats'
}

/** The first thing that the server would refuse. */
export function problem(t: Timeouts): Problem | undefined {
  for (const name of names) {
    const [least, most] = bounds[name]
    if (!Number.isFinite(t[name])) return { name, what: 'missing' }
    if (t[name] < least || t[name] > most) return { name, what: 'bounds' }
  }
  return t.offline_after < 2 * t.heartbeat_interval ? { name: 'offline_after', what: 'beats' } : undefined
}

/** How many heartbeats in a row may be lost before somebody who is there is shown offline. */
export function lostBeats(t: Timeouts): number {
  return Math.max(0, Math.ceil(t.offline_after / t.heartbeat_interval) - 1)
}

/** Values a hand would choose: whole seconds, then fives, then minutes. */
export function rounded(seconds: number, name: Name): number {
  const step = seconds < 20 ? 1 : seconds < 120 ? 5 : seconds < 600 ? 15 : 60
  const [least, most] = bounds[name]
  return Math.min(most, Math.max(least, Math.round(seconds / step) * step))
}
