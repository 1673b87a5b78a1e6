/** A study as text for the terminal, as figures, and as one HTML page. */
import type { Estimate } from '../../analysis/statistics.ts';
import { escapeHtml } from '../report/chart.ts';
import { figure, type Axis, type Curve, type Panel, type Point } from '../report/figure.ts';
import { formatMeasure, formatSeconds } from '../terminal/progress.ts';
import type { Measures, StudyRecord, VariantRecord } from './record.ts';

const pm = ({ mean, low, high }: Estimate): string =>
  Number.isFinite(low) ? `${formatMeasure(mean)} ± ${formatMeasure((high - low) / 2)}` : formatMeasure(mean);
const between = ({ mean, low, high }: Estimate): string =>
  `${formatMeasure(mean)} [${formatMeasure(low)}, ${formatMeasure(high)}]`;

const nameOf = (study: StudyRecord, variant: VariantRecord): string =>
  study.vary === null ? 'all' : `${study.vary} ${variant.value ?? ''}`;

/** Rows of the table of errors: one for each variant and measure. */
export function errorTable(study: StudyRecord): string[][] {
  const validated = study.variants.some(({ validation }) => validation !== null);
  const head = [
    '',
    'measure',
    'training',
    ...(validated ? ['validation'] : []),
    'test',
    ...(validated ? ['test, last epoch', 'best epoch'] : []),
  ];
  const several = study.variants.length > 1;
  if (several) head.push('test, less the first');
  const rows = study.variants.flatMap((v) =>
    Object.keys(v.test).map((name, i) => [
      i === 0 ? nameOf(study, v) : '',
      name,
      pm(v.training[name]!),
      ...(validated ? [v.validation === null ? '–' : pm(v.validation[name]!)] : []),
      pm(v.test[name]!),
      ...(validated ? [pm(v.last.test[name]!), i === 0 && v.bestEpoch !== null ? v.bestEpoch.toFixed(1) : ''] : []),
      ...(several ? [v.against === null ? '' : pm(v.against[name]!)] : []),
    ]),
  );
  return [head, ...rows];
}

export function decompositionTable(study: StudyRecord): string[][] {
  const separated = study.variants.some(({ decomposition }) => decomposition !== null && decomposition.bias !== null);
  const head = [
    '',
    ...(separated ? ['bias²', 'variance', 'noise'] : ['bias² + noise', 'variance']),
    'sum',
    'measured',
    'sum − measured',
    '',
  ];
  const rows = study.variants.flatMap((v) => {
    const d = v.decomposition;
    if (d === null) return [];
    const parts =
      separated && d.bias !== null && d.noise !== null ? [d.bias, d.variance, d.noise] : [d.unseparated, d.variance];
    return [
      [
        nameOf(study, v),
        ...parts.map(between),
        between(d.sum),
        between(d.measured),
        between(d.difference),
        d.adds ? 'adds up' : 'DOES NOT ADD UP',
      ],
    ];
  });
  return rows.length === 0 ? [] : [head, ...rows];
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? '').length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('   ')
        .trimEnd(),
    )
    .join('\n');
}

const summaryOf = (study: StudyRecord): string => {
  const { rows } = study;
  const sets = study.scheme === 'bootstrap' ? 'bootstrap sets' : 'sets without repetition';
  return `${study.retrainings} retrainings on ${sets} of ${rows.each} out of ${rows.pool} rows; ${rows.validation} rows validate, ${rows.test} test; ${study.epochs} epochs, seed ${study.seed}, ${formatSeconds(study.seconds)}`;
};

export function studyText(study: StudyRecord): string {
  const parts = [`${study.train} in ${study.program}: ${summaryOf(study)}`, '', aligned(errorTable(study))];
  const table = decompositionTable(study);
  const percent = `${Math.round(study.confidence * 100)} %`;
  if ('reason' in study.decomposition) parts.push('', `no decomposition: ${study.decomposition.reason}`);
  else if (table.length > 0) {
    const { prediction, truth, error } = study.decomposition;
    parts.push('', `${error}, ${prediction} against ${truth}, with ${percent} intervals`, aligned(table));
  }
  return `${parts.join('\n')}\n`;
}

/** Names of parts, their colours and values: shared by panels so that the legend has each once. */
const decomposed = (v: VariantRecord): readonly (readonly [name: string, color: number, e: Estimate | null])[] => {
  const d = v.decomposition;
  if (d === null) return [];
  return [
    ['bias²', 0, d.bias],
    ['noise', 4, d.noise],
    ['bias² + noise', 5, d.bias === null ? d.unseparated : null],
    ['variance', 1, d.variance],
    ['sum', 2, d.sum],
    ['measured error', 3, d.measured],
  ];
};

interface Place {
  readonly at: (v: VariantRecord) => number;
  readonly axis: Axis;
}

/** Values of the varied const as places on an axis: logarithmic where they span a decade, one beside the other where 0 is among such. */
function placesOf(study: StudyRecord): Place {
  const label = study.vary ?? '';
  const values = study.variants.map(({ value }) => value ?? 0);
  const positive = values.filter((v) => v > 0);
  const wide = Math.max(...positive) / Math.min(...positive) >= 8;
  if (wide && positive.length < values.length) {
    const ticks = values.map((value, at) => ({ at, text: String(value) }));
    return { at: (v) => study.variants.indexOf(v), axis: { label, ticks, from: 0, to: values.length - 1 } };
  }
  return { at: (v) => v.value ?? 0, axis: { label, log: wide } };
}

