import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { App } from './app/app'
import { createPreferring, followTheme } from './app/preferences'
import { createServer } from './data'
import { createReader } from './i18n'
import './styles/base.css'

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')

const preferring = createPreferring(localStorage)
followTheme(preferring)
const reader = createReader(localStorage, navigator.languages, new URLSearchParams(location.search).get('tz'))
const server = createServer()
reader.ready.then(() =>
  createRoot(root).render(
    <StrictMode>
      <App server={server} reader={reader} preferring={preferring} />
    </StrictMode>,
  ),
)
