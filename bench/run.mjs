/**
 * Times nnc and its peers on the same work: interleaved, in one process, on one thread. See README.md.
 *
 *   node run.mjs [names or groups…] [--rounds N] [--seconds N] [--peers a,b] [--no-save | --out FILE]     everything
 *   node run.mjs --short [--update]                                            nnc alone against results/short.json
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { agree, interleave, ownTime } from './lib/measure.mjs';
import { yardstick } from './lib/yardstick.mjs';
import { jsonText, onceTables, table } from './lib/tables.mjs';
import { compiling, start, weight } from './workloads/once.mjs';

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    out: { type: 'string' },
    peers: { type: 'string' },
    'no-save': { type: 'boolean' },
    short: { type: 'boolean' },
    update: { type: 'boolean' },
  },
});

const workloads = (
  await Promise.all(['products', 'steps', 'gpt2'].map((name) => import(`./workloads/${name}.mjs`)))
).flatMap((module) => module.workloads);
const folder = new URL('./results/', import.meta.url);
const load = () => Number(loadavg()[0].toFixed(1));
const firstLine = (error) => String(error?.message ?? error).split('\n')[0].replaceAll(/\/\S*\//g, '…/'); // prettier-ignore

/** One workload: contenders that can run, agreement, samples. */
async function measure(workload, only, settings) {
  const absent = [];
  const list = await workload.contenders(async (all) => {
    const able = [];
    for (const [name, prepare] of Object.entries(all)) {
      if (only !== null && !only.includes(name)) continue;
      try {
        const contender = await prepare();
        if (contender !== null) able.push({ name, ...contender });
      } catch (error) {
        // Ours must run; why a peer does not is said, not hidden.
        if (name.startsWith('nnc')) throw error;
        absent.push({ name, why: firstLine(error) });
      }
    }
    return able;
  });
  if (settings.yardstick) list.push({ name: 'yardstick', run: yardstick });
  const results = await interleave(list, { seconds: workload.seconds ?? 10, ...settings });
  agree(workload.name, results, workload.tolerance);
  const { name, group, what, unit, work } = workload;
  return { name, group, what, unit, ...(work === undefined ? {} : { work }), absent, results };
}

async function full() {
  const only = options.peers === undefined ? null : ['nnc wasm', 'nnc ts', ...options.peers.split(',')];
  const wanted = (w) => names.length === 0 || names.includes(w.name) || names.includes(w.group);
  const once = { weight, start, compiling };
  const known = [...workloads.flatMap((w) => [w.name, w.group]), ...Object.keys(once)];
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`nothing is called ${unknown}; there are ${[...new Set(known)].join(', ')}`);
    process.exit(2);
  }
  const record = { time: new Date().toISOString(), node: process.version, processor: cpus()[0]?.model ?? 'unknown', threads: 1, load: { before: load() } }; // prettier-ignore
  const measured = [];
  for (const workload of workloads.filter(wanted)) {
    measured.push(
      await measure(workload, only, {
        ...(options.rounds === undefined ? {} : { rounds: Number(options.rounds) }),
        ...(options.seconds === undefined ? {} : { seconds: Number(options.seconds) }),
      }),
    );
    console.log(`${table(measured.slice(-1))}\n`);
  }
  const paid = {};
  for (const [name, run] of Object.entries(once)) if (names.length === 0 || names.includes(name)) paid[name] = run();
  console.log(onceTables(paid));
  record.load.after = load();
  if (options['no-save']) return;
  mkdirSync(folder, { recursive: true });
  const label = names.length === 0 ? 'all' : names.join('-');
  const file = options.out ?? `${record.time.slice(0, 10)}-${label}.json`;
  writeFileSync(new URL(file, folder), jsonText({ ...record, measured, ...paid }));
  console.log(`saved results/${file}`);
}

/** Few workloads, no peers: ratios over the yardstick, against those kept. Exit 1 when one has fallen by more than a quarter, thrice. */
async function short() {
  const list = ['product-256x256x256', 'product-1x768x3072', 'step-mlp', 'step-lstm'];
  const settings = { rounds: 9, warmup: 400, seconds: 3, sample: 40, clock: ownTime, yardstick: true };
  const file = new URL('short.json', folder);
  const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).ratios : {};
  const ratios = {};
  for (const name of list) {
    const workload = workloads.find((w) => w.name === name);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const { results } = await measure(workload, ['nnc wasm', 'nnc ts'], settings);
      const unit = results.find((r) => r.name === 'yardstick').milliseconds.best;
      let fallen = false;
      for (const r of results) {
        if (r.name === 'yardstick') continue;
        const key = `${name}, ${r.name}`;
        const ratio = Number((unit / r.milliseconds.best).toPrecision(4));
        ratios[key] = Math.max(ratios[key] ?? 0, ratio);
        if (kept[key] !== undefined && ratios[key] < 0.75 * kept[key]) fallen = true;
      }
      if (!fallen) break;
    }
  }
  let failures = 0;
  for (const [key, ratio] of Object.entries(ratios)) {
    const before = kept[key];
    const bad = before !== undefined && ratio < 0.75 * before;
    if (bad) failures++;
    const change = before === undefined ? 'new' : `${Math.round((ratio / before - 1) * 100)} %`;
    console.log(
      `${bad ? 'FALLEN' : 'ok    '}  ${key.padEnd(32)} ${String(ratio).padEnd(8)} kept ${before ?? '-'}  ${change}`,
    );
  }
  if (options.update) {
    const record = { time: new Date().toISOString(), node: process.version, processor: cpus()[0]?.model ?? 'unknown' };
    writeFileSync(file, jsonText({ ...record, ratios }));
    console.log('saved results/short.json');
    return;
  }
  process.exitCode = failures > 0 ? 1 : 0;
}

await (options.short ? short() : full());
// Peers keep threads.
process.exit();
