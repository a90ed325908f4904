import type { Http } from './http'
import type { PresenceList, FeedUser as User } from './wire'

/** As many as one request may ask for. */
export const most = 1000

/** Asks for everybody in ids once, a thousand at a time. */
export async function query(http: Http, ids: Iterable<string>): Promise<User[]> {
  const rest = [...new Set(ids)]
  const users: User[] = []
  while (rest.length) {
    const r = await http('/api/v1/presence/query', { ids: rest.splice(0, most) })
    const { items } = (await r.json()) as PresenceList
    for (const i of items)
      users.push({ id: i.id, s: i.status, ls: moment(i.last_seen), since: moment(i.since), c: i.cause, held: i.held })
  }
  return users
}

const moment = (s: string | null) => (s ? Date.parse(s) : undefined)
