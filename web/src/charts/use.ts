import {
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
  useCallback,
  useEffect,
  useLayoutEffect,
  useRef,
  useState,
} from 'react'

/** The width of an element in CSS pixels, kept up to date. 0 until it is laid out. */
export function useWidth<E extends HTMLElement>(): [RefObject<E | null>, number] {
  const ref = useRef<E>(null)
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const element = ref.current
    if (!element) return
    setWidth(Math.floor(element.clientWidth))
    const observer = new ResizeObserver(() => setWidth(Math.floor(element.clientWidth)))
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  return [ref, width]
}

/** The present moment, again every `every` milliseconds; stands still while the page is hidden. */
export function useNow(every: number): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    const tick = () => {
      if (!document.hidden) setNow(Date.now())
    }
    const timer = setInterval(tick, every)
    document.addEventListener('visibilitychange', tick)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', tick)
    }
  }, [every])
  return now
}

/** A cursor over `count` things in a row: pointer, arrows, Home, End and pages. Time runs to the right in every language. */
export function useCursor(count: number, at: (x: number) => number) {
  const [place, setPlace] = useState<number | null>(null)
  const shown = place === null ? null : Math.min(place, count - 1)
  const onKeyDown = useCallback(
    (event: KeyboardEvent) => {
      if (event.altKey || event.ctrlKey || event.metaKey || count === 0) return
      const from = shown ?? count - 1
      const to = {
        ArrowRight: from + (shown === null ? 0 : 1),
        ArrowLeft: from - (shown === null ? 0 : 1),
        PageUp: from - Math.ceil(count / 10),
        PageDown: from + Math.ceil(count / 10),
        Home: 0,
        End: count - 1,
      }[event.key]
      if (to === undefined) {
        if (event.key === 'Escape') setPlace(null)
        return
      }
      event.preventDefault()
      event.stopPropagation() // the page has keys of its own
      setPlace(Math.max(0, Math.min(count - 1, to)))
    },
    [count, shown],
  )
  const onPointerMove = (event: PointerEvent<HTMLElement | SVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect()
    setPlace(Math.max(0, Math.min(count - 1, at(event.clientX - box.x))))
  }
  return {
    place: shown,
    clear: () => setPlace(null),
    handlers: {
      onKeyDown,
      onPointerMove,
      onPointerDown: onPointerMove,
      onPointerLeave: (event: PointerEvent) => {
        if (event.pointerType === 'mouse') setPlace(null)
      },
      onBlur: () => setPlace(null),
    },
  }
}
