/**
 * Figures as standalone SVG files: panels of lines, points, bands and level lines, and heat maps. Colours follow the reader's system (light or
 * dark) by a media query inside the file, so that one file serves a page, a README and a report. No script, no fonts, no measuring of text.
 *
 * `chart.ts` draws the curves of a training report, in the page's own colours; this draws what stands alone.
 */
import { escapeHtml, logTicks, niceTicks, tickText } from './chart.ts';

export type Point = readonly [x: number, y: number];

export interface Curve {
  /** In the legend; '' stays out of it. Curves of one name share their entry. */
  readonly name: string;
  readonly points: readonly Point[];
  /** A position in the palette. */
  readonly color: number;
  readonly style?: 'line' | 'points' | 'both';
  readonly dashed?: boolean;
  /** From low to high around the curve. */
  readonly band?: readonly (readonly [x: number, low: number, high: number])[];
}

export interface Axis {
  readonly label?: string;
  readonly log?: boolean;
  /** Shown range; default: that of the data. */
  readonly from?: number;
  readonly to?: number;
  /** Words in place of numbers. */
  readonly ticks?: readonly { readonly at: number; readonly text: string }[];
}

export interface Panel {
  readonly title: string;
  readonly x?: Axis;
  readonly y?: Axis;
  readonly curves: readonly Curve[];
  /** Level lines under the curves: segments as x0, y0, x1, y1. */
  readonly levels?: readonly (readonly [number, number, number, number])[];
  /** Vertical lines with a word. */
  readonly marks?: readonly { readonly x: number; readonly label: string }[];
  /** Points with a word. */
  readonly labels?: readonly { readonly at: Point; readonly text: string }[];
}

export interface FigureOptions {
  /** For those who cannot see it. */
  readonly title: string;
  readonly columns?: number;
  readonly panelWidth?: number;
  readonly panelHeight?: number;
}

const palette = [
  ['#0b6fb8', '#5eb1ef'],
  ['#c8500a', '#ff9c5a'],
  ['#1d8649', '#5fce8b'],
  ['#a02c86', '#ea86d0'],
  ['#8a6d00', '#e0c24c'],
  ['#4b4fc9', '#9ea2ff'],
  ['#00808a', '#53cdd6'],
  ['#7a4a2b', '#d8a27c'],
] as const;

const style = `svg{font:11px system-ui,sans-serif;color:#1c2024}
text{fill:currentColor}.soft{fill:#60646c}.grid{stroke:#e0e3e8;stroke-width:1}.frame{stroke:#9aa0a8;stroke-width:1;fill:none}
.iso{stroke:#9aa0a8;stroke-opacity:.55;stroke-width:.8;fill:none}.mark{stroke:#60646c;stroke-dasharray:3 3}.title{font-weight:600}
.line{fill:none;stroke-width:1.7;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}.band{fill-opacity:.16;stroke:none}.cell{fill:#0b6fb8}.negative{fill:#c8500a}
${palette.map(([light], i) => `.s${i}{stroke:${light}}.f${i}{fill:${light}}`).join('')}
@media(prefers-color-scheme:dark){svg{color:#edeef0}.soft{fill:#b0b4ba}.grid{stroke:#363a3f}.frame{stroke:#6b7078}.iso{stroke:#868c94}.mark{stroke:#b0b4ba}
.cell{fill:#5eb1ef}.negative{fill:#ff9c5a}${palette.map(([, dark], i) => `.s${i}{stroke:${dark}}.f${i}{fill:${dark}}`).join('')}}`;

const colorOf = (color: number): number => color % palette.length;
const round = (value: number): number => Math.round(value * 10) / 10;
/** A wide guess at the width of text in pixels. */
const widthOf = (text: string): number => text.length * 6.3;

