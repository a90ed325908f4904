import { mkdirSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import type { Browser, Page } from 'playwright-core'
import type { Roster } from '../src/wire'
import { type Caller, enter, type House, later, openBrowser, openContext, openHouse, until } from './harness'

/**
 * What the dashboard takes on this machine: the real server with many people, changes through the real API, a real
 * Chromium. The numbers go to a table and to a JSON file. A bar is what we want to keep; "over" is no error.
 */
export async function measure(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      users: { type: 'string', default: '100000' },
      online: { type: 'string', default: '20000' },
      rate: { type: 'string', default: '500' },
      minutes: { type: 'string', default: '1' },
      only: { type: 'string', default: '' },
      json: { type: 'string', default: join(tmpdir(), 'presence-measure.json') },
    },
  })
  const wanted = values.only.split(',').filter(Boolean)
  console.log(`${values.users} people, ${values.online} of them online; load average ${loadavg()[0]?.toFixed(2)}`)
  const house = await openHouse({
    people: { root: 'admin' },
    seeded: Number(values.users),
    online: Number(values.online),
    // Who is online without a client would go offline one after the other, which is not what is measured.
    settings: ['--log-level', 'error', '--offline-after', '60m'],
  })
  const browser = await openBrowser()
  const run: Run = {
    house,
    browser,
    root: await house.as('root'),
    users: Number(values.users),
    rate: Number(values.rate),
    minutes: Number(values.minutes),
    active: [],
    results: [],
  }
  run.active = await activeIDs(run.root)
  try {
    for (const part of parts) if (!wanted.length || wanted.includes(part.name)) await part(run)
  } finally {
    await browser.close()
    await house.stop()
    const about = {
      date: new Date().toISOString(),
      cpu: `${cpus().length} x ${cpus()[0]?.model}`,
      loadAverage: loadavg(),
      settings: values,
    }
    mkdirSync(dirname(values.json), { recursive: true })
    writeFileSync(values.json, `${JSON.stringify({ ...about, results: run.results }, null, 2)}\n`)
    console.log(`load average ${loadavg()[0]?.toFixed(2)}; ${values.json}`)
  }
}

interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** At most; with least: at least. */
  readonly bar?: number
  readonly least?: boolean
}

interface Run {
  readonly house: House
  readonly browser: Browser
  readonly root: Caller
  readonly users: number
  readonly rate: number
  readonly minutes: number
  /** Whose status may be set. */
  active: readonly string[]
  readonly results: Result[]
}

function tell(run: Run, name: string, value: number, unit: string, bar?: number, least = false): void {
  run.results.push({ name, value, unit, ...(bar !== undefined && { bar, least }) })
  const ok = bar === undefined ? '' : (least ? value >= bar : value <= bar) ? 'ok' : 'over'
  const limit = bar === undefined ? '' : `${least ? '>=' : '<='} ${bar}`
  console.log(
    `${name.padEnd(64)} ${value.toFixed(value < 10 ? 2 : 0).padStart(8)} ${unit.padEnd(8)} ${limit.padEnd(9)} ${ok}`,
  )
}

const quantile = (values: readonly number[], q: number) =>
  [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * q))] ?? Number.NaN

async function open(run: Run, path: string, wait = '[role=row][data-row]'): Promise<Page> {
  const context = await openContext(run.browser)
  await enter(context, run.house)
  const page = await context.newPage()
  await page.goto(run.house.url + path)
  await page.waitForSelector(wait)
  await until(
    () => truth(page),
    (t) => t === 'live',
  )
  return page
}

const truth = (page: Page) => page.evaluate(() => document.documentElement.dataset.truth)
const shownIDs = (page: Page) =>
  page.evaluate(() => [...document.querySelectorAll('[data-row]')].map((r) => r.getAttribute('data-row') ?? ''))

async function activeIDs(root: Caller): Promise<string[]> {
  const roster = await root.call<Roster>('GET', '/api/v1/roster')
  const ids: string[] = []
  for (const part of roster.parts) {
    let id = 0
    part.ids.forEach((step, i) => {
      id += step
      if (part.active[i] && roster.words.account_statuses[part.account_statuses[i] ?? 0] === 'active')
        ids.push(String(id))
    })
  }
  return ids
}

