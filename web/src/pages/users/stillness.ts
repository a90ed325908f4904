import { useEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import type { View } from '../../data/view'

const patience = 3000

/**
 * Rows stand still while somebody is at them: the pointer is over the table or left it less than three seconds ago, the
 * focus is inside, something is chosen, or a menu of the table is open.
 */
export function useStillness(view: View, reasons: { readonly chosen: boolean; readonly menu: boolean }) {
  const table = useRef<HTMLDivElement>(null)
  const at = useRef({ pointer: false, leftAt: 0, focus: false, chosen: false, menu: false })
  at.current.chosen = reasons.chosen
  at.current.menu = reasons.menu
  const judge = useMemo(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    return function judge() {
      const a = at.current
      clearTimeout(timer)
      const left = a.leftAt + patience - Date.now()
      view.freeze(a.pointer || a.focus || a.chosen || a.menu || left > 0)
      if (left > 0 && !a.pointer) timer = setTimeout(judge, left + 10)
    }
  }, [view])
  useEffect(judge, [reasons.chosen, reasons.menu, judge])
  useEffect(() => () => view.freeze(false), [view])
  const behind = useSyncExternalStore(view.subscribe, () => view.behind)
  return {
    table,
    behind,
    handlers: {
      onPointerEnter: () => {
        at.current.pointer = true
        judge()
      },
      onPointerMove: () => {
        if (at.current.pointer) return
        at.current.pointer = true
        judge()
      },
      onPointerDown: () => {
        at.current.pointer = true
        judge()
      },
      onPointerLeave: () => {
        at.current.pointer = false
        at.current.leftAt = Date.now()
        judge()
      },
      onFocus: () => {
        at.current.focus = true
        judge()
      },
      onBlur: (e: React.FocusEvent) => {
        if (e.currentTarget.contains(e.relatedTarget)) return
        at.current.focus = false
        judge()
      },
    },
  }
}
