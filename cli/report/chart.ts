/**
 * A line chart as SVG text: up to a few series over epochs, ticks at round numbers, labels at the ends of the lines, tooltips by <title>.
 * Colours are CSS variables of the page. No script, no measuring of text: widths are estimated.
 */

export interface Series {
  readonly name: string;
  /** CSS class suffix: `train`, `validation`, `plain`. */
  readonly kind: 'train' | 'validation' | 'plain';
  /** Null leaves a gap. */
  readonly points: readonly { readonly x: number; readonly y: number | null }[];
}

export interface ChartOptions {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Vertical marks: the best epoch, an early stop. */
  readonly marks: readonly { readonly x: number; readonly label: string; readonly kind: 'best' | 'stop' }[];
  /** Starts the axis at zero even where the values are far from it (rates). */
  readonly fromZero?: boolean;
}

const width = 640;
const height = 260;
const left = 56;
const top = 26;
const bottom = 34;

export function lineChart({ title, series, format, marks, fromZero }: ChartOptions): string {
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const ys = series.flatMap(({ points }) => points.flatMap(({ y }) => (y === null || !Number.isFinite(y) ? [] : [y])));
  if (ys.length === 0) return `<p class="empty">No finite values of ${escapeHtml(title)}.</p>`;
  // Room for the names at the ends of the lines, or for the label of the end.
  const right = series.length > 1 || marks.length > 0 ? 92 : 24;
  const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
  const [least, most] = [Math.min(...ys), Math.max(...ys)];
  // Two decades and more: only a logarithmic axis shows the lower one.
  const log = least > 0 && most / least >= 100 && fromZero !== true;
  const ticks = log ? logTicks(least, most) : niceTicks(fromZero === true ? Math.min(0, least) : least, most, 5);
  const low = log ? Math.min(least, ticks[0]!) : ticks[0]!;
  const high = log ? Math.max(most, ticks.at(-1)!) : ticks.at(-1)!;
  const scale = log ? Math.log : (value: number) => value;
  const px = (x: number) =>
    round(x1 === x0 ? (left + width - right) / 2 : left + ((x - x0) / (x1 - x0)) * (width - left - right));
  const py = (y: number) =>
    round(height - bottom - ((scale(y) - scale(low)) / (scale(high) - scale(low))) * (height - top - bottom));

  const parts: string[] = [];
  for (const tick of ticks) {
    parts.push(`<line class="grid" x1="${left}" x2="${width - right}" y1="${py(tick)}" y2="${py(tick)}"/>`);
    parts.push(
      `<text class="tick" x="${left - 8}" y="${py(tick) + 4}" text-anchor="end">${escapeHtml(tickText(tick, ticks, log))}</text>`,
    );
  }
  for (const tick of niceTicks(x0, x1, 8).filter((x) => Number.isInteger(x) && x >= x0 && x <= x1)) {
    parts.push(`<text class="tick" x="${px(tick)}" y="${height - bottom + 18}" text-anchor="middle">${tick}</text>`);
  }
  parts.push(`<line class="axis" x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}"/>`);
  parts.push(
    `<text class="tick" x="${width - right}" y="${height - 2}" text-anchor="end">epoch${log ? ', logarithmic axis' : ''}</text>`,
  );

  // One row above the plot: the best epoch's label to the left of its mark where the right half begins, the end's label to the right.
  for (const { x, label, kind } of marks) {
    const end = kind === 'best' ? px(x) > (left + width - right) / 2 : px(x) < width - right - 1;
    parts.push(
      `<line class="mark ${kind}" x1="${px(x)}" x2="${px(x)}" y1="${top - 6}" y2="${height - bottom}"/>`,
      `<text class="marklabel" x="${px(x) + (end ? -5 : 5)}" y="${top - 10}" text-anchor="${end ? 'end' : 'start'}">${escapeHtml(label)}</text>`,
    );
  }

  const ends: { y: number; text: string; kind: string }[] = [];
  for (const { name, kind, points } of series) {
    let path = '';
    let pen = false;
    for (const { x, y } of points) {
      if (y === null || !Number.isFinite(y)) {
        pen = false;
        continue;
      }
      path += `${pen ? 'L' : 'M'}${px(x)} ${py(y)}`;
      pen = true;
    }
    parts.push(`<path class="line ${kind}" d="${path}"/>`);
    const shown = points.filter(
      (point): point is { x: number; y: number } => point.y !== null && Number.isFinite(point.y),
    );
    // Points are drawn while there is room between them; beyond that they only carry the tooltips.
    const dense = shown.length > 40;
    for (const { x, y } of shown) {
      const tip = `${series.length > 1 ? `${name}, ` : ''}epoch ${x}: ${format(y)}`;
      parts.push(
        `<circle class="dot ${kind}${dense ? ' dense' : ''}" cx="${px(x)}" cy="${py(y)}" r="${dense ? 5 : 2.5}"><title>${escapeHtml(tip)}</title></circle>`,
      );
    }
    const last = shown.at(-1);
    if (last !== undefined && series.length > 1) ends.push({ y: py(last.y), text: name, kind });
  }
  // Names at the ends of the lines, moved apart where the lines meet.
  ends.sort((a, b) => a.y - b.y);
  ends.forEach((end, i) => {
    if (i > 0) end.y = Math.max(end.y, ends[i - 1]!.y + 15);
  });
  for (const { y, text, kind } of ends) {
    parts.push(`<text class="name ${kind}" x="${width - right + 8}" y="${y + 4}">${escapeHtml(text)}</text>`);
  }
  return `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)} over epochs">${parts.join('')}</svg>`;
}