/** Some thousand people change all the time, but not those who are looked at. */
async function flooded<T>(run: Run, spared: readonly string[], during: () => Promise<T>): Promise<T> {
  const spare = new Set([...spared, run.root.id])
  const free = run.active.filter((id) => !spare.has(id))
  const ids = Array.from({ length: Math.min(4000, free.length) }, (_, i) => free[(i * 7919) % free.length])
  const worker = new Worker(new URL('./flood.mjs', `file://${import.meta.dirname}/`), {
    workerData: { url: run.house.url, token: run.root.token, ids, rate: run.rate },
  })
  try {
    await later(1500)
    return await during()
  } finally {
    const said = new Promise<{ done: number; failed: number; seconds: number }>((resolve) =>
      worker.once('message', resolve),
    )
    worker.postMessage('stop')
    const { done, failed, seconds } = await said
    tell(run, '  changes a second meanwhile', done / seconds, '/s', run.rate * 0.95, true)
    if (failed) tell(run, '  changes refused', failed, '', 0)
  }
}

/** A11: what a browser that was never here fetches and shows. */
async function first(run: Run): Promise<void> {
  const times: Record<'paint' | 'rows' | 'longest', number[]> = { paint: [], rows: [], longest: [] }
  let script = 0
  let roster = 0
  let foreign = 0
  await flooded(run, [], async () => {
    for (let i = 0; i < 5; i++) {
      const context = await openContext(run.browser)
      await enter(context, run.house)
      context.on('request', (r) => {
        if (!r.url().startsWith(run.house.url) && !/^(data|blob|ws):/.test(r.url())) foreign++
      })
      await context.addInitScript(() => {
        const w = window as Window & { rows?: number; longest?: number }
        w.longest = 0
        new PerformanceObserver((list) => {
          for (const e of list.getEntries()) w.longest = Math.max(w.longest ?? 0, e.duration)
        }).observe({ type: 'longtask', buffered: true })
        new MutationObserver((_, o) => {
          if (!document.querySelector('[role=row][data-row]')) return
          o.disconnect()
          requestAnimationFrame(() => setTimeout(() => (w.rows = performance.now())))
        }).observe(document, { subtree: true, childList: true })
      })
      const page = await context.newPage()
      await page.goto(`${run.house.url}/users`)
      await page.waitForFunction(() => (window as Window & { rows?: number }).rows)
      const got = await page.evaluate(() => {
        const w = window as Window & { rows?: number; longest?: number }
        const all = performance.getEntriesByType('resource') as PerformanceResourceTiming[]
        const size = (of: (name: string) => boolean) =>
          all.filter((e) => of(e.name)).reduce((sum, e) => sum + e.encodedBodySize, 0)
        return {
          paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? Number.NaN,
          rows: w.rows ?? Number.NaN,
          longest: w.longest ?? 0,
          script: size((n) => n.endsWith('.js')),
          roster: size((n) => n.includes('/roster')),
        }
      })
      times.paint.push(got.paint)
      times.rows.push(got.rows)
      times.longest.push(got.longest)
      script = got.script
      roster = got.roster
      await context.close()
    }
  })
  tell(run, 'A11 first paint of Users, median of 5', quantile(times.paint, 0.5), 'ms', 1000)
  tell(run, 'A11 first rows painted, median of 5', quantile(times.rows, 0.5), 'ms', 1000)
  tell(run, 'A11 longest task of the load, median of 5', quantile(times.longest, 0.5), 'ms')
  tell(run, 'A11 JavaScript of the first load, as sent', script / 1000, 'kB', 150)
  tell(run, 'A11 requests that leave the origin', foreign, '', 0)
  tell(run, '    the roster, as sent', roster / 1e6, 'MB', 1.5)
}

