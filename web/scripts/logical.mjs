// Styles that say left or right are wrong in half of our languages: margin-inline-start, inset-inline-end, text-align: start.
import { readdirSync, readFileSync } from 'node:fs'

const root = new URL('../src/', import.meta.url)
const physical =
  /(?:(?:margin|padding|border|scroll-margin|scroll-padding)-(?:left|right)|(?<![\w-])(?:left|right)|border-(?:top|bottom)-(?:left|right)-radius)\s*:|(?:text-align|float|clear|justify-content)\s*:\s*(?:left|right)\b/
const physicalInScript =
  /\b(?:margin|padding|border)(?:Left|Right)\b|\btextAlign:\s*'(?:left|right)'|className=.*\b(?:ml|mr|pl|pr|left|right)-/

const found = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.(css|tsx?)$/.test(name) && !/\.test\.tsx?$/.test(name))
  .flatMap((name) => {
    const rule = name.endsWith('.css') ? physical : physicalInScript
    return readFileSync(new URL(name, root), 'utf8')
      .split('\n')
      .flatMap((line, i) =>
        rule.test(line) && !line.includes('physical:') ? [`src/${name}:${i + 1}: ${line.trim()}`] : [],
      )
  })
if (found.length) {
  console.error(
    `say start and end instead of left and right (or why not, in a comment "physical: ..."):\n  ${found.join('\n  ')}`,
  )
  process.exit(1)
}
