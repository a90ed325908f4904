import { defineConfig, type UserConfig } from 'tsdown'

// Each entry is built by itself, so that a page loads one file for each that it uses.
const library: UserConfig = {
  target: 'es2022',
  platform: 'neutral',
  format: ['esm', 'cjs'],
  fixedExtension: true,
  minify: true,
  dts: true,
  clean: false,
  deps: { neverBundle: ['react', '@offchat/presence'] },
}

export default defineConfig([
  { ...library, entry: { index: 'src/index.ts' } },
  { ...library, entry: { react: 'src/react/index.ts' } },
  { ...library, entry: { languages: 'src/languages.ts' } },
  { ...library, entry: { server: 'src/server.ts' } },
  {
    ...library,
    entry: { presence: 'src/script.ts' },
    format: 'iife',
    globalName: 'OffChatPresence',
    dts: false,
    outputOptions: { entryFileNames: 'presence.js' },
  },
])
