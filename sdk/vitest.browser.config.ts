import { defineConfig } from 'vitest/config'

// Real Chromium, real time: slower than the rest. A browser that hiccups gets a second chance; what fails twice is wrong.
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 180_000,
    fileParallelism: true,
    retry: 1,
    maxWorkers: 2,
  },
})
