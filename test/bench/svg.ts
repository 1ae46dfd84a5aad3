import { figure } from './figures.ts'
import type { Plot, Series } from './row.ts'

const WIDTH = 860
const HEIGHT = 420
const LEFT = 70
const RIGHT = 240
const TOP = 40
const BOTTOM = 56
const COLOURS = ['#1b6ca8', '#d1495b', '#2e933c', '#8f5bb3', '#c17817', '#4a4a4a']
/** From here on equal factors look alike, rather than equal steps. */
const LOGARITHMIC_FROM = 25

/** A plot as a picture that any browser shows: lines with points, ticks, and the names at the right. */
export function svg({ name, x, y, series }: Plot): string {
  const points = series.flatMap((each) => each.points)
  const toX = axis(
    points.map(([value]) => value),
    LEFT,
    WIDTH - RIGHT,
    'its own',
  )
  const toY = axis(
    points.map(([, value]) => value),
    HEIGHT - BOTTOM,
    TOP,
    'from 0',
  )
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<title>${escaped(name)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 22, name, 'font-size="15"'),
    ...toX.ticks.map((tick) => gridX(toX.at(tick), figureOfTick(tick))),
    ...toY.ticks.map((tick) => gridY(toY.at(tick), figureOfTick(tick))),
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, x, 'text-anchor="middle"'),
    text(
      18,
      (TOP + HEIGHT - BOTTOM) / 2,
      y,
      `text-anchor="middle" transform="rotate(-90 18 ${(TOP + HEIGHT - BOTTOM) / 2})"`,
    ),
    ...series.flatMap((each, index) => line(each, index, toX, toY)),
    '</svg>',
  ]
  return `${parts.join('\n')}\n`
}

interface Axis {
  readonly ticks: readonly number[]
  readonly at: (value: number) => number
}

/** Where values lie between two ends of the picture. What is all positive and spans much is logarithmic. */
function axis(values: readonly number[], start: number, end: number, from: 'its own' | 'from 0'): Axis {
  const finite = values.filter(Number.isFinite)
  const [least, most] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)]
  if (least > 0 && most / least >= LOGARITHMIC_FROM) return logarithmic(least, most, start, end)
  const low = from === 'from 0' ? Math.min(0, least) : least
  const step = roundStep((most - low || 1) / 5)
  const high = Math.max(low + step, Math.ceil(most / step - 1e-9) * step)
  const first = Math.ceil(low / step - 1e-9)
  const ticks = Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step)
  return { ticks, at: (value) => start + ((value - low) / (high - low)) * (end - start) }
}

function logarithmic(least: number, most: number, start: number, end: number): Axis {
  const [low, high] = [Math.log10(least), Math.log10(most)]
  const decades = Math.ceil(high) - Math.floor(low) + 1
  const each = decades > 4 ? [1] : [1, 2, 5]
  const ticks = Array.from({ length: decades }, (_, index) => 10 ** (Math.floor(low) + index))
    .flatMap((decade) => each.map((factor) => decade * factor))
    .filter((tick) => tick >= least * 0.999 && tick <= most * 1.001)
  return { ticks, at: (value) => start + ((Math.log10(value) - low) / (high - low)) * (end - start) }
}

/** 1, 2 or 5 times a power of ten, no less than what is asked for. */
function roundStep(step: number): number {
  const decade = 10 ** Math.floor(Math.log10(step))
  return ([1, 2, 5, 10].find((factor) => factor * decade >= step * 0.999) ?? 10) * decade
}

function figureOfTick(tick: number): string {
  return Number.isInteger(tick) ? tick.toLocaleString('en-US') : figure(tick)
}

function gridX(x: number, label: string): string {
  const tick = `<line x1="${px(x)}" y1="${TOP}" x2="${px(x)}" y2="${HEIGHT - BOTTOM}" stroke="#eee"/>`
  return tick + text(x, HEIGHT - BOTTOM + 18, label, 'text-anchor="middle"')
}

function gridY(y: number, label: string): string {
  const tick = `<line x1="${LEFT}" y1="${px(y)}" x2="${WIDTH - RIGHT}" y2="${px(y)}" stroke="#ddd"/>`
  return tick + text(LEFT - 8, y + 4, label, 'text-anchor="end"')
}

function line({ name, points }: Series, index: number, toX: Axis, toY: Axis): readonly string[] {
  const colour = COLOURS[index % COLOURS.length]
  const places = points
    .map(([x, y]) => [toX.at(x), toY.at(y)] as const)
    .filter((place) => place.every(Number.isFinite))
    .map(([x, y]) => [px(x), px(y)] as const)
  const legendY = TOP + 10 + index * 20
  return [
    `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${places.map((place) => place.join(',')).join(' ')}"/>`,
    ...places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3" fill="${colour}"/>`),
    `<rect x="${WIDTH - RIGHT + 16}" y="${legendY - 9}" width="12" height="12" fill="${colour}"/>`,
    text(WIDTH - RIGHT + 34, legendY + 2, name),
  ]
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${px(x)}" y="${px(y)}" fill="#222"${attributes && ` ${attributes}`}>${escaped(content)}</text>`
}

function px(place: number): string {
  return place.toFixed(1)
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
