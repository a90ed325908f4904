import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

/** `npm run dev` talks to a server that runs here already. */
const server = process.env.PRESENCE_URL ?? 'http://127.0.0.1:8000'

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0, // the content security policy lets nothing inline
    modulePreload: { polyfill: false },
    manifest: true,
    reportCompressedSize: false,
  },
  server: { proxy: { '/api': { target: server, ws: true }, '/ws': { target: server, ws: true } } },
})
