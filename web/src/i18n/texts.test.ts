import { describe, expect, test } from 'vitest'
import * as en from './en'
import { english, loadPack } from './packs'
import * as prs from './prs'
import * as ps from './ps'
import { createReader, parsePreferences, readingOf } from './reading'
import { pieces } from './translate'
import type { Message } from './types'

const source = en.texts as Readonly<Record<string, Message>>
const others = { ps: ps.texts, prs: prs.texts } as unknown as Record<string, Readonly<Record<string, Message>>>
const forms = (m: Message) => (typeof m === 'string' ? [m] : [m.one, m.other])
const names = (m: Message) =>
  [...new Set(forms(m).flatMap((form) => pieces(form).flatMap((p) => (typeof p === 'string' ? [] : [p.name]))))].sort()

describe.each(['ps', 'prs'] as const)('%s', (language) => {
  const texts = others[language] ?? {}
  test('has every text of English and no other', () =>
    expect(Object.keys(texts).sort()).toEqual(Object.keys(source).sort()))
  test.each(Object.keys(source))('%s tells the same values', (key) => {
    expect(names(texts[key] ?? '')).toEqual(names(source[key] ?? ''))
  })
  test('is written in its own letters', () => {
    for (const [key, message] of Object.entries(texts)) {
      for (const form of forms(message)) {
        if (/[a-z]{3}/.test(form.replace(/\{\w+\}/g, ''))) expect(forms(source[key] ?? ''), key).not.toContain(form)
        expect(form, `${key}: digits are the reader's`).not.toMatch(/[0-9۰-۹]/)
        expect(form, `${key}: an Arabic kaf`).not.toContain('ك')
        if (language === 'prs') expect(form, `${key}: an Arabic or Pashto yeh`).not.toMatch(/[يېۍ]/)
      }
    }
  })
})

describe('a message', () => {
  const said = readingOf(english, parsePreferences('{"zone":"UTC","language":"en"}', []))
  test('takes the form of its number', () => {
    expect(said.t('count.users', { n: 1 })).toBe('1 user')
    expect(said.t('count.users', { n: 12431 })).toBe('12,431 users')
  })
  test('isolates a name that runs the other way', () => {
    expect(said.t('act.csvOf', { what: 'زهرا' })).toBe('Download \u2068زهرا\u2069 as CSV')
    expect(said.t('act.csvOf', { what: 'x' })).toBe('Download x as CSV')
  })
  test('is written in the digits of the language', async () => {
    const pack = await loadPack('ps')
    const pashto = readingOf(pack, parsePreferences('{"language":"ps"}', []))
    expect(pashto.t('count.users', { n: 5 })).toBe('۵ کاروونکي')
    expect(pashto.t('count.users', { n: 1 })).toBe('۱ کاروونکی')
    expect(pashto.direction).toBe('rtl')
  })
})

describe('preferences', () => {
  test('follow the browser until somebody chooses', () => {
    expect(parsePreferences(null, ['fa-AF', 'en'])).toMatchObject({ language: 'prs', digits: 'auto', zone: 'auto' })
    expect(parsePreferences(null, ['de', 'ps'])).toMatchObject({ language: 'ps' })
    expect(parsePreferences(null, ['de'])).toMatchObject({ language: 'en' })
  })
  test('survive nonsense', () => {
    for (const stored of ['', '{', 'null', '[]', '{"language":"xx","digits":7,"zone":"Mars/Base","weekStart":"1"}']) {
      expect(parsePreferences(stored, [])).toEqual({
        language: 'en',
        digits: 'auto',
        calendar: 'auto',
        zone: 'auto',
        weekStart: 'auto',
      })
    }
  })
  test('are kept, and told to who listens', async () => {
    const shelf = new Map<string, string>()
    const reader = createReader({ getItem: (k) => shelf.get(k) ?? null, setItem: (k, v) => void shelf.set(k, v) }, [
      'en',
    ])
    await reader.ready
    let told = 0
    reader.subscribe(() => told++)
    await reader.set({ language: 'prs', zone: 'Asia/Kabul' })
    expect(told).toBe(1)
    expect(reader.get().t('act.cancel')).toBe('لغو')
    expect(reader.get().format.calendar).toBe('solar')
    await reader.set({ digits: 'latin', calendar: 'gregorian' })
    expect(reader.get().format.number(12)).toBe('12')
    const again = createReader({ getItem: (k) => shelf.get(k) ?? null, setItem: () => undefined }, ['en'])
    await again.ready
    expect(again.get()).toMatchObject({ language: 'prs', direction: 'rtl', preferences: { digits: 'latin' } })
  })
  test('take the zone of a link for a visit, until somebody chooses', async () => {
    const shelf = new Map([['presence.reading', '{"language":"en","zone":"Asia/Kabul"}']])
    const open = (tz: string | null) =>
      createReader({ getItem: (k) => shelf.get(k) ?? null, setItem: (k, v) => void shelf.set(k, v) }, ['en'], tz)
    const visit = open('Asia/Tokyo')
    await visit.ready
    expect(visit.get().format.zone).toBe('Asia/Tokyo')
    await visit.set({ digits: 'latin' })
    expect(visit.get().format.zone).toBe('Asia/Tokyo')
    expect(shelf.get('presence.reading')).toContain('Asia/Kabul')
    await visit.set({ zone: 'UTC' })
    expect(visit.get().format.zone).toBe('UTC')
    const nonsense = open('Mars/Base')
    await nonsense.ready
    expect(nonsense.get().format.zone).toBe('UTC')
  })
  test('of two languages asked for the later one wins', async () => {
    const reader = createReader({ getItem: () => null, setItem: () => undefined }, ['en'])
    await reader.ready
    await Promise.all([reader.set({ language: 'ps' }), reader.set({ language: 'prs' }), reader.set({ language: 'en' })])
    expect(reader.get().language).toBe('en')
  })
})