function document(title: string, width: number, height: number, body: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${round(width)} ${round(height)}" width="${round(width)}" height="${round(height)}" role="img" aria-label="${escapeHtml(title)}">
<style>${style}</style>
${body.join('\n')}
</svg>
`;
}

export function figure(panels: readonly Panel[], options: FigureOptions): string {
  const { columns = Math.min(panels.length, 3), panelWidth = 300, panelHeight = 210 } = options;
  const width = columns * panelWidth;
  const { lines, height: head } = legend(panels, width);
  const body = [...lines];
  const drawn = new Map<string, string>();
  // Unlike those of other figures in the same page.
  const word = options.title.replace(/\W+/g, '-').toLowerCase();
  panels.forEach((panel, i) => {
    const x = (i % columns) * panelWidth;
    const y = head + Math.floor(i / columns) * panelHeight;
    body.push(
      `<g transform="translate(${x} ${y})">${panelBody(panel, panelWidth, panelHeight, `${word}-${i}`, drawn)}</g>`,
    );
  });
  return document(options.title, width, head + Math.ceil(panels.length / columns) * panelHeight, body);
}

/** Names of the curves, each once, in rows over the panels. */
function legend(panels: readonly Panel[], width: number): { lines: string[]; height: number } {
  const seen = new Map<string, Curve>();
  for (const { curves } of panels) {
    for (const curve of curves) if (curve.name !== '' && !seen.has(curve.name)) seen.set(curve.name, curve);
  }
  const lines: string[] = [];
  let x = 10;
  let y = 14;
  for (const { name, color, dashed, style: how } of seen.values()) {
    const need = widthOf(name) + 40;
    if (x + need > width && x > 10) [x, y] = [10, y + 16];
    const c = colorOf(color);
    lines.push(
      how === 'points'
        ? `<circle class="f${c}" cx="${x + 11}" cy="${y - 4}" r="3"/>`
        : `<path class="line s${c}${dashed === true ? ' dashed' : ''}" d="M${x} ${y - 4}h22"/>`,
      `<text x="${x + 27}" y="${y}">${escapeHtml(name)}</text>`,
    );
    x += need;
  }
  return { lines, height: seen.size === 0 ? 0 : y + 10 };
}

interface Scale {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
  readonly log: boolean;
}

function scaleOf(axis: Axis, values: readonly number[], from: number, to: number, count: number): Scale {
  const log = axis.log === true;
  const finite = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  const least = axis.from ?? finite.reduce((a, b) => Math.min(a, b), Infinity);
  const most = axis.to ?? finite.reduce((a, b) => Math.max(a, b), -Infinity);
  const [a, b] = least < most ? [least, most] : [log ? least / 2 : least - 0.5, log ? most * 2 : most + 0.5];
  const all = log ? logTicks(a, b) : niceTicks(a, b, count);
  const low = axis.from ?? (log ? a : Math.min(a, all[0]!));
  const high = axis.to ?? (log ? b : Math.max(b, all.at(-1)!));
  const f = log ? Math.log : (v: number) => v;
  return {
    at: (v) => from + ((f(v) - f(low)) / (f(high) - f(low))) * (to - from),
    ticks: all.filter((t) => t >= low * (log ? 0.999 : 1) - 1e-12 && t <= high * (log ? 1.001 : 1) + 1e-12),
    log,
  };
}

/** `drawn`: level lines that are in the document already, by their path. */
function panelBody(panel: Panel, width: number, height: number, clip: string, drawn: Map<string, string>): string {
  const { x: xAxis = {}, y: yAxis = {}, curves } = panel;
  const [left, right, top, bottom] = [yAxis.label === undefined ? 46 : 60, 12, 24, xAxis.label === undefined ? 24 : 40];
  const bands = curves.flatMap(({ band }) => band ?? []);
  const xs = curves.flatMap(({ points }) => points.map(([x]) => x));
  const ys = [...curves.flatMap(({ points }) => points.map(([, y]) => y)), ...bands.flatMap(([, a, b]) => [a, b])];
  const sx = scaleOf(xAxis, xs, left, width - right, 6);
  const sy = scaleOf(yAxis, ys, height - bottom, top, 5);
  const px = (v: number): number => round(sx.at(v));
  const py = (v: number): number => round(sy.at(v));
  const fits = ([x, y]: Point): boolean =>
    Number.isFinite(x) && Number.isFinite(y) && (!sx.log || x > 0) && (!sy.log || y > 0);
  const out = [`<text class="title" x="${left}" y="14">${escapeHtml(panel.title)}</text>`];
  for (const t of sy.ticks) {
    out.push(
      `<path class="grid" d="M${left} ${py(t)}H${width - right}"/>`,
      `<text class="soft" x="${left - 6}" y="${py(t) + 4}" text-anchor="end">${tickText(t, sy.ticks, sy.log)}</text>`,
    );
  }
  const words = new Map(xAxis.ticks?.map(({ at, text }) => [at, text]));
  for (const t of xAxis.ticks?.map(({ at }) => at) ?? sx.ticks) {
    out.push(
      `<path class="grid" d="M${px(t)} ${top}V${height - bottom}"/>`,
      `<text class="soft" x="${px(t)}" y="${height - bottom + 14}" text-anchor="middle">${escapeHtml(words.get(t) ?? tickText(t, sx.ticks, sx.log))}</text>`,
    );
  }
  out.push(`<path class="frame" d="M${left} ${top}V${height - bottom}H${width - right}"/>`);
  if (xAxis.label !== undefined) {
    const at = (left + width - right) / 2;
    out.push(`<text class="soft" x="${at}" y="${height - 6}" text-anchor="middle">${escapeHtml(xAxis.label)}</text>`);
  }
  if (yAxis.label !== undefined) {
    const at = (top + height - bottom) / 2;
    out.push(
      `<text class="soft" transform="translate(12 ${at}) rotate(-90)" text-anchor="middle">${escapeHtml(yAxis.label)}</text>`,
    );
  }
  // What leaves the shown range is cut off at the frame.
  out.push(
    `<clipPath id="${clip}"><path d="M${left} ${top}H${width - right}V${height - bottom}H${left}Z"/></clipPath><g clip-path="url(#${clip})">`,
  );
  if (panel.levels !== undefined && panel.levels.length > 0) {
    const d = panel.levels.map(([a, b, c, e]) => `M${px(a)} ${py(b)}L${px(c)} ${py(e)}`).join('');
    const known = drawn.get(d);
    if (known === undefined) {
      drawn.set(d, `${clip}-levels`);
      out.push(`<path id="${clip}-levels" class="iso" d="${d}"/>`);
    } else out.push(`<use href="#${known}"/>`);
  }
  for (const { points, band, color, dashed, style: how = 'line' } of curves) {
    const c = colorOf(color);
    if (band !== undefined && band.length > 1) {
      const up = band.map(([x, , high]) => `${px(x)} ${py(high)}`);
      const down = band.map(([x, low]) => `${px(x)} ${py(low)}`).reverse();
      out.push(`<path class="band f${c}" d="M${[...up, ...down].join('L')}Z"/>`);
    }
    const shown = points.filter(fits);
    if (how !== 'points' && shown.length > 0) {
      const d = shown.map(([x, y]) => `${px(x)} ${py(y)}`).join('L');
      out.push(`<path class="line s${c}${dashed === true ? ' dashed' : ''}" d="M${d}"/>`);
    }
    if (how !== 'line') {
      const dots = shown.map(([x, y]) => `M${px(x)} ${py(y)}m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0 -5 0`).join('');
      out.push(`<path class="f${c}" d="${dots}"/>`);
    }
  }
  out.push('</g>');
  for (const { x, label } of panel.marks ?? []) {
    const end = px(x) > (left + width - right) / 2;
    out.push(
      `<path class="mark" d="M${px(x)} ${top}V${height - bottom}"/>`,
      `<text class="soft" x="${px(x) + (end ? -4 : 4)}" y="${top + 10}" text-anchor="${end ? 'end' : 'start'}">${escapeHtml(label)}</text>`,
    );
  }
  for (const { at, text } of panel.labels ?? [])
    out.push(`<text class="soft" x="${px(at[0]) + 5}" y="${py(at[1]) - 5}">${escapeHtml(text)}</text>`);
  return out.join('');
}

export interface HeatMap {
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row, then column; null leaves a cell empty. */
  readonly values: readonly (readonly (number | null)[])[];
  /** The values of no and of full colour; below zero another hue is used. Default: 0 and the greatest. */
  readonly full?: number;
  /** The number in the cell; without it cells are small and bare, as in a picture of attention. */
  readonly format?: (value: number) => string;
  /** Edge of a cell in pixels. */
  readonly cell?: number;
}

/** Heat maps side by side, `columns` in a row. */
export function heatMaps(maps: readonly HeatMap[], options: FigureOptions): string {
  const { columns = Math.min(maps.length, 2) } = options;
  const parts = maps.map(heatBody);
  const body: string[] = [];
  let y = 0;
  let width = 0;
  for (let i = 0; i < parts.length; i += columns) {
    let x = 0;
    for (const part of parts.slice(i, i + columns)) {
      body.push(`<g transform="translate(${round(x)} ${round(y)})">${part.body}</g>`);
      x += part.width + 16;
    }
    width = Math.max(width, x - 16);
    y += Math.max(...parts.slice(i, i + columns).map(({ height }) => height)) + 10;
  }
  return document(options.title, width, y - 10, body);
}

function heatBody(map: HeatMap): { body: string; width: number; height: number } {
  const cell = map.cell ?? (map.format === undefined ? 14 : 38);
  const longest = Math.max(0, ...map.rows.map(widthOf));
  const tallest = Math.max(0, ...map.columns.map(widthOf));
  // Names over the columns stand upright unless all of them fit.
  const flat = tallest <= cell;
  const left = longest + 12;
  const top = 22 + (flat ? 16 : tallest + 8);
  const flatValues = map.values.flat().filter((v): v is number => v !== null);
  const full = map.full ?? (flatValues.reduce((a, b) => Math.max(a, Math.abs(b)), 0) || 1);
  const out = [`<text class="title" x="6" y="14">${escapeHtml(map.title)}</text>`];
  map.columns.forEach((name, j) => {
    const x = round(left + (j + 0.5) * cell);
    out.push(
      flat
        ? `<text class="soft" x="${x}" y="${top - 6}" text-anchor="middle">${escapeHtml(name)}</text>`
        : `<text class="soft" transform="translate(${x + 4} ${round(top - 6)}) rotate(-90)">${escapeHtml(name)}</text>`,
    );
  });
  map.rows.forEach((name, i) => {
    const y = round(top + (i + 0.5) * cell + 4);
    out.push(`<text class="soft" x="${round(left - 6)}" y="${y}" text-anchor="end">${escapeHtml(name)}</text>`);
    (map.values[i] ?? []).forEach((value, j) => {
      if (value === null) return;
      const x = round(left + j * cell);
      const strength = Math.max(0, Math.min(1, Math.abs(value) / full));
      const column = map.columns[j] ?? '';
      // Pixels have no names, and are many.
      const told =
        name === '' && column === ''
          ? ''
          : `<title>${escapeHtml(`${name}, ${column}: ${value.toPrecision(4)}`)}</title>`;
      out.push(
        `<path class="${value < 0 ? 'negative' : 'cell'}" fill-opacity="${Math.round(strength * 85) / 100}" d="M${x} ${round(top + i * cell)}h${cell}v${cell}h-${cell}z">${told}</path>`,
      );
      if (map.format !== undefined) {
        out.push(
          `<text x="${round(x + cell / 2)}" y="${y}" text-anchor="middle">${escapeHtml(map.format(value))}</text>`,
        );
      }
    });
  });
  const width = Math.max(left + map.columns.length * cell + 8, widthOf(map.title) * 1.1 + 12);
  return { body: out.join(''), width, height: top + map.rows.length * cell + 8 };
}

/** Level lines of a function on a grid (marching squares), at the given levels. */
export function levelLines(
  f: (x: number, y: number) => number,
  x: readonly [number, number],
  y: readonly [number, number],
  levels: readonly number[],
  cells = 60,
): [number, number, number, number][] {
  const at = (range: readonly [number, number], i: number): number => range[0] + ((range[1] - range[0]) * i) / cells;
  const grid = Array.from({ length: cells + 1 }, (_, i) =>
    Array.from({ length: cells + 1 }, (_, j) => f(at(x, i), at(y, j))),
  );
  const segments: [number, number, number, number][] = [];
  for (const level of levels) {
    for (let i = 0; i < cells; i++) {
      for (let j = 0; j < cells; j++) {
        const corners = [
          [i, j],
          [i + 1, j],
          [i + 1, j + 1],
          [i, j + 1],
        ] as const;
        const crossings: [number, number][] = [];
        for (let k = 0; k < 4; k++) {
          const [a, b] = [corners[k]!, corners[(k + 1) % 4]!];
          const [va, vb] = [grid[a[0]]![a[1]]! - level, grid[b[0]]![b[1]]! - level];
          if (va < 0 === vb < 0 || !Number.isFinite(va + vb)) continue;
          const t = va / (va - vb);
          crossings.push([at(x, a[0] + t * (b[0] - a[0])), at(y, a[1] + t * (b[1] - a[1]))]);
        }
        for (let k = 0; k + 1 < crossings.length; k += 2) segments.push([...crossings[k]!, ...crossings[k + 1]!]);
      }
    }
  }
  return segments;
}
