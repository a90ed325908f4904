import { defineConfig } from 'vitest/config'

// The real server and a real Chromium, in real time: one file at a time. A browser that hiccups gets a second chance; what fails
// twice is wrong.
export default defineConfig({
  test: {
    include: ['browser/**/*.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    retry: 1,
  },
})
