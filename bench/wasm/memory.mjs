/**
 * A step of training within less and less memory, interleaved with the step that keeps everything: what the plan takes, what its computing again costs. All
 * losses must be the same bits. `node bench/wasm/memory.mjs [seconds]`
 */
import { readFileSync } from 'node:fs';
import { compileText, inputs, interleaved, load, programs } from './build.mjs';

const seconds = Number(process.argv[2] ?? 20);
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
for (const [k, { plan, recomputations }] of artifacts.entries()) {
  const share = recomputations.find((r) => r.program === 'Fit.step')?.share ?? 0;
  const bytes = plan.arenas.work / 1e6;
  console.log(
    `${bytes.toFixed(1)} MB to work in (${(plan.arenas.work / work).toFixed(2)} of all): ${times[k].median.toFixed(1)} ms, ${times[k].least.toFixed(1)} at best, ` +
      `${(times[k].median / times[0].median).toFixed(2)} times as long; expected ${(1 + share).toFixed(2)}`,
  );
}
