/**
 * A step of training within less and less memory, interleaved with the step that keeps everything: what the plan takes, what its computing again costs. All
 * losses must be the same bits. `node bench/wasm/memory.mjs [seconds]`
 */
import { readFileSync } from 'node:fs';
import { compileText, given, inputs, interleaved, load, programs, tell } from './build.mjs';

const seconds = Number(given()[0] ?? 20);
const source = readFileSync(new URL('programs/gpt.nn', import.meta.url), 'utf8');
const build = (memory) => {
  const result = compileText(source, { only: 'Fit', bounds: programs.gpt, targets: ['wasm'], memory });
  if (!result.ok) throw new Error(JSON.stringify(result.reports));
  return result.artifacts.get('Fit');
};
const whole = build(undefined);
const { persistent, work } = whole.plan.arenas;
const artifacts = [whole, ...[0.75, 0.5, 0.33, 0.25].map((share) => build(persistent + Math.floor(share * work))), build('least')]; // prettier-ignore
const batch = inputs(whole.plan, programs.gpt);
const nets = [];
for (const a of artifacts) nets.push((await load(a.modules.get('wasm').javascript)).Fit.create({ seed: 1 }));
const losses = nets.map((net) => [1, 2, 3].map(() => net.step(batch, programs.gpt).loss).join());
if (new Set(losses).size !== 1) throw new Error(`the losses differ: ${losses.join(' | ')}`);
const times = interleaved(
  nets.map((net) => () => net.step(batch, programs.gpt)),
  { warmup: 1000, seconds },
);
const rows = artifacts.map(({ plan, recomputations }, k) => ({
  bytes: plan.arenas.work,
  share: Number((plan.arenas.work / work).toFixed(3)),
  ...times[k],
  times: Number((times[k].median / times[0].median).toFixed(3)),
  expected: Number((1 + (recomputations.find((r) => r.program === 'Fit.step')?.share ?? 0)).toFixed(3)),
}));
tell(
  rows,
  (r) =>
    `${(r.bytes / 1e6).toFixed(1)} MB to work in (${r.share.toFixed(2)} of all): ${r.median.toFixed(1)} ms, ${r.least.toFixed(1)} at best, ` +
    `${r.times.toFixed(2)} times as long; expected ${r.expected.toFixed(2)}`,
);