export function studyPanels(study: StudyRecord): Panel[] {
  const place = placesOf(study);
  const panels: Panel[] = [];
  if (study.variants.length > 1) {
    const names = Object.keys(study.variants[0]!.test);
    for (const name of names) {
      const curve = (
        label: string,
        color: number,
        of: (v: VariantRecord) => Measures | null,
        dashed = false,
      ): Curve => {
        const found = study.variants.flatMap((v) => {
          const e = of(v)?.[name];
          return e === undefined ? [] : [[place.at(v), e] as const];
        });
        return {
          name: label,
          color,
          dashed,
          style: 'both',
          points: found.map(([x, e]): Point => [x, e.mean]),
          band: found.filter(([, e]) => Number.isFinite(e.low)).map(([x, e]) => [x, e.low, e.high] as const),
        };
      };
      panels.push({
        title: name,
        x: place.axis,
        curves: [
          curve('training', 0, (v) => v.training),
          ...(study.variants[0]!.validation === null ? [] : [curve('validation', 1, (v) => v.validation)]),
          curve('test', 2, (v) => v.test),
        ],
      });
    }
    const parts = decomposed(study.variants[0]!);
    if (parts.length > 0) {
      const curves = parts.flatMap(([name, color, first], i): Curve[] => {
        if (first === null) return [];
        const found = study.variants.flatMap((v) => {
          const e = decomposed(v)[i]?.[2];
          return e === undefined || e === null ? [] : [[place.at(v), e] as const];
        });
        const measured = name === 'measured error';
        return [
          {
            name,
            color,
            style: measured ? 'points' : 'line',
            points: found.map(([x, e]): Point => [x, e.mean]),
            ...(measured || name === 'sum' ? { band: found.map(([x, e]) => [x, e.low, e.high] as const) } : {}),
          },
        ];
      });
      panels.push({ title: 'decomposition of the error', x: place.axis, curves });
    }
  }
  return panels;
}

/** Mean losses by epoch, a panel for each variant. */
export function curvePanels(study: StudyRecord): Panel[] {
  const all = study.variants.flatMap(({ curves }) => [...curves.training, ...curves.validation, ...curves.test]);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  const log = least > 0 && most / least > 30;
  return study.variants
    .filter(({ curves }) => curves.training.length > 1)
    .map((v) => {
      const points = (values: readonly number[]): Point[] => values.map((y, i) => [i + 1, y]);
      return {
        title: study.vary === null ? 'loss' : `loss, ${nameOf(study, v)}`,
        x: { label: 'epoch' },
        y: { log, from: log ? least : Math.min(0, least), to: most },
        curves: [
          { name: 'training', color: 0, points: points(v.curves.training) },
          ...(v.curves.validation.length > 0
            ? [{ name: 'validation', color: 1, points: points(v.curves.validation) }]
            : []),
          { name: 'test', color: 2, points: points(v.curves.test) },
        ],
        marks: v.bestEpoch === null ? [] : [{ x: v.bestEpoch, label: 'best' }],
      };
    });
}

export function studyFigure(study: StudyRecord): string | null {
  const panels = studyPanels(study);
  return panels.length === 0
    ? null
    : figure(panels, { title: `study of ${study.program}`, columns: Math.min(3, panels.length) });
}

export function curveFigure(study: StudyRecord): string | null {
  const panels = curvePanels(study);
  return panels.length === 0
    ? null
    : figure(panels, { title: `losses of ${study.program}`, columns: Math.min(3, panels.length) });
}

function htmlTable(rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<table>${row(rows[0]!, 'th')}${rows
    .slice(1)
    .map((r) => row(r, 'td'))
    .join('')}</table>`;
}

export function studyHtml(study: StudyRecord): string {
  const title = `${study.program} · ${study.train} · study`;
  const decomposition = decompositionTable(study);
  const note =
    'reason' in study.decomposition
      ? `No decomposition: ${study.decomposition.reason}.`
      : `${study.decomposition.error}, ${study.decomposition.prediction} against ${study.decomposition.truth}. The parts are estimated on one half of the networks and targets, the error is measured on the other.`;
  const sections = [
    `<h2>Errors</h2>${studyFigure(study) ?? ''}${htmlTable(errorTable(study))}`,
    `<h2>Bias, variance, noise</h2><p>${escapeHtml(note)}</p>${decomposition.length > 0 ? htmlTable(decomposition) : ''}`,
    `<h2>Losses by epoch</h2>${curveFigure(study) ?? ''}<p>The test loss is drawn, and chooses nothing.</p>`,
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>body{font:15px system-ui,sans-serif;max-width:980px;margin:2em auto;padding:0 1em}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid #8884}svg{max-width:100%;height:auto}</style>
</head>
<body>
<h1>${escapeHtml(title)}</h1>
<p>${escapeHtml(summaryOf(study))}. Intervals: ${Math.round(study.confidence * 100)} %.</p>
${sections.join('\n')}
</body>
</html>
`;
}
