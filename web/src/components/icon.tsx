/** Line icons, 16 by 16, in the colour of the text. They never stand alone: a label is beside them or on the button. */
const paths = {
  overview: 'M2.5 13.5v-4h3v4zM6.5 13.5v-8h3v8zM10.5 13.5v-11h3v11z',
  users:
    'M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M11 2.8a2.5 2.5 0 0 1 0 4.4M12 9.8c1.6.5 2.5 1.800 2.500 3.700',
  events: 'M1.500 8h3l2-5 3 10 2-5h3',
  audit: 'M4 1.500h6l2.500 2.500v10.500h-8.500zM6 7h4.500M6 10h4.500',
  settings:
    'M2 4.500h7M12.500 4.500h1.500M2 11.500h1.500M7 11.500h7M10.700 6.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400zM5.200 13.200a1.700 1.700 0 1 0 0-3.400 1.700 1.700 0 0 0 0 3.400z',
  tokens: 'M10.500 9a3.500 3.500 0 1 0-3.400-2.700L2 11.500v2.500h2.500v-1.500h1.500v-1.500h1.500L9.500 8.900M11 5h.01',
  webhooks:
    'M6 6a2.500 2.500 0 1 1 4 1.200l2 3.600M5.800 10.800L8 6.500M4 13.500a2.500 2.500 0 1 1 1-4.500M12 8.800a2.500 2.500 0 1 1-1.500 4.400M6.500 11.500h4',
  system: 'M2 2.500h12v4.500h-12zM2 9h12v4.500h-12zM4.500 4.800h.01M4.500 11.300h.01',
  search: 'M7 12a5 5 0 1 0 0-10 5 5 0 0 0 0 10zM10.800 10.800L14 14',
  pause: 'M5.500 3v10M10.500 3v10',
  play: 'M4.500 2.800v10.400l8.500-5.200z',
  close: 'M3.500 3.500l9 9M12.500 3.500l-9 9',
  more: 'M3.500 8h.01M8 8h.01M12.500 8h.01',
  check: 'M3 8.500l3.200 3.200L13 4.800',
  up: 'M8 13V3.500M4 7.300l4-4 4 4',
  down: 'M8 3v9.500M4 8.700l4 4 4-4',
  chevron: 'M4 6l4 4 4-4',
  plus: 'M8 3v10M3 8h10',
  language:
    'M8 14.500a6.500 6.500 0 1 0 0-13 6.500 6.500 0 0 0 0 13zM1.500 8h13M8 1.500c4.300 4 4.300 9 0 13-4.300-4-4.300-9 0-13z',
  theme: 'M8 14a6 6 0 1 0 0-12v12z',
  person:
    'M8 7.500a2.700 2.700 0 1 0 0-5.400 2.700 2.700 0 0 0 0 5.400zM3 14c0-2.700 2.200-4.200 5-4.200s5 1.500 5 4.200',
  export: 'M8 2v8M4.800 6.800L8 10l3.200-3.200M2.500 12v1.500h11V12',
  columns: 'M2 2.500h12v11h-12zM6 2.500v11M10 2.500v11',
  filter: 'M2 3.500h12M4.500 8h7M6.500 12.500h3',
  star: 'M8 2l1.800 3.800 4.200.5-3.100 2.900.800 4.100L8 11.300l-3.700 2 .800-4.100L2 6.300l4.200-.5z',
  lock: 'M3.500 7h9v6.500h-9zM5.500 7V4.800a2.500 2.500 0 0 1 5 0V7',
  eye: 'M1.500 8s2.300-4.500 6.500-4.500S14.500 8 14.500 8 12.200 12.500 8 12.500 1.500 8 1.500 8zM8 10a2 2 0 1 0 0-4 2 2 0 0 0 0 4z',
  keyboard: 'M1.500 4h13v8h-13zM4 6.500h.01M6.700 6.500h.01M9.300 6.500h.01M12 6.500h.01M5 9.500h6',
  logout: 'M6 2.500H3v11h3M10.500 5l3 3-3 3M13.500 8H6.500',
  trash: 'M2.500 4h11M6 4V2.500h4V4M4 4l.600 9.500h6.800L12 4',
  alert: 'M8 2l6.500 11.500h-13zM8 6.500v3.200M8 11.600h.01',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      aria-hidden="true"
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.4"
      strokeLinecap="round"
      strokeLinejoin="round"
      style={{ flex: 'none' }}
    >
      <path d={paths[name]} />
    </svg>
  )
}
