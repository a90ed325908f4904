import { createSignal, type Readable } from './signal'

/** A request that a page made, as it can be made again. What is secret is left out of it. */
export interface Call {
  readonly n: number
  readonly method: string
  /** With /api/v1 and the query. */
  readonly path: string
  readonly body?: unknown
  /** When it was made, by this machine's clock. */
  readonly at: number
  /** 0: there was no answer. */
  readonly status: number
  readonly milliseconds: number
  /** What was answered, undefined where that was nothing or too large to be kept. */
  readonly answer?: unknown
}

/** The last requests, newest first: acts apart from readings, because readings are many. */
export interface Calls extends Readable<readonly Call[]> {
  add(call: Omit<Call, 'n'>): void
}

const most = 30
const secrets = /password|secret|token|authorization/i

export function createCalls(): Calls {
  const list = createSignal<readonly Call[]>([])
  let n = 0
  return {
    ...list,
    add(call) {
      const acts = list.get().filter((c) => c.method !== 'GET')
      const reads = list.get().filter((c) => c.method === 'GET')
      const next = { ...call, n: ++n, body: without(call.body), answer: without(call.answer, 50) }
      if (call.method === 'GET') {
        const others = reads.filter((c) => c.path.split('?')[0] !== call.path.split('?')[0]) // what is asked again and again counts once
        list.set([...acts, next, ...others.slice(0, most - 1)])
      } else list.set([next, ...acts.slice(0, most - 1), ...reads])
    },
  }
}

/** The same without secrets; of lists the first items, where there is a most. */
function without(value: unknown, items = Number.POSITIVE_INFINITY): unknown {
  if (Array.isArray(value)) {
    const some = value.slice(0, items).map((v) => without(v, items))
    return value.length > items ? [...some, `… ${value.length - items} more`] : some
  }
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, v]) => [
      key,
      secrets.test(key) && typeof v === 'string' ? '…' : without(v, items),
    ]),
  )
}

/** A command line that makes the request again. */
export function curlOf(call: Pick<Call, 'method' | 'path' | 'body'>, origin: string): string {
  const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`
  const lines = [
    `curl${call.method === 'GET' ? '' : ` -X ${call.method}`} ${quoted(origin + call.path)}`,
    `-H "Authorization: Bearer $TOKEN"`,
  ]
  if (call.body !== undefined) {
    lines.push(`-H 'Content-Type: application/json'`, `-d ${quoted(JSON.stringify(call.body))}`)
  }
  return lines.join(' \\\n  ')
}
