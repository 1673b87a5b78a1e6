/** A comparison as text for the terminal, as heat maps, and as one HTML page. */
import { measures, type Measure } from '../../analysis/similarity.ts';
import { escapeHtml } from '../report/chart.ts';
import { heatMaps, type HeatMap } from '../report/figure.ts';
import type { CompareRecord } from './record.ts';

export const measureNames: Readonly<Record<Measure, string>> = {
  cka: 'linear CKA',
  cka_debiased: 'debiased CKA',
  neighbours: 'mutual nearest neighbours',
  procrustes: 'Procrustes',
};

const pText = (p: number): string => (p < 0.001 ? p.toExponential(0) : p.toFixed(3));

export function pairTable(record: CompareRecord): string[][] {
  const head = ['', '', ...measures.map((m) => measureNames[m]), ...measures.map((m) => `p ${measureNames[m]}`)];
  return [
    head,
    ...record.pairs.map(({ a, b, similarity, adjusted }) => [
      record.models[a]!.label,
      record.models[b]!.label,
      ...measures.map((m) => `${similarity[m].value.toFixed(3)} (chance ${similarity[m].chance.toFixed(3)})`),
      ...measures.map((m) => pText(adjusted[m]!)),
    ]),
  ];
}

const introduction = (record: CompareRecord): string =>
  `${record.models.length} models on ${record.rows} rows; ${record.neighbours} neighbours, ${record.permutations} permutations, seed ${record.seed}; p adjusted for ${record.pairs.length} pairs`;

export function compareText(record: CompareRecord): string {
  const rows = pairTable(record);
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const table = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  );
  const models = record.models.map(
    (m) =>
      `  ${m.label}: ${m.layer} of ${m.program}, ${m.width} wide, ${m.parameters.toLocaleString('en-US')} parameters`,
  );
  return `${introduction(record)}\n${models.join('\n')}\n\n${table.join('\n')}\n`;
}

/** One map for each measure, calibrated: 0 at chance, 1 the same. */
export function compareMaps(record: CompareRecord): HeatMap[] {
  const labels = record.models.map(({ label }) => label);
  return measures.map((measure) => {
    const values = labels.map((_, i) =>
      labels.map((_label, j) => {
        if (i === j) return 1;
        const pair = record.pairs.find(({ a, b }) => (a === i && b === j) || (a === j && b === i));
        return pair?.similarity[measure].calibrated ?? null;
      }),
    );
    return {
      title: `${measureNames[measure]}, above chance`,
      rows: labels,
      columns: labels,
      values,
      full: 1,
      format: (v) => v.toFixed(2),
    };
  });
}

export const compareFigure = (record: CompareRecord): string =>
  heatMaps(compareMaps(record), { title: 'Likeness of representations', columns: record.models.length > 8 ? 1 : 2 });

export function compareHtml(record: CompareRecord): string {
  const row = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  const rows = pairTable(record);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>nnc compare</title>
<style>body{font:15px system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{text-align:left;padding:3px 14px 3px 0;border-bottom:1px solid #8884}svg{max-width:100%;height:auto}</style>
</head>
<body>
<h1>Likeness of representations</h1>
<p>${escapeHtml(introduction(record))}.</p>
${compareFigure(record)}
<table>${row(rows[0]!, 'th')}${rows
    .slice(1)
    .map((r) => row(r, 'td'))
    .join('')}</table>
</body>
</html>
`;
}