/** About `count` round numbers (1, 2 or 5 times a power of ten) that enclose the range. */
export function niceTicks(low: number, high: number, count: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const raw = span / Math.max(1, count - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((unit) => unit * power).find((unit) => unit >= raw * 0.75)!;
  const from = Math.floor(low / step + 1e-9);
  let to = Math.ceil(high / step - 1e-9);
  if (to === from) to++;
  // From whole multiples, so that no rounding builds up; the precision drops what the product adds.
  return Array.from({ length: to - from + 1 }, (_, i) => Number(((from + i) * step).toPrecision(12)));
}

/** Powers of ten that enclose the range, with 2 and 5 between when there are few. */
export function logTicks(low: number, high: number): number[] {
  const first = Math.floor(Math.log10(low) + 1e-9);
  const last = Math.ceil(Math.log10(high) - 1e-9);
  const between = last - first <= 2 ? [1, 2, 5] : [1];
  const step = Math.ceil((last - first) / 8);
  const ticks: number[] = [];
  for (let power = first; power <= last; power += step) {
    for (const unit of between) {
      const tick = Number((unit * 10 ** power).toPrecision(12));
      if (ticks.length === 0 || ticks.at(-1)! < high) ticks.push(tick);
    }
  }
  while (ticks.length > 1 && ticks[1]! <= low) ticks.shift();
  return ticks;
}

/** All ticks of an axis with the same number of decimals; large numbers shortened. */
export function tickText(tick: number, ticks: readonly number[], log: boolean): string {
  if (tick === 0) return '0';
  const size = Math.max(...ticks.map(Math.abs));
  if (size >= 1e4 && !log) {
    const [unit, divisor] = size >= 1e9 ? ['G', 1e9] : size >= 1e6 ? ['M', 1e6] : ['k', 1e3];
    return `${Number((tick / Number(divisor)).toPrecision(6))}${unit}`;
  }
  if (Math.abs(tick) < 1e-4 || Math.abs(tick) >= 1e4) return tick.toExponential().replace('e+', 'e');
  if (log) return String(tick);
  const decimals = Math.max(...ticks.map((value) => (String(value).split('.')[1] ?? '').length));
  return size < 1e-3 ? String(tick) : tick.toFixed(Math.min(decimals, 6));
}

const round = (value: number): number => Math.round(value * 100) / 100;

export function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}
