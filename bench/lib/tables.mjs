/** Text of results: tables for the terminal, JSON as the formatter would have it. */

/** A number of the workload's unit: milliseconds, or a rate. */
const shown = (w, ms) => (w.unit === 'ms' ? ms : Number((w.work / ms).toPrecision(3)));

function columns(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => String(row[i]).length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => String(cell).padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** The times ratio: how much longer a contender takes than `nnc wasm`. */
export function table(measured) {
  return measured
    .map((w) => {
      const own = w.results.find((r) => r.name === 'nnc wasm')?.milliseconds.median;
      const rows = [['', `median ${w.unit}`, 'quartiles', 'best', 'times nnc wasm']];
      for (const { name, milliseconds: ms } of w.results) {
        const ratio = own === undefined ? '-' : (ms.median / own).toFixed(2);
        rows.push([name, shown(w, ms.median), `${shown(w, ms.quartile1)} - ${shown(w, ms.quartile3)}`, shown(w, ms.best), ratio]); // prettier-ignore
      }
      const absent = w.absent.map(({ name, why }) => `${name} does not run here: ${why}`);
      return [`${w.name}: ${w.what}`, columns(rows), ...absent].join('\n');
    })
    .join('\n\n');
}

export function onceTables({ weight, start, compiling }) {
  const parts = [];
  if (weight)
    parts.push(
      'module, gzip',
      columns(weight.map((r) => [r.name, r.bytes === null ? '-' : `${(r.bytes / 1024).toFixed(1)} KiB`])),
    );
  if (start)
    parts.push('first result in a fresh process', columns(start.map((r) => [r.name, r.why ?? `${r.milliseconds.median} ms`, r.why ? '' : `+${r.over}`]))); // prettier-ignore
  if (compiling)
    parts.push('compiling the training step of GPT-2, cold', columns(compiling.map((r) => [r.name, `${r.milliseconds.median} ms`, `after loading in ${r.loading.median} ms`]))); // prettier-ignore
  return parts.join('\n');
}

/** A list of numbers of the JSON text, filled into lines of 120 as the formatter would. */
function packed(_, indent, head, list) {
  const numbers = list.trim().split(/,\s*/);
  const single = `${indent}${head}[${numbers.join(', ')}]`;
  // Behind it a comma may stand.
  if (single.length < 120) return single;
  const lines = [''];
  for (const number of numbers) {
    const line = lines.at(-1);
    if (line !== '' && indent.length + 2 + line.length + number.length + 2 > 120) lines.push(`${number},`);
    else lines[lines.length - 1] = line === '' ? `${number},` : `${line} ${number},`;
  }
  const body = lines.map((line) => `${indent}  ${line}`).join('\n');
  return `${indent}${head}[\n${body.slice(0, -1)}\n${indent}]`;
}

export const jsonText = (record) =>
  `${JSON.stringify(record, null, 2).replaceAll(/^( *)(.*)\[([\d.,\s]+)\]/gm, packed)}\n`;
