/**
 * Times training steps of nnc's emitted JavaScript and of its peers: interleaved, in one process, on one thread. See README.md.
 *
 *   node readable/run.mjs [--only digits|mnist] [--rounds N] [--no-save]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import * as nnc from './nnc.mjs';
import * as tfjs from './tfjs.mjs';
import { workloads } from './workloads.mjs';

const { values: options } = parseArgs({
  options: { only: { type: 'string' }, rounds: { type: 'string' }, 'no-save': { type: 'boolean' } },
});

/** Value at a fraction of a sorted list, between neighbours by proportion. */
function quantile(sorted, fraction) {
  const at = fraction * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (fraction) => Number(quantile(sorted, fraction).toPrecision(4));
  return { median: at(0.5), quartile1: at(0.25), quartile3: at(0.75), best: at(0), samples: samples.map((x) => Number(x.toPrecision(4))) }; // prettier-ignore
}

/** Contenders that can run here; why the others cannot is said, not hidden. */
async function contenders() {
  const able = [];
  const absent = [];
  for (const contender of [nnc, tfjs]) {
    try {
      await contender.ready();
      able.push(contender);
    } catch (error) {
      absent.push({
        name: contender.name,
        why: String(error.message)
          .split('\n')[0]
          .replaceAll(/\/\S*\//g, '…/'),
      });
    }
  }
  return { able, absent };
}

async function measure(workload, able) {
  const rounds = Number(options.rounds ?? workload.rounds);
  const runs = [];
  for (const contender of able) {
    const start = performance.now();
    const step = await contender.prepare(workload);
    const losses = [];
    for (let i = 0; i < workload.warmup; i++) losses.push(step());
    runs.push({ contender, step, losses, start: performance.now() - start, samples: [] });
  }
  for (let round = 0; round < rounds; round++) {
    // Turn the order round by round: whoever runs second meets caches and heat of the first.
    for (const run of round % 2 === 0 ? runs : [...runs].reverse()) {
      const start = performance.now();
      for (let i = 0; i < workload.steps; i++) run.losses.push(run.step());
      run.samples.push((performance.now() - start) / workload.steps);
    }
  }
  // The same step, or no comparison: losses of the first steps agree, and all are numbers.
  for (const run of runs) {
    if (!run.losses.every(Number.isFinite))
      throw new Error(`${workload.name}: ${run.contender.name} has a loss that is no number`);
    for (let i = 0; i < Math.min(3, run.losses.length); i++) {
      const expected = runs.at(-1).losses[i];
      if (Math.abs(run.losses[i] - expected) > 1e-4 * Math.abs(expected)) {
        throw new Error(
          `${workload.name}: loss ${run.losses[i]} of ${run.contender.name} at step ${i + 1} is not ${expected}`,
        );
      }
    }
  }
  return {
    workload: workload.name,
    what: workload.what,
    stepsInSample: workload.steps,
    results: runs.map((run) => ({
      name: run.contender.name,
      version: run.contender.version,
      milliseconds: summary(run.samples),
      firstLoss: run.losses[0],
      lastLoss: run.losses.at(-1),
    })),
  };
}

function table(measured) {
  const rows = [['step', 'contender', 'median ms', 'quartiles', 'best', 'times nnc']];
  for (const { workload, results } of measured) {
    const own = results.find((r) => r.name === nnc.name)?.milliseconds.median;
    for (const { name, milliseconds: ms } of results) {
      const ratio = own === undefined ? '-' : (ms.median / own).toFixed(2);
      rows.push([workload, name, `${ms.median}`, `${ms.quartile1} - ${ms.quartile3}`, `${ms.best}`, ratio]);
    }
  }
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i])).join('  ')).join('\n');
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

/** Of the machine, over the last minute: others at work make a run doubtful. */
const load = () => Number(loadavg()[0].toFixed(1));

const { able, absent } = await contenders();
const loadBefore = load();
for (const { name, why } of absent) console.log(`${name} does not run here: ${why}`);
const measured = [];
for (const workload of workloads) {
  if (options.only !== undefined && options.only !== workload.name) continue;
  measured.push(await measure(workload, able));
}
if (measured.length === 0) {
  console.error(`no workload is called ${options.only}; there are ${workloads.map((w) => w.name).join(', ')}`);
  process.exit(2);
}
console.log(table(measured));

if (!options['no-save']) {
  const time = new Date().toISOString();
  const record = {
    time,
    node: process.version,
    processor: cpus()[0]?.model ?? 'unknown',
    threads: 1,
    load: { before: loadBefore, after: load() },
    absent,
    measured,
  };
  const text = JSON.stringify(record, null, 2).replaceAll(/^( *)(.*)\[([\d.,\s]+)\]/gm, packed);
  const folder = new URL('../results/', import.meta.url);
  mkdirSync(folder, { recursive: true });
  const file = `${time.slice(0, 10)}-${measured.map((m) => m.workload).join('-')}${absent.length > 0 ? '-partial' : ''}.json`;
  writeFileSync(new URL(file, folder), `${text}\n`);
  console.log(`saved results/${file}`);
}