/** C1: from the call of the API until the cell was painted. */
async function latency(run: Run): Promise<void> {
  const page = await open(run, '/users?sort=user&account=active')
  const ids = (await shownIDs(page)).slice(0, 15).filter((id) => id !== run.root.id)
  await page.evaluate(() => {
    const w = window as Window & { painted?: Record<string, number> }
    w.painted = {}
    const table = document.querySelector('[role=grid]')
    if (!table) throw new Error('no table')
    new MutationObserver(() => {
      requestAnimationFrame(() =>
        requestAnimationFrame(() => {
          const at = performance.timeOrigin + performance.now()
          for (const cell of document.querySelectorAll('[data-row] [data-status]')) {
            const key = `${cell.closest('[data-row]')?.getAttribute('data-row')} ${cell.getAttribute('data-status')}`
            if (w.painted && !w.painted[key]) w.painted[key] = at
          }
        }),
      )
    }).observe(table, {
      subtree: true,
      childList: true,
      characterData: true,
      attributes: true,
      attributeFilter: ['data-status'],
    })
  })
  const took: number[] = []
  const answered: number[] = []
  const rounds = 300
  await flooded(run, ids, async () => {
    for (let i = 0; i < rounds; i++) {
      const id = ids[i % ids.length] ?? ''
      const status = ['online', 'away', 'offline'][Math.floor(i / ids.length) % 3] ?? ''
      await page.evaluate((key) => {
        delete (window as Window & { painted?: Record<string, number> }).painted?.[key]
      }, `${id} ${status}`)
      const from = performance.timeOrigin + performance.now()
      await run.root.call('POST', `/api/users/admin/users/${id}/set-online-status/`, { status })
      answered.push(performance.timeOrigin + performance.now() - from)
      const handle = await page
        .waitForFunction(
          (key) => (window as Window & { painted?: Record<string, number> }).painted?.[key],
          `${id} ${status}`,
          {
            timeout: 20_000,
          },
        )
        .catch(() => undefined)
      const at = handle && (await handle.jsonValue())
      if (at && at >= from) took.push(at - from)
    }
  })
  tell(run, 'C1  call to painted cell, p50', quantile(took, 0.5), 'ms', 60)
  tell(run, 'C1  call to painted cell, p99', quantile(took, 0.99), 'ms', 250)
  tell(run, 'C1  of that the call itself, p50', quantile(answered, 0.5), 'ms')
  tell(run, 'C1  changes not seen', rounds - took.length, '', 0)
  await page.context().close()
}

/** C2: what is below 20 points while everybody moves. */
async function stillness(run: Run): Promise<void> {
  for (const by of ['pointer', 'focus'] as const) {
    const page = await open(run, '/users')
    const box = await page.locator('[role=grid]').boundingBox()
    if (!box) throw new Error('no table')
    if (by === 'pointer') await page.mouse.move(box.x + 300, box.y + 200)
    else {
      await page.mouse.move(1, 1)
      await page.focus('[role=row][data-row]')
    }
    const changed = await flooded(run, [], () =>
      page.evaluate(
        ([x, y, h]) =>
          new Promise<number>((resolve) => {
            const look = () =>
              Array.from({ length: 20 }, (_, i) =>
                document
                  .elementFromPoint(x, y + 40 + (i * (h - 60)) / 20)
                  ?.closest('[data-row]')
                  ?.getAttribute('data-row'),
              ).join()
            const before = look()
            let frames = 0
            const end = performance.now() + 10_000
            const again = () => {
              if (look() !== before) frames++
              if (performance.now() < end) requestAnimationFrame(again)
              else resolve(frames)
            }
            requestAnimationFrame(again)
          }),
        [box.x + 300, box.y, box.height] as const,
      ),
    )
    tell(run, `C2  frames of 10 s in which an id below 20 points was another, ${by}`, changed, '', 0)
    const behind = await page.innerText('[data-testid=behind]')
    tell(
      run,
      `C2  rows that wait, as the page says, ${by}`,
      Number(/[\d,]+/.exec(behind)?.[0].replace(',', '') ?? 0),
      '',
      1,
      true,
    )
    await page.context().close()
  }
}

