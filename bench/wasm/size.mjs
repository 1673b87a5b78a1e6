/**
 * What a module of the WebAssembly target weighs, and what of it: bytes, and gzip of the whole against the whole without the part. Then the functions of the
 * kernels, largest first. `node bench/wasm/size.mjs [file.nn name …] [--kernels N]`; without a file digits and the GPT of the benchmark.
 */
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { parseArgs } from 'node:util';
import { compileText, prepareAll, tell, WasmModule } from './build.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { kernels: { type: 'string' }, json: { type: 'boolean' } },
});
const gzip = (text) => gzipSync(text, { level: 9 }).length;
const number = (n) => n.toLocaleString('en-US').padStart(9);

/** Parts of the module's text, by the lines at which they begin. */
const PARTS = [
  ['WebAssembly', /^const (?:packed|bytes) = /m],
  ['memory', /^function allocate\(/m],
  ['plan', /^const (?:kept|plan) = /m],
  ['runtime', /^export class NncError/m],
  ['class', /^(?:export )?class \w+ extends Unit /m],
  ['unpacking', /^function predicted\(/m],
];

function partsOf(code) {
  const starts = [];
  let from = 0;
  for (const [name, pattern] of PARTS) {
    const at = code.slice(from).search(pattern);
    if (at < 0) continue;
    from += at;
    starts.push([name, from]);
    from++;
  }
  return starts.map(([name, at], k) => [name, code.slice(at, starts[k + 1]?.[1] ?? code.length)]);
}

function kernelsOf({ plan, kernels }) {
  const { joined, schedules } = prepareAll(plan, kernels);
  const empty = new WasmModule({ pages: 1, shared: false }).encode();
  return joined
    .map((kernel, k) => {
      const module = new WasmModule({ pages: 1, shared: false });
      module.kernel(kernel, false, schedules[k]);
      const bytes = module.encode();
      return { name: kernel.name, bytes: bytes.length - empty.length, gzip: gzip(bytes) - gzip(empty) };
    })
    .sort((a, b) => b.bytes - a.bytes);
}

const chosen = positionals.length > 0
  ? [{ source: readFileSync(positionals[0], 'utf8'), path: positionals[0], names: positionals.slice(1) }]
  : [
      { source: readFileSync(new URL('../../examples/digits.nn', import.meta.url), 'utf8'), path: 'digits.nn', names: ['Digits', 'Fit'] },
      { source: readFileSync(new URL('programs/gpt.nn', import.meta.url), 'utf8'), path: 'gpt.nn', names: ['GPT', 'Fit'] },
    ]; // prettier-ignore
const rows = [];
for (const { source, path, names } of chosen) {
  const { artifacts, ok, reports } = compileText(source, {
    path,
    targets: ['wasm'],
    packed: true,
    bounds: { B: 64, T: 64 },
  });
  if (!ok) throw new Error(JSON.stringify(reports));
  for (const [name, artifact] of artifacts) {
    if (names.length > 0 && !names.includes(name)) continue;
    const code = artifact.modules.get('wasm').javascript;
    const all = gzip(code);
    rows.push({
      name: `${path} ${name}`,
      characters: code.length,
      gzip: all,
      parts: partsOf(code).map(([part, text]) => ({
        part,
        characters: text.length,
        gzip: all - gzip(code.replace(text, () => '')),
      })),
      kernels: kernelsOf(artifact).slice(0, Number(values.kernels ?? 0)),
    });
  }
}
tell(rows, (r) =>
  [
    `${r.name}: ${number(r.characters)} characters, gzip ${number(r.gzip)} (${(r.gzip / 1024).toFixed(1)} KiB)`,
    ...r.parts.map((p) => `  ${p.part.padEnd(18)}${number(p.characters)}${number(p.gzip)}`),
    ...r.kernels.map((k) => `    ${k.name.padEnd(40)}${number(k.bytes)}${number(k.gzip)}`),
  ].join('\n'),
);
