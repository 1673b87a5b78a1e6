/** The record of a whole run as the tables of docs/performance.md. */

const short = (x) => (x >= 100 ? x.toFixed(0) : x >= 10 ? x.toFixed(1) : x.toPrecision(3));
const table = (head, rows) => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Medians of `nnc wasm`, and how many times as long the others take. */
function peers({ measured }) {
  const names = [...new Set(measured.flatMap((w) => w.results.map((r) => r.name)))].filter((n) => n !== 'nnc wasm');
  const rows = measured.map((w) => {
    const own = w.results.find((r) => r.name === 'nnc wasm')?.milliseconds;
    if (own === undefined) return null;
    const rate = w.unit === 'ms' ? `${short(own.median)} ms` : `${short(w.work / own.median)} ${w.unit}`;
    const spread = `${Math.round((100 * (own.quartile3 - own.quartile1)) / own.median)} %`;
    const others = names.map((name) => {
      const other = w.results.find((r) => r.name === name)?.milliseconds;
      return other === undefined ? '' : short(other.median / own.median);
    });
    return [w.name, rate, spread, ...others];
  });
  return table(['work', 'nnc `wasm`', 'quartiles', ...names.map((n) => n.replace(/^nnc (.*)$/, 'nnc `$1`'))], rows.filter((r) => r !== null)); // prettier-ignore
}

function once({ weight, start, compiling }) {
  const rows = [
    ...(weight ?? []).map((r) => ['module, gzip', r.name, r.bytes === null ? '-' : `${(r.bytes / 1024).toFixed(1)} KiB`]),
    ...(start ?? []).map((r) => ['first result over an empty Node', r.name, r.why === undefined ? `${r.over} ms` : 'does not run']),
    ...(compiling ?? []).map((r) => ['GPT-2 training step compiled, cold', r.name, `${short(r.milliseconds.median)} ms`]),
  ]; // prettier-ignore
  return rows.length === 0 ? null : table(['paid once', '', ''], rows);
}

const threads = (rows) =>
  table(
    ['two threads', 'one', 'two', 'times as fast'],
    rows.map((r) => [r.name, `${short(r.one.median)} ms`, `${short(r.two.median)} ms`, r.times.toFixed(2)]),
  );

const attention = (rows) =>
  table(
    [`attention, ${rows[0].length} places`, 'median', 'all memory', 'for scores'],
    rows.map((r) => [
      r.name,
      `${short(r.median)} ms`,
      `${(r.memory / 1e6).toFixed(1)} MB`,
      `${(r.scores / 1e6).toFixed(2)} MB`,
    ]),
  );

const memory = (rows) =>
  table(
    ['GPT step within', 'of all', 'median', 'times as long', 'expected'],
    rows.map((r) => [`${(r.bytes / 1e6).toFixed(1)} MB`, r.share.toFixed(2), `${short(r.median)} ms`, r.times.toFixed(2), r.expected.toFixed(2)]),
  ); // prettier-ignore

const size = (rows) => {
  // A small module has nothing that unpacks it.
  const parts = [...new Set(rows.flatMap((r) => r.parts.map((p) => p.part)))];
  const weight = (r, part) => r.parts.filter((p) => p.part === part).map((p) => (p.gzip / 1024).toFixed(1))[0] ?? '-';
  return table(
    ['module, gzip', 'whole', ...parts],
    rows.map((r) => [r.name, `${(r.gzip / 1024).toFixed(1)} KiB`, ...parts.map((part) => weight(r, part))]),
  );
};

export function markdown(record) {
  const { time, node, processor, commit, load } = record;
  const date = new Date(time).toLocaleDateString('en-GB', { day: 'numeric', month: 'long', year: 'numeric' });
  const parts = [
    `\`node bench/all.mjs\`, ${date}, ${processor}, Node ${node}, commit ${commit}, load ${load.before} before and ${load.after} after; one thread where nothing is said, interleaved, medians. With the peers: how many times as long they take (below 1: faster than \`wasm\`).`,
    record.measured === undefined ? null : peers(record),
    record.measured === undefined ? null : '![The products under the roofs of the machine](figures/roofline.svg)',
    once(record),
    record.threads === undefined ? null : threads(record.threads),
    record.attention === undefined ? null : attention(record.attention),
    record.memory === undefined ? null : memory(record.memory),
    record.size === undefined ? null : size(record.size),
  ];
  return parts.filter((p) => p !== null).join('\n\n');
}
