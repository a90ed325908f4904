import { expect, test } from 'vitest'
import { english } from '../../i18n/packs'
import { readingOf } from '../../i18n/reading'
import { amount, barOf } from './amount'

const reading = readingOf(english, {
  language: 'en',
  digits: 'auto',
  calendar: 'auto',
  zone: 'UTC',
  weekStart: 'auto',
})

test('numbers are written with their unit', () => {
  const write = (value: number, unit: Parameters<typeof amount>[1]) => amount(value, unit, reading)
  expect(write(12_431, 'count')).toBe('12,431')
  expect(write(333.333, 'per_second')).toBe('333.3 a second')
  expect(write(0.0042, 'seconds')).toBe('4 ms')
  expect(write(2, 'seconds')).toBe('2\u00a0s')
  expect(write(90, 'seconds')).toBe('1\u00a0m\u00a030\u00a0s')
  expect(write(129_600, 'seconds')).toBe('1\u00a0d\u00a012\u00a0h')
  expect(write(4_096, 'bytes')).toBe('4 kB')
  expect(write(87_450_000, 'bytes')).toBe('87.5 MB')
  expect(write(1_234_000_000, 'bytes')).toBe('1.23 GB')
})

test('a bar shows the number before or behind its lines', () => {
  expect(barOf({ value: 1, warn: 0.5, limit: 2 })).toEqual({ filled: 1 / 2.3, warn: 0.5 / 2.3, limit: 2 / 2.3 })
  expect(barOf({ value: 8, warn: 0.5, limit: 2 })).toEqual({ filled: 1, warn: 0.0625, limit: 0.25 })
  expect(barOf({ value: 0, warn: 1 })).toEqual({ filled: 0, warn: 1 / 1.15 })
})

test('what is not known or has no lines has no bar', () => {
  expect(barOf({ value: null, warn: 1, limit: 2 })).toBeUndefined()
  expect(barOf({ value: 7 })).toBeUndefined()
})
