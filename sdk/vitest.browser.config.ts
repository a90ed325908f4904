import { defineConfig } from 'vitest/config'

// Real Chromium, real time: slower than the rest, and one at a time.
export default defineConfig({
  test: { include: ['browser/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 60_000, fileParallelism: false },
})
