import type { Counts, Presence } from './types'
import type { FeedDelta, FeedSnap, FeedUser } from './wire'

/** What one holds: a pure function of the frames that came. */
export interface View {
  readonly epoch: string
  /** With epoch the cursor to resume from; -1 while the picture is not complete. */
  readonly seq: number
  readonly users: ReadonlyMap<string, Presence>
  readonly counts?: Counts
}

export const nothing: View = { epoch: '', seq: -1, users: new Map() }

/** A full picture makes everybody stale who is not in it, and forgets them with its last part. */
export function applySnap(view: View, f: FeedSnap): View {
  const users = new Map((f.full && view.seq >= 0 ? mark(view, true) : view).users)
  for (const u of f.users) take(users, u)
  if (!f.more) for (const [id, p] of users) p.stale && users.delete(id)
  return { epoch: f.epoch, seq: f.more ? -1 : f.seq, users, counts: f.counts ?? view.counts }
}

/** A repeated or old delta changes nothing, and returns the same object. */
export function applyDelta(view: View, f: FeedDelta): View {
  if (f.seq <= view.seq) return view
  const users = new Map(view.users)
  for (const u of f.users ?? []) {
    const held = users.get(u.id)?.version ?? 0
    if (!(u.v && u.v <= held)) take(users, u)
  }
  // In the middle of a picture the cursor is the picture's.
  return { ...view, seq: view.seq < 0 ? -1 : f.seq, users, counts: f.counts ?? view.counts }
}

/** stale: the link is lost, and what is held may be wrong by now. Else: it is back where it broke off. The cursor stays. */
export function mark(view: View, stale: boolean): View {
  return each(view, (p) => (p.stale === stale ? p : { ...p, stale }))
}

/** Takes over another tab's picture, keeping the objects of those who are the same in both. */
export function adopt(view: View, other: View): View {
  return each(other, (p) => same(view.users.get(p.id), p))
}

/** Drops those whom nobody watches any more. */
export function keep(view: View, wanted: Set<string>): View {
  return { ...view, users: new Map([...view.users].filter(([id]) => wanted.has(id))) }
}

export function fromWire(u: FeedUser): Presence {
  return { id: u.id, status: u.s, lastSeen: u.ls, since: u.since, stale: false, cause: u.c, held: u.held, version: u.v }
}

function take(users: Map<string, Presence>, u: FeedUser): void {
  users.set(u.id, same(users.get(u.id), fromWire(u)))
}

function each(view: View, change: (p: Presence) => Presence): View {
  return { ...view, users: new Map([...view.users].map(([id, p]) => [id, change(p)])) }
}

/** The old object if nothing changed, so that nothing is drawn again. All are made in one order of fields. */
function same(old: Presence | undefined, p: Presence): Presence {
  return old && JSON.stringify(old) === JSON.stringify(p) ? old : p
}
