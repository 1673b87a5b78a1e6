/**
 * All figures of docs/performance.md that need an idle machine, by one command: the peers (run.mjs), two threads, attention, bounded memory, weight of modules.
 * Under fifteen minutes on two cores. It says what it does, and goes on where a part fails.
 *
 *   node bench/all.mjs [--seconds 5] [--skip peers,threads,attention,memory,size,short] [--names product-256x256x256,weight,…]
 *
 * Leaves bench/results/DATE-all.json (every sample), renews bench/results/short.json, docs/figures/roofline.svg and, in docs/performance.md, what stands between
 * the lines `<!-- bench -->`. Then read `git diff`, and commit.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync, rmSync } from 'node:fs';
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { jsonText } from './lib/tables.mjs';
import { markdown } from './lib/markdown.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    skip: { type: 'string', default: '' },
    names: { type: 'string', default: '' },
  },
});
const skipped = new Set(options.skip.split(','));
const here = new URL('./', import.meta.url);
const at = (path) => new URL(path, here);
const began = performance.now();
mkdirSync(at('../docs/figures'), { recursive: true });
const say = (text) => console.log(`[${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s] ${text}`);
const node = (args, stdio) => execFileSync(process.execPath, args, { cwd: here, stdio, encoding: 'utf8', maxBuffer: 1 << 26 }); // prettier-ignore

for (const [path, how] of [
  ['../dist/compiler/index.js', 'npm ci && npm run build'],
  ['node_modules', 'cd bench && npm ci --ignore-scripts'],
])
  if (!existsSync(at(path))) {
    console.error(`${path} is missing: ${how}`);
    process.exit(2);
  }

const time = new Date().toISOString();
const date = time.slice(0, 10);
const load = () => Number(loadavg()[0].toFixed(1));
const before = load();
if (before > 1) say(`the load is ${before}: other work runs here, and the figures will not be worth keeping`);
const failed = [];
/** A part by its name; null where it is skipped or fails. */
const part = (name, what, run) => {
  if (skipped.has(name)) return null;
  say(what);
  try {
    return run();
  } catch (error) {
    failed.push(name);
    say(`${name} failed: ${String(error.message).split('\n')[0]}`);
    return null;
  }
};
const json = (script, ...args) => JSON.parse(node([script, ...args, '--json'], ['ignore', 'pipe', 'inherit']));

const peers = part('peers', 'products, steps, GPT-2, weight, start, compiling, beside the peers: eight minutes', () => {
  const file = `${date}-peers.json`;
  node(
    ['run.mjs', ...options.names.split(',').filter((n) => n !== ''), '--seconds', options.seconds, '--out', file],
    ['ignore', 'inherit', 'inherit'],
  );
  const found = JSON.parse(readFileSync(at(`results/${file}`), 'utf8'));
  rmSync(at(`results/${file}`));
  return found;
});
const threads = part('threads', 'two threads against one: one minute', () => json('wasm/threads.mjs'));
const attention = part('attention', 'attention of 4,096 places: half a minute', () => json('wasm/attention.mjs', '4096', '20')); // prettier-ignore
const memory = part('memory', 'a step within less memory: half a minute', () => json('wasm/memory.mjs', '20'));
const size = part('size', 'weight of modules by part', () => json('wasm/size.mjs', '--kernels', '8'));
part('short', 'the short form, kept anew: half a minute', () => node(['run.mjs', '--short', '--update'], ['ignore', 'inherit', 'inherit'])); // prettier-ignore

const versions = Object.fromEntries(
  Object.entries(JSON.parse(readFileSync(at('package.json'), 'utf8')).dependencies).map(([name, version]) => [name, version]),
); // prettier-ignore
const { measured, weight, start, compiling, node: version, processor } = peers ?? {};
const record = {
  time,
  node: version ?? process.version,
  processor: processor ?? 'unknown',
  commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: here, encoding: 'utf8' }).trim(),
  load: { before, after: load() },
  versions,
  ...(peers === null ? {} : { measured, weight, start, compiling }),
  ...Object.fromEntries(Object.entries({ threads, attention, memory, size }).filter(([, v]) => v !== null)),
};
const out = `results/${date}-all.json`;
writeFileSync(at(out), jsonText(record));
say(`bench/${out}`);

if (peers !== null)
  part('roofline', 'the roofline', () => node(['roofline.mjs', out, '../docs/figures/roofline.svg'], ['ignore', 'inherit', 'inherit'])); // prettier-ignore

const page = at('../docs/performance.md');
const text = readFileSync(page, 'utf8');
const [head, , tail] = text.split('<!-- bench -->\n');
if (tail === undefined) say('docs/performance.md has no two lines `<!-- bench -->`: no table');
else {
  writeFileSync(page, `${head}<!-- bench -->\n\n${markdown(record)}\n\n<!-- bench -->\n${tail}`);
  execFileSync(process.execPath, [at('../node_modules/prettier/bin/prettier.cjs').pathname, '--write', page.pathname, at(out).pathname, at('results/short.json').pathname], { stdio: 'ignore' }); // prettier-ignore
  say('the tables in docs/performance.md');
}
say(failed.length === 0 ? 'done' : `done, without ${failed.join(', ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
