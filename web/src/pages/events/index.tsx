import { useVirtualizer } from '@tanstack/react-virtual'
import { memo, type RefObject, useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { Link } from 'wouter'
import { useAddress } from '../../app/address'
import { useCopy } from '../../app/copy'
import { useShortcut } from '../../app/shortcuts'
import { Button, classes, Dialog, Empty, Icon, MenuButton, Page, StatusMark } from '../../components'
import { type People, useApi, useLive, usePeople, useTruth } from '../../data'
import { fold, type Key, Say, useReading } from '../../i18n'
import type { EventPage } from '../../wire'
import css from './events.module.css'
import { causes, type Entry, type Filter, Stream } from './stream'

type CauseKey = Extract<Key, `cause.${string}`>
const causeKey = (cause: string): CauseKey =>
  (causes as readonly string[]).includes(cause) ? (`cause.${cause}` as CauseKey) : 'cause.other'

const rowHeight = 34
const narrowHeight = 54

/** Everything that changes, as it changes. It stands still under the pointer, and says what it does not show. */
export default function EventsPage() {
  const { t, format: f } = useReading()
  const live = useLive()
  const api = useApi()
  const truth = useTruth()
  const { people } = usePeople()
  const address = useAddress()
  const stream = useMemo(() => new Stream(), [])
  const version = useStream(stream)
  const [pinned, setPinned] = useState<Entry | null>(null)
  const [lost, setLost] = useState(false)
  const [failed, setFailed] = useState(false)
  const list = useRef<HTMLDivElement>(null)
  const hold = useHold(stream, list)

  useEffect(() => {
    let over = false
    const recorded = () =>
      api.get<EventPage>('/transitions', { limit: 200 }).then(
        (page) => {
          if (!over) stream.takeRecorded(page.items)
          setFailed(false)
        },
        () => setFailed(true),
      )
    void recorded()
    const stops = [
      live.on('change', (changes) => stream.take(changes, performance.now())),
      // What happened while nobody could tell us is in what was written down, as far as that goes back here.
      live.on('gap', () => setLost(true)),
    ]
    return () => {
      over = true
      for (const stop of stops) stop()
    }
  }, [api, live, stream])

  const search = address.get('q') ?? ''
  const wanted = address.list('cause')
  const node = address.get('node') ?? ''
  const filter = useMemo<Filter>(() => {
    const words = fold(search).split(/\s+/).filter(Boolean)
    return {
      causes: wanted,
      node,
      words: (id) => {
        if (!words.length) return true
        const row = people.row(id)
        const text = row === undefined ? id : people.folded(row)
        return words.every((word) => text.includes(word))
      },
    }
  }, [search, wanted.join(), node, people])
  const shown = useMemo(() => stream.shown(filter), [version, filter])
  const filtered = search !== '' || wanted.length > 0 || node !== ''

  useShortcut({ keys: '/', text: 'events.search', run: () => document.getElementById('events-search')?.focus() })

  return (
    <Page
      full
      title={t('events.title')}
      about={
        <span className={css.rate}>
          <Say
            k="events.rate"
            v={{ rate: <Rate stream={stream} still={truth.state !== 'live'} />, dropped: stream.dropped }}
          />
        </span>
      }
    >
      <div className={css.bar}>
        <div className={css.search}>
          <Icon name="search" />
          <input
            id="events-search"
            type="search"
            value={search}
            dir="auto"
            placeholder={t('events.search')}
            aria-label={t('events.search')}
            onChange={(e) => address.set({ q: e.target.value })}
          />
        </div>
        <MenuButton
          label={t('events.cause')}
          icon="filter"
          entries={causes.map((cause) => ({
            label: t(causeKey(cause)),
            checked: wanted.includes(cause),
            many: true,
            run: () =>
              address.set({ cause: wanted.includes(cause) ? wanted.filter((c) => c !== cause) : [...wanted, cause] }),
          }))}
        >
          {wanted.length ? t('events.causes', { n: wanted.length }) : t('events.cause.all')}
        </MenuButton>
        <MenuButton
          label={t('events.node')}
          icon="system"
          entries={[
            { label: t('events.node.all'), checked: node === '', run: () => address.set({ node: null }) },
            ...[...new Set([...stream.nodes, ...(node ? [node] : [])])].sort().map((name) => ({
              label: <bdi>{name}</bdi>,
              checked: node === name,
              run: () => address.set({ node: name }),
            })),
          ]}
        >
          {node ? <bdi>{node}</bdi> : t('events.node.all')}
        </MenuButton>
        {filtered && (
          <Button kind="plain" icon="close" onClick={() => address.set({ q: null, cause: null, node: null })}>
            {t('events.clear')}
          </Button>
        )}
        <span className={css.space} />
        <Held stream={stream} version={version} hold={hold} />
      </div>
      {lost && (
        <p className={css.lost}>
          {t('events.gap')}{' '}
          <Button kind="plain" onClick={() => setLost(false)}>
            {t('act.close')}
          </Button>
        </p>
      )}
      {shown.length ? (
        <List scroller={list} entries={shown} people={people} hold={hold} onPin={setPinned} />
      ) : filtered ? (
        <Empty
          title={t('events.noMatch')}
          acts={<Button onClick={() => address.set({ q: null, cause: null, node: null })}>{t('events.clear')}</Button>}
        />
      ) : (
        <Empty title={failed ? t('state.failed') : t('events.empty')}>{t('events.empty.help')}</Empty>
      )}
      <p className={css.foot}>
        {t('events.shown', { n: shown.length })} · {t('time.zone', { zone: f.zoneLabel(live.now()) })}
      </p>
      {pinned && <Pinned entry={pinned} people={people} onClose={() => setPinned(null)} />}
    </Page>
  )
}

/** Renders again when the stream changes, at most once a frame. */
function useStream(stream: Stream): number {
  return useSyncExternalStore(
    useCallback(
      (listener) => {
        let seen = stream.version
        let frame = 0
        const look = () => {
          if (stream.version !== seen) {
            seen = stream.version
            listener()
          }
          frame = requestAnimationFrame(look)
        }
        frame = requestAnimationFrame(look)
        return () => cancelAnimationFrame(frame)
      },
      [stream],
    ),
    () => stream.version,
  )
}

interface Holding {
  /** The pointer is over the list, it is scrolled, or something in it has the focus. */
  set(why: 'pointer' | 'scroll' | 'focus' | 'hand', on: boolean): void
  readonly resume: () => void
}

/** The list stands still as long as anything wants it to. */
function useHold(stream: Stream, list: RefObject<HTMLDivElement | null>): Holding {
  return useMemo(() => {
    const reasons = new Set<string>()
    return {
      set(why, on) {
        if (on) reasons.add(why)
        else reasons.delete(why)
        stream.hold(reasons.size > 0)
      },
      resume() {
        reasons.clear()
        stream.hold(false)
        if (list.current) list.current.scrollTop = 0
      },
    }
  }, [stream, list])
}

function Held({ stream, hold }: { readonly stream: Stream; readonly version: number; readonly hold: Holding }) {
  const { t } = useReading()
  if (!stream.held) {
    return (
      <Button icon="pause" onClick={() => hold.set('hand', true)}>
        {t('events.hold')}
      </Button>
    )
  }
  return (
    <span className={css.held}>
      <span>
        {t('events.held', { n: stream.waitingCount })}
        {stream.dropped > 0 && ` · ${t('events.dropped', { n: stream.dropped })}`}
      </span>
      <Button kind="primary" icon="play" onClick={hold.resume}>
        {t('events.resume')}
      </Button>
    </span>
  )
}

/** How many come in a second, by the second. Nothing ticks while nothing can come. */
function Rate({ stream, still }: { readonly stream: Stream; readonly still: boolean }) {
  const { format: f } = useReading()
  const [rate, setRate] = useState(0)
  useEffect(() => {
    if (still) return
    const timer = setInterval(() => setRate(stream.rate(performance.now())), 1000)
    return () => clearInterval(timer)
  }, [stream, still])
  return <span>{still ? '–' : f.decimal(rate, rate < 10 ? 1 : 0)}</span>
}

interface ListProps {
  readonly scroller: RefObject<HTMLDivElement | null>
  readonly entries: readonly Entry[]
  readonly people: People
  readonly hold: Holding
  readonly onPin: (e: Entry) => void
}

function List({ scroller, entries, people, hold, onPin }: ListProps) {
  const { t } = useReading()
  const narrow = useNarrow()
  const height = narrow ? narrowHeight : rowHeight
  const rows = useVirtualizer({
    count: entries.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => height,
    getItemKey: (i) => entries[i]?.key ?? i,
    overscan: 8,
  })
  useEffect(() => rows.measure(), [height, rows])
  const leave = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(leave.current), [])
  return (
    <div
      ref={scroller}
      className={css.list}
      role="log"
      aria-live="off"
      aria-label={t('events.list')}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys
      tabIndex={0}
      onPointerEnter={() => {
        clearTimeout(leave.current)
        hold.set('pointer', true)
      }}
      onPointerLeave={() => {
        leave.current = setTimeout(() => hold.set('pointer', false), 300)
      }}
      onFocus={() => hold.set('focus', true)}
      onBlur={(e) => {
        if (!e.currentTarget.contains(e.relatedTarget)) hold.set('focus', false)
      }}
      onScroll={(e) => hold.set('scroll', e.currentTarget.scrollTop > 4)}
    >
      <ol className={css.rows} style={{ blockSize: rows.getTotalSize() }}>
        {rows.getVirtualItems().map((item) => {
          const entry = entries[item.index]
          return (
            entry && (
              <li
                key={item.key}
                className={css.row}
                style={{ transform: `translateY(${item.start}px)`, blockSize: height }}
                aria-setsize={entries.length}
                aria-posinset={item.index + 1}
              >
                <Row entry={entry} people={people} onPin={onPin} />
              </li>
            )
          )
        })}
      </ol>
    </div>
  )
}

