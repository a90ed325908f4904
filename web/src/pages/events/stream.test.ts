import { describe, expect, it } from 'vitest'
import { kept, Stream } from './stream'

const everything = { words: () => true, causes: [], node: '' }
const change = (n: number, more = {}) => ({
  id: String(n),
  s: 'online' as const,
  from: 'offline' as const,
  since: n,
  at: n,
  ...more,
})

describe('the stream of events', () => {
  it('shows the newest first and keeps no more than it says', () => {
    const s = new Stream()
    for (let n = 1; n <= kept + 5; n++) s.take([change(n)], n)
    const shown = s.shown(everything)
    expect(shown).toHaveLength(kept)
    expect(shown[0]?.at).toBe(kept + 5)
    expect(shown[kept - 1]?.at).toBe(6)
  })

  it('stands still while it is held, counts what waits, and takes it over', () => {
    const s = new Stream()
    s.take([change(1)], 1)
    s.hold(true)
    s.take([change(2), change(3)], 2)
    expect(s.shown(everything).map((e) => e.at)).toEqual([1])
    expect(s.waitingCount).toBe(2)
    s.hold(false)
    expect(s.shown(everything).map((e) => e.at)).toEqual([3, 2, 1])
    expect(s.waitingCount).toBe(0)
  })

  it('counts what it could not keep while it was held', () => {
    const s = new Stream()
    s.hold(true)
    s.take(
      Array.from({ length: kept + 7 }, (_, n) => change(n)),
      1,
    )
    expect(s.dropped).toBe(7)
  })

  it('puts what was written down before what is here, and nothing twice', () => {
    const s = new Stream()
    s.take([change(2000, { id: '7' })], 1)
    const recorded = (at: number, user: string) => ({
      id: '1',
      user,
      username: user,
      at: new Date(at).toISOString(),
      from: 'offline' as const,
      to: 'online' as const,
      cause: 'login',
    })
    s.takeRecorded([recorded(2000, '7'), recorded(1000, '8'), recorded(500, '9')])
    expect(s.shown(everything).map((e) => e.id)).toEqual(['7', '8', '9'])
  })

  it('filters by cause, node and words', () => {
    const s = new Stream()
    s.take([change(1, { c: 'login', node: 'a' }), change(2, { c: 'timeout', node: 'b' })], 1)
    expect(s.shown({ ...everything, causes: ['timeout'] }).map((e) => e.at)).toEqual([2])
    expect(s.shown({ ...everything, node: 'a' }).map((e) => e.at)).toEqual([1])
    expect(s.shown({ ...everything, words: (id) => id === '2' }).map((e) => e.at)).toEqual([2])
    expect([...s.nodes]).toEqual(['a', 'b'])
  })

  it('tells how many come in a second', () => {
    const s = new Stream()
    for (let n = 0; n < 50; n++) s.take([change(n)], 1000 + n)
    expect(s.rate(2000)).toBe(5)
    expect(s.rate(20_000)).toBe(0)
  })
})
