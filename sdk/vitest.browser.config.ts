import { defineConfig } from 'vitest/config'

// Real Chromium, real time: slower than the rest.
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    fileParallelism: true,
    maxWorkers: 2,
  },
})
