import { expect, test } from 'vitest'
import type { Roster } from '../wire'
import { People } from './people'

const roster = (usernames: string[], emails: string[]): Roster => {
  const zeros = usernames.map(() => 0)
  return {
    epoch: 'e',
    seq: 1,
    version: 'v-1',
    now: 1_764_000_000_000,
    full: true,
    total: usernames.length,
    words: { statuses: ['offline'], causes: [''], roles: ['user'], account_statuses: ['active'] },
    removed: [],
    parts: [
      {
        ids: usernames.map(() => 1),
        usernames,
        emails,
        first_names: usernames.map(() => 'Zahra'),
        last_names: usernames.map(() => 'Noori'),
        roles: zeros,
        account_statuses: zeros,
        active: usernames.map(() => 1),
        joined: zeros,
        statuses: zeros,
        last_seen: usernames.map(() => null),
        since: usernames.map(() => null),
        causes: zeros,
        held: zeros,
        private: zeros,
        devices: zeros,
        versions: zeros,
      },
    ],
  }
}

test('what the roster says in short is whole in the table', () => {
  const people = new People((run) => run())
  people.take(roster(['~.7', 'zn', '~~.7', '~_'], ['@example.org', '@example.org', 'z@example.net', '@x']))
  expect(people.username).toEqual(['zahra.noori7', 'zn', '~.7', 'zahra_noori'])
  expect(people.email).toEqual(['zahra.noori7@example.org', 'zn@example.org', 'z@example.net', 'zahra_noori@x'])
})

test('rows that come again with the same names do not have everybody sorted anew', () => {
  const people = new People((run) => run())
  people.take(roster(['~.7', 'zn'], ['@example.org', '@example.org']))
  const before = people.accountsVersion
  people.take({ ...roster(['~.7', 'zn'], ['@example.org', '@example.org']), full: false })
  expect(people.accountsVersion).toBe(before)
  people.take({ ...roster(['~.7', 'zahra'], ['@example.org', '@example.org']), full: false })
  expect(people.accountsVersion).toBeGreaterThan(before)
  expect(people.email[1]).toBe('zahra@example.org')
})
