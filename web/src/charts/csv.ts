/** A cell of a table: what is not there stays empty. */
export type Cell = string | number | boolean | null | undefined

/**
 * A table for spreadsheets: quoted where needed, and nothing that a spreadsheet takes for a formula, because names and
 * notes are written by strangers. Numbers stay numbers. The mark at the beginning makes Excel read it as UTF-8.
 */
export function csv(head: readonly string[], rows: Iterable<readonly Cell[]>): string {
  let text = '\ufeff'
  const line = (cells: readonly Cell[]) => {
    text += `${cells.map(cell).join(',')}\r\n`
  }
  line(head)
  for (const row of rows) line(row)
  return text
}

function cell(value: Cell): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'string') return String(value)
  // Also where a spreadsheet that is set to another separator splits.
  const safe = value.replace(/^[\t\r\n]/, "'$&").replace(/(^|[;\t\r\n])( *[=+\-@\uff1d\uff0b\uff0d\uff20])/g, "$1'$2")
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Hands a text to the person as a file. */
export function download(name: string, text: string, type = 'text/csv;charset=utf-8'): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000) // the browser reads it after this returns
}