function useNarrow(): boolean {
  return useSyncExternalStore(
    (listener) => {
      const media = matchMedia('(max-width: 48rem)')
      media.addEventListener('change', listener)
      return () => media.removeEventListener('change', listener)
    },
    () => matchMedia('(max-width: 48rem)').matches,
  )
}

const Row = memo(function Row({
  entry: e,
  people,
  onPin,
}: {
  readonly entry: Entry
  readonly people: People
  readonly onPin: (e: Entry) => void
}) {
  const { t, format: f } = useReading()
  return (
    <>
      <button type="button" className={css.time} onClick={() => onPin(e)} title={t('events.pin')}>
        <time dateTime={new Date(e.at).toISOString()}>{f.timeExact(e.at)}</time>
      </button>
      <span className={css.mark} data-status={e.to}>
        <StatusMark status={e.to} />
      </span>
      <Link href={`/users/${e.id}`} className={css.name}>
        <bdi>{nameOf(people, e.id)}</bdi>
      </Link>
      <span className={classes(css.move, css[e.to])}>
        <Say k="user.log.move" v={{ from: t(wordKey(e.from)), to: t(wordKey(e.to)) }} />
      </span>
      <span className={css.cause}>
        {t(causeKey(e.cause))}
        {e.by && (
          <>
            {' '}
            <Say k="user.log.by" v={{ admin: nameOf(people, e.by) }} />
          </>
        )}
        {e.until !== undefined && e.until > 0 && (
          <>
            {' '}
            <Say k="events.until" v={{ time: f.moment(e.until, e.at) }} />
          </>
        )}
        {e.note && (
          <>
            {' '}
            <bdi className={css.note}>{e.note}</bdi>
          </>
        )}
      </span>
      <bdi className={css.device}>{e.device}</bdi>
      <bdi className={css.node}>{e.node}</bdi>
    </>
  )
})