async function frames(page: Page, ms: number, step: number) {
  return page.evaluate(
    ([ms, step]) =>
      new Promise<{ times: number[]; rows: number }>((resolve) => {
        const grid = document.querySelector('[role=grid]')
        const times: number[] = []
        let rows = 0
        let way = step
        let last = performance.now()
        const end = last + ms
        const frame = (now: number) => {
          times.push(now - last)
          last = now
          if (grid && step) {
            if (grid.scrollTop + grid.clientHeight >= grid.scrollHeight - step) way = -step
            grid.scrollTop += way
          }
          if (times.length % 10 === 0) rows = Math.max(rows, document.querySelectorAll('[data-row]').length)
          if (now < end) requestAnimationFrame(frame)
          else resolve({ times: times.slice(2), rows })
        }
        requestAnimationFrame(frame)
      }),
    [ms, step] as const,
  )
}

async function heap(page: Page): Promise<number> {
  const cdp = await page.context().newCDPSession(page)
  for (let i = 0; i < 3; i++) await cdp.send('HeapProfiler.collectGarbage')
  const { usedSize } = (await cdp.send('Runtime.getHeapUsage')) as { usedSize: number }
  await cdp.detach()
  return usedSize / 1e6
}

/** C3: frames while scrolling and while standing, and what the page keeps. */
async function scale(run: Run): Promise<void> {
  const page = await open(run, '/users')
  await flooded(run, [], async () => {
    const still = await frames(page, 8000, 0)
    tell(run, 'C3  frame while rows change, p95', quantile(still.times, 0.95), 'ms', 20)
    const scroll = await frames(page, 8000, 220)
    for (const q of [0.5, 0.95, 0.99])
      tell(run, `C3  frame while scrolling, p${q * 100}`, quantile(scroll.times, q), 'ms', q === 0.95 ? 20 : undefined)
    tell(run, 'C3  longest frame while scrolling', Math.max(...scroll.times), 'ms', 100)
    tell(run, 'C3  frames over 50 ms while scrolling', scroll.times.filter((t) => t > 50).length, '')
    tell(run, 'C3  rows in the document', scroll.rows, '', 80)
    const cdp = await page.context().newCDPSession(page)
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 4 })
    const slow = await frames(page, 8000, 220)
    await cdp.send('Emulation.setCPUThrottlingRate', { rate: 1 })
    tell(run, 'C3  frame while scrolling, processor at a quarter, p95', quantile(slow.times, 0.95), 'ms', 100)
    tell(run, 'C3  heap after collection', await heap(page), 'MB', 60)
    await later(run.minutes * 60_000)
    tell(run, `C3  heap after collection, ${run.minutes} minutes later`, await heap(page), 'MB', 60)
  })
  await page.context().close()
}

/** C5: from a key until the rows of what is typed are painted. */
async function search(run: Run): Promise<void> {
  const page = await open(run, '/users')
  const took: number[] = []
  let firstKey = 0
  await page.click('input[type=search]')
  await flooded(run, [], async () => {
    for (const word of ['noori7', 'zahra', '5512', 'نوري', 'example', 'wardak9']) {
      for (const key of word) {
        const wait = page.evaluate(
          () =>
            new Promise<number>((resolve) => {
              const input = document.querySelector<HTMLInputElement>('input[type=search]')
              const shown = document.querySelector('[data-testid=shown]')
              if (!input || !shown) throw new Error('no search')
              input.addEventListener(
                'input',
                (e) => {
                  let last = 0
                  const observer = new MutationObserver(() => {
                    requestAnimationFrame(() => setTimeout(() => (last ||= performance.now())))
                  })
                  observer.observe(shown, { subtree: true, characterData: true, childList: true })
                  setTimeout(() => {
                    observer.disconnect()
                    resolve(last ? last - e.timeStamp : -1)
                  }, 700)
                },
                { once: true },
              )
            }),
        )
        await later(50)
        await page.keyboard.insertText(key)
        const ms = await wait
        if (ms < 0) continue // as many match as before
        if (!firstKey) firstKey = ms
        else took.push(ms)
      }
      await page.fill('input[type=search]', '')
      await later(500)
    }
  })
  tell(run, 'C5  key to painted rows, p50', quantile(took, 0.5), 'ms', 50)
  tell(run, 'C5  key to painted rows, p95', quantile(took, 0.95), 'ms')
  tell(run, 'C5  the first key, which folds all names', firstKey, 'ms')
  await page.context().close()
}

