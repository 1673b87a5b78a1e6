/**
 * A training run as one HTML file: curves, final figures, configuration, throughput. It needs no script, no network and no other file, so it
 * can be mailed and kept. Light and dark follow the reader's system. All text is escaped: names come from programs and files.
 */
import { formatCount, formatMeasure, formatSeconds } from '../terminal/progress.ts';
import { escapeHtml, lineChart, type Series } from './chart.ts';
import type { EpochRecord, RunRecord } from './record.ts';

export type { EpochRecord, RunRecord } from './record.ts';

export function renderReport(run: RunRecord): string {
  const measures = measureNames(run);
  const validated = run.epochs.some(({ validation }) => validation !== null);
  const title = `${run.program} · ${run.train}`;
  const speed = median(run.epochs.map(({ rowsPerSecond }) => rowsPerSecond));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<h1>${escapeHtml(run.program)} <span>${escapeHtml(run.train)}</span></h1>
<p>${escapeHtml(outcome(run))}</p>
</header>
<section class="tiles">
${headline(run)
  .concat([
    ['rows a second', speed === null ? '–' : formatCount(speed)],
    ['time', formatSeconds(run.seconds)],
    ['parameters', run.parameters.toLocaleString('en-US')],
  ])
  .map(([name, value]) => `<div><b>${escapeHtml(value)}</b><span>${escapeHtml(name)}</span></div>`)
  .join('\n')}
</section>
${warnings(run)}<section class="charts">
${measures.map((measure) => figure(measure, measureChart(run, measure))).join('\n')}
${figure('throughput, rows a second', speedChart(run))}
</section>
<section class="tables">
<div>
<h2>Final figures</h2>
${finalTable(run, measures, validated)}
</div>
<div>
<h2>Configuration</h2>
${table([], configuration(run))}
</div>
</section>
${trialsSection(run, measures)}<details>
<summary>All epochs</summary>
${epochTable(run, measures, validated)}
</details>
</body>
</html>
`;
}

/** `loss` first, then the metrics in the order of their first appearance. */
function measureNames(run: RunRecord): string[] {
  const names = new Set<string>(['loss']);
  for (const { train, validation } of run.epochs) {
    for (const name of Object.keys({ ...train, ...validation })) names.add(name);
  }
  return [...names].filter((name) =>
    run.epochs.some(({ train, validation }) => name in train || name in (validation ?? {})),
  );
}

function outcome(run: RunRecord): string {
  const count = run.epochs.length;
  const epochs = `${count} of ${run.epochsPlanned} epochs`;
  const best = run.best === null ? '' : ` The weights of epoch ${run.best.epoch} were kept.`;
  switch (run.end) {
    case 'finished':
      return `Trained for ${count} ${count === 1 ? 'epoch' : 'epochs'}.${best}`;
    case 'early':
      return `Stopped early after ${epochs}.${best}`;
    case 'interrupted':
      return `Interrupted after ${epochs}.${best}`;
    case 'diverged':
      return `Stopped after ${epochs}: the loss was no longer finite.${best}`;
  }
}

const valueText = (value: number | null | undefined): string =>
  value === undefined ? '–' : value === null ? 'not finite' : formatMeasure(value);

/** 1482752 → `1.48 MB` */
const bytesText = (bytes: number): string => `${formatCount(bytes).replace(/(?=[kMG]$)|$/, ' ')}B`;

/** The epoch whose weights were kept: the best, else the last. */
function kept(run: RunRecord): EpochRecord | undefined {
  return run.epochs.find(({ epoch }) => epoch === run.best?.epoch) ?? run.epochs.at(-1);
}

/** The measures that matter most: on test data if there are any, else validation, else training. */
function headline(run: RunRecord): [string, string][] {
  const epoch = kept(run);
  const [where, values] =
    run.test !== null
      ? ['test', run.test]
      : epoch === undefined
        ? ['', {}]
        : epoch.validation !== null
          ? ['validation', epoch.validation]
          : ['training', epoch.train];
  return Object.entries(values)
    .slice(0, 4)
    .map(([name, value]) => [`${where} ${name}`, valueText(value)]);
}

function warnings(run: RunRecord): string {
  if (run.warnings === undefined || run.warnings.length === 0) return '';
  const items = run.warnings.map((text) => `<li>${escapeHtml(text)}</li>`).join('');
  return `<section class="warnings"><h2>Warnings</h2><ul>${items}</ul></section>\n`;
}

function measureChart(run: RunRecord, measure: string): string {
  const series: Series[] = [
    {
      name: 'training',
      kind: 'train',
      points: run.epochs.flatMap(({ epoch, train }) =>
        measure in train ? [{ x: epoch, y: train[measure] ?? null }] : [],
      ),
    },
    {
      name: 'validation',
      kind: 'validation',
      points: run.epochs.flatMap(({ epoch, validation }) =>
        validation !== null && measure in validation ? [{ x: epoch, y: validation[measure] ?? null }] : [],
      ),
    },
  ];
  const last = run.epochs.at(-1)?.epoch;
  const stop = { early: 'stopped early', interrupted: 'interrupted', diverged: 'diverged', finished: '' }[run.end];
  return lineChart({
    title: measure,
    series: series.filter(({ points }) => points.length > 0),
    format: formatMeasure,
    marks: [
      ...(run.best === null
        ? []
        : [{ x: run.best.epoch, label: `best: epoch ${run.best.epoch}`, kind: 'best' as const }]),
      ...(stop === '' || last === undefined ? [] : [{ x: last, label: stop, kind: 'stop' as const }]),
    ],
  });
}

function speedChart(run: RunRecord): string {
  return lineChart({
    title: 'throughput',
    series: [
      {
        name: 'rows a second',
        kind: 'plain',
        points: run.epochs.map(({ epoch, rowsPerSecond }) => ({ x: epoch, y: rowsPerSecond })),
      },
    ],
    format: (value) => `${formatCount(value)} rows/s`,
    marks: [],
    fromZero: true,
  });
}

const figure = (title: string, chart: string): string =>
  `<figure><figcaption>${escapeHtml(title)}</figcaption>${chart}</figure>`;

function finalTable(run: RunRecord, measures: readonly string[], validated: boolean): string {
  const epoch = kept(run);
  const head = ['', 'training', ...(validated ? ['validation'] : []), ...(run.test === null ? [] : ['test'])];
  const names = [...new Set([...measures, ...Object.keys(run.test ?? {})])];
  return table(
    head,
    names.map((name) => [
      name,
      valueText(epoch?.train[name]),
      ...(validated ? [valueText(epoch?.validation?.[name])] : []),
      ...(run.test === null ? [] : [valueText(run.test[name])]),
    ]),
  );
}

/** Every training of several, and each measure over them. */
function trialsSection(run: RunRecord, measures: readonly string[]): string {
  const { trials, spread } = run;
  if (trials === undefined) return '';
  const names = measures.filter((m) => trials.some((t) => m in t.measures));
  const over = (pick: (s: NonNullable<RunRecord['spread']>[string]) => number | null): string[] =>
    names.map((m) => (spread?.[m] === undefined ? '–' : valueText(pick(spread[m]))));
  const rows = [
    ...trials.map((t) => [`${t.name}, seed ${t.seed}`, ...names.map((m) => valueText(t.measures[m]))]),
    ['mean', ...over((s) => s.mean)],
    ['standard deviation', ...over((s) => s.deviation)],
  ];
  const losses = trials.map((t) => t.measures['loss'] ?? Infinity);
  return `<section>
<h2>${trials.length} trainings</h2>
<p>Above is the best of them.</p>
${table(['', ...names], rows, losses.indexOf(Math.min(...losses)))}
</section>
`;
}

function configuration(run: RunRecord): string[][] {
  const { train, validation, test } = run.rows;
  const rows = [
    `${train.toLocaleString('en-US')} training`,
    ...(validation > 0 ? [`${validation.toLocaleString('en-US')} validation`] : []),
    ...(test > 0 ? [`${test.toLocaleString('en-US')} test`] : []),
  ];
  return [
    ...run.configuration.map(([name, value]) => [name, value]),
    ['rows', rows.join(', ')],
    ['target', run.target],
    ['seed', String(run.seed)],
    ...(run.memory === null ? [] : [['memory', bytesText(run.memory)]]),
    ['started', run.started],
  ];
}

function epochTable(run: RunRecord, measures: readonly string[], validated: boolean): string {
  const head = [
    'epoch',
    ...measures.flatMap((name) => (validated ? [name, `validation ${name}`] : [name])),
    'rows a second',
    'time',
  ];
  const body = run.epochs.map(({ epoch, train, validation, rowsPerSecond, seconds }) => [
    String(epoch),
    ...measures.flatMap((name) =>
      validated ? [valueText(train[name]), valueText(validation?.[name])] : [valueText(train[name])],
    ),
    formatCount(rowsPerSecond),
    formatSeconds(seconds),
  ]);
  return table(head, body, run.best === null ? -1 : run.epochs.findIndex(({ epoch }) => epoch === run.best?.epoch));
}

function table(head: readonly string[], body: readonly (readonly string[])[], marked = -1): string {
  const cells = (row: readonly string[]) =>
    row
      .map((text, i) => (i === 0 ? `<th scope="row">${escapeHtml(text)}</th>` : `<td>${escapeHtml(text)}</td>`))
      .join('');
  const top =
    head.length === 0
      ? ''
      : `<thead><tr>${head.map((text) => `<th scope="col">${escapeHtml(text)}</th>`).join('')}</tr></thead>`;
  const rows = body.map((row, i) => `<tr${i === marked ? ' class="best"' : ''}>${cells(row)}</tr>`).join('\n');
  return `<div class="scroll"><table${head.length === 0 ? ' class="pairs"' : ''}>${top}<tbody>\n${rows}\n</tbody></table></div>`;
}

function median(values: readonly number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

const style = `
:root { --text: #1c2024; --soft: #60646c; --line: #e0e3e7; --ground: #fbfcfd; --panel: #ffffff; --train: #2563c9; --validation: #c2571a; --mark: #8b8f97; --tint: #f0f4fa }
@media (prefers-color-scheme: dark) {
  :root { --text: #eceef0; --soft: #9ba1a8; --line: #2b2f33; --ground: #111315; --panel: #181b1e; --train: #6ea8fe; --validation: #f2995c; --mark: #80868d; --tint: #1e2731 }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 40px 24px 64px; max-width: 1160px; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif; font-variant-numeric: tabular-nums }
h1 { margin: 0; font-size: 26px; font-weight: 650; letter-spacing: -0.01em }
h1 span { color: var(--soft); font-weight: 400 }
h2 { margin: 0 0 8px; font-size: 15px; font-weight: 600 }
header p { margin: 4px 0 0; color: var(--soft) }
.tiles { display: flex; flex-wrap: wrap; gap: 12px 40px; margin: 28px 0 }
.tiles b { display: block; font-size: 24px; font-weight: 600; line-height: 1.2 }
.tiles span { color: var(--soft); font-size: 13px }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 20px }
figure, .tables > div, details, .warnings { margin: 0; padding: 16px 18px; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; min-width: 0 }
figcaption { margin-bottom: 6px; font-weight: 600 }
svg { display: block; width: 100%; height: auto; overflow: visible; font: 12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif }
.grid { stroke: var(--line) } .axis { stroke: var(--mark) }
.tick, .marklabel { fill: var(--soft) }
.mark { stroke: var(--mark) } .mark.stop { stroke-dasharray: 4 4 }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; stroke: var(--train) } .line.validation { stroke: var(--validation) }
.dot { fill: var(--train) } .dot.validation { fill: var(--validation) } .dot.dense { fill: transparent }
.name { fill: var(--train); font-weight: 600 } .name.validation { fill: var(--validation) }
.empty { color: var(--soft) }
.warnings { margin-bottom: 20px } .warnings ul { margin: 0; padding-left: 20px }
.tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); gap: 20px; margin: 20px 0; align-items: start }
.scroll { overflow-x: auto }
table { width: 100%; border-collapse: collapse }
th, td { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap }
tr:last-child > * { border-bottom: 0 }
th { font-weight: 500; color: var(--soft) } th[scope=row], .pairs th { text-align: left }
.pairs td { text-align: left; white-space: normal; overflow-wrap: anywhere }
tr.best > * { background: var(--tint); font-weight: 600 }
summary { cursor: pointer; font-weight: 600 } details .scroll { margin-top: 12px }
@media print { body { padding: 0 } figure, .tables > div { break-inside: avoid } }
`;
