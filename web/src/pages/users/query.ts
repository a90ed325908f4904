import type { Address } from '../../app/address'
import type { Column, Filter, Sort } from '../../data/view'
import { noFilter } from '../../data/view'

/** What the address of the page says about the table, and the other way round. */
const minute = 60_000
const day = 86_400_000

/** Ranges as the address spells them. */
export const ranges = {
  '15m': 15 * minute,
  '1h': 60 * minute,
  '24h': day,
  '7d': 7 * day,
  '30d': 30 * day,
  '90d': 90 * day,
}
export type RangeName = keyof typeof ranges

const range = (text: string | null): number => (text && text in ranges ? ranges[text as RangeName] : 0)

export const columns: readonly Column[] = [
  'status',
  'user',
  'email',
  'seen',
  'since',
  'devices',
  'account',
  'role',
  'joined',
]
export const usual: readonly Column[] = ['status', 'user', 'seen', 'since', 'devices', 'account', 'role', 'joined']

export function filterOf(a: Address): Filter {
  return {
    search: a.get('q') ?? '',
    status: a.list('presence'),
    account: a.list('account'),
    role: a.list('role'),
    cause: a.list('why'),
    held: a.get('held') === '1',
    private: a.get('private') === '1',
    devices: Number(a.get('devices')) || 0,
    seenWithin: range(a.get('seen')),
    unseenFor: range(a.get('unseen')),
    never: a.get('never') === '1',
    sinceFor: range(a.get('since')),
  }
}

/** The name in the address of each part of a filter. */
export const names: Readonly<Record<keyof Filter, string>> = {
  search: 'q',
  status: 'presence',
  account: 'account',
  role: 'role',
  cause: 'why',
  held: 'held',
  private: 'private',
  devices: 'devices',
  seenWithin: 'seen',
  unseenFor: 'unseen',
  never: 'never',
  sinceFor: 'since',
}

export const nothing = Object.fromEntries(Object.values(names).map((name) => [name, null]))

/** The parts of a filter that say something. */
export function used(f: Filter): (keyof Filter)[] {
  return (Object.keys(noFilter) as (keyof Filter)[]).filter((k) => {
    const v = f[k]
    return Array.isArray(v) ? v.length > 0 : Boolean(v)
  })
}

export function sortOf(a: Address): Sort {
  const text = a.get('sort') ?? '-seen'
  const down = text.startsWith('-')
  const column = (down ? text.slice(1) : text) as Column
  return columns.includes(column) || column === 'cause' ? { column, down } : { column: 'seen', down: true }
}

export const sortText = (s: Sort): string => `${s.down ? '-' : ''}${s.column}`

export function columnsOf(a: Address): readonly Column[] {
  const wanted = a.list('cols').filter((c): c is Column => columns.includes(c as Column))
  return wanted.length ? wanted : usual
}

/** The views that everybody has. */
export const views = {
  all: {},
  online: { presence: 'online' },
  away: { presence: 'away', since: '15m' },
  inactive: { unseen: '30d', sort: 'seen' },
  never: { never: '1', sort: '-joined' },
  pending: { account: 'pending', sort: '-joined' },
  banned: { account: 'banned' },
  held: { held: '1' },
  devices: { devices: '3', sort: '-devices' },
} as const
export type ViewName = keyof typeof views

/**
 * The same filter as the server's list and export take it; undefined when they cannot say it.
 */
export function serverQuery(f: Filter, s: Sort, now: number): Record<string, string> | undefined {
  if (f.private || f.never || f.sinceFor || f.account.length > 1 || f.role.length > 1 || f.account[0] === 'closed')
    return
  if (f.search.trim().includes(' ')) return // words in any order are ours alone
  const q: Record<string, string> = {}
  if (f.search) q.search = f.search.trim()
  if (f.status.length) q.presence = f.status.join()
  if (f.account[0]) q.account_status = f.account[0]
  if (f.role[0]) q.role = f.role[0]
  if (f.cause.length) q.cause = f.cause.join()
  if (f.held) q.hold = 'true'
  if (f.devices) q.min_devices = String(f.devices)
  if (f.seenWithin) q.seen_after = new Date(now - f.seenWithin).toISOString()
  if (f.unseenFor) q.seen_before = new Date(now - f.unseenFor).toISOString()
  const sort = { user: 'username', email: 'email', seen: 'last_seen', since: 'since', joined: 'created_at' } as const
  const by = sort[s.column as keyof typeof sort]
  q.sort = by ? `${s.down ? '-' : ''}${by}` : 'id'
  return q
}