/** A1 and A4: how soon the page says that it does not know, and that nothing moves in a pause. */
async function belief(run: Run): Promise<void> {
  const page = await open(run, '/users?sort=user')
  await page.evaluate(() => {
    const w = window as Window & { said?: [string, number][] }
    w.said = []
    new MutationObserver(() =>
      w.said?.push([document.documentElement.dataset.truth ?? '', performance.timeOrigin + performance.now()]),
    ).observe(document.documentElement, { attributes: true, attributeFilter: ['data-truth'] })
  })
  const said = async (state: string, after: number) => {
    const all = await until(
      () => page.evaluate(() => (window as Window & { said?: [string, number][] }).said ?? []),
      (list) => list.some(([s, at]) => s === state && at >= after),
    )
    return (all.find(([s, at]) => s === state && at >= after)?.[1] ?? Number.NaN) - after
  }
  const now = () => performance.timeOrigin + performance.now()
  let from = now()
  run.house.halt(true)
  tell(run, 'A1  nothing comes any more, until the page says so', await said('reconnecting', from), 'ms', 3000)
  from = now()
  run.house.halt(false)
  tell(run, 'A1  it comes again, until the page is live', await said('live', from), 'ms')
  await later(1000)
  from = now()
  await run.house.kill()
  tell(run, 'A1  the server is gone, until the page says so', await said('reconnecting', from), 'ms', 3000)
  from = now()
  await run.house.start()
  const ready = now()
  const live = await said('live', from)
  tell(run, 'A1  the server is ready again after its start', ready - from, 'ms')
  tell(run, 'A1  and the page is live after that', from + live - ready, 'ms')
  const again: Run = { ...run, root: await run.house.as('root') }
  await page.keyboard.press('p')
  const moved = await flooded(again, [], () =>
    page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const table = document.querySelector('[role=grid]')
          let n = 0
          if (table)
            new MutationObserver((m) => (n += m.length)).observe(table, {
              subtree: true,
              childList: true,
              characterData: true,
            })
          setTimeout(() => resolve(n), 5000)
        }),
    ),
  )
  tell(run, 'A4  changes of text in the table in 5 s of a pause', moved, '', 0)
  await page.context().close()
}

/** B1 and B6: the tiles in every frame, and with the API. */
async function tiles(run: Run): Promise<void> {
  const page = await open(run, '/', '[data-tone=online] [data-number]')
  const root = await run.house.as('root')
  await flooded({ ...run, root }, [], async () => {
    const sums = await page.evaluate(
      () =>
        new Promise<number[]>((resolve) => {
          const seen: number[] = []
          const end = performance.now() + 5000
          const look = () => {
            const read = (tone: string) =>
              Number(document.querySelector(`[data-tone="${tone}"] [data-number]`)?.textContent?.replace(/\D/g, ''))
            seen.push(read('online') + read('away') + read('offline'))
            if (performance.now() < end) requestAnimationFrame(look)
            else resolve(seen)
          }
          look()
        }),
    )
    tell(run, 'B1  different sums of the tiles in 5 s of frames', new Set(sums).size, '', 1)
  })
  await page.context().close()
}

/** E1: frames of the stream of events. */
async function events(run: Run): Promise<void> {
  const page = await open(run, '/events', 'h1')
  await flooded({ ...run, root: await run.house.as('root') }, [], async () => {
    const { times } = await frames(page, 8000, 0)
    tell(
      run,
      'E1  frames a second while events run',
      1000 / (times.reduce((a, b) => a + b, 0) / times.length),
      '/s',
      50,
      true,
    )
    tell(run, 'E1  longest frame', Math.max(...times), 'ms')
  })
  await page.context().close()
}

/** C8: everybody as a file. */
async function exported(run: Run): Promise<void> {
  const root = await run.house.as('root')
  const from = performance.now()
  const r = await fetch(`${run.house.url}/api/v1/users/export?format=csv`, {
    headers: { Authorization: `Bearer ${root.token}` },
  })
  const lines = (await r.text()).trim().split('\r\n').length - 1
  tell(run, 'C8  rows of the export', lines, '', run.users, true)
  tell(run, 'C8  export of everybody', (performance.now() - from) / 1000, 's', 5)
}

const parts = [first, latency, stillness, scale, search, belief, tiles, events, exported]