function nameOf(people: People, id: string): string {
  const row = people.row(id)
  return (row === undefined ? '' : people.username[row]) || `#${id}`
}

function wordKey(status: string): 'word.online' | 'word.away' | 'word.offline' | 'word.unknown' {
  return status === 'online' || status === 'away' || status === 'offline' ? `word.${status}` : 'word.unknown'
}

/** One change, as it came and as it can be asked for again. */
function Pinned({
  entry: e,
  people,
  onClose,
}: {
  readonly entry: Entry
  readonly people: People
  readonly onClose: () => void
}) {
  const { t, format: f } = useReading()
  const copy = useCopy()
  const json = JSON.stringify(e.raw, null, 2)
  const from = new Date(e.at - 1).toISOString()
  const curl = `curl -H "Authorization: Bearer $TOKEN" "${location.origin}/api/v1/transitions?user=${e.id}&after=${from}"`
  return (
    <Dialog
      title={t('events.pinned', { name: nameOf(people, e.id), time: f.moment(e.at, e.at) })}
      onClose={onClose}
      width={40}
      foot={
        <>
          <Link href={`/users/${e.id}`} className={css.link}>
            {t('events.openUser')}
          </Link>
          <Button onClick={() => copy(curl)}>{t('events.copyCurl')}</Button>
          <Button onClick={() => copy(json)}>{t('events.copyJson')}</Button>
        </>
      }
    >
      <div className={css.pinned}>
        <p>
          <Say k="user.log.move" v={{ from: t(wordKey(e.from)), to: t(wordKey(e.to)) }} />
          {', '}
          {t(causeKey(e.cause))}
        </p>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
        <pre dir="ltr" tabIndex={0}>
          {json}
        </pre>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
        <pre dir="ltr" tabIndex={0}>
          {curl}
        </pre>
      </div>
    </Dialog>
  )
}
