// Runs browser/measure.ts, which is TypeScript.
import { runnerImport } from 'vite'

const { module } = await runnerImport(new URL('../browser/measure.ts', import.meta.url).pathname)
await module.measure(process.argv.slice(2))
