/**
 * Interleaved measurement. Contenders take turns, round by round, the order turned each round: a spell of noise meets all of them. Only ratios of
 * one run count. What a contender computes is compared before anything is timed.
 */

/** Value at a fraction of a sorted list, between neighbours by proportion. */
export function quantile(sorted, fraction) {
  const at = fraction * (sorted.length - 1);
  const low = Math.floor(at);
  return sorted[low] + (at - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
}

const short = (x) => Number(x.toPrecision(4));

export function summary(samples) {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (fraction) => short(quantile(sorted, fraction));
  return { median: at(0.5), quartile1: at(0.25), quartile3: at(0.75), best: at(0), samples: samples.map(short) };
}

/** Milliseconds of this process's own work: what others do on the machine counts less. Only where one thread computes. */
export const ownTime = () => process.cpuUsage().user / 1000;

/** Runs `run` for a while before it counts: engines compile hot code late. The value of its first call comes back. */
async function warm(run, milliseconds) {
  const first = await run();
  const end = performance.now() + milliseconds;
  while (performance.now() < end) await run();
  return first;
}

/**
 * `contenders`: [{ name, run, before? }]; `run` may be asynchronous and returns what it computed (a number), `before` is not timed.
 * A contender is left out of later rounds once it has had three samples and its share of the time.
 */
export async function interleave(
  contenders,
  { rounds = 15, warmup = 500, seconds = 10, sample = 20, clock = () => performance.now() } = {},
) {
  const states = [];
  for (const { name, run, before } of contenders) {
    await before?.();
    const value = await warm(run, warmup);
    const start = performance.now();
    await run();
    const once = performance.now() - start;
    states.push({ name, run, before, value, repeats: Math.max(1, Math.round(sample / once)), samples: [], spent: 0 });
  }
  for (let round = 0; round < rounds; round++) {
    for (const s of round % 2 === 0 ? states : [...states].reverse()) {
      if (s.samples.length >= 3 && s.spent > seconds * 1000) continue;
      await s.before?.();
      const start = clock();
      for (let i = 0; i < s.repeats; i++) await s.run();
      const spent = clock() - start;
      s.spent += spent;
      s.samples.push(spent / s.repeats);
    }
  }
  return states.map(({ name, value, samples }) => ({ name, value, milliseconds: summary(samples) }));
}

/** The same work, or no comparison. */
export function agree(workload, results, tolerance) {
  const reference = results.find((r) => r.value !== null && Number.isFinite(r.value));
  for (const r of results) {
    if (r.value === null) continue;
    const far = Math.abs(r.value - reference.value) > tolerance * Math.max(Math.abs(reference.value), 1e-3);
    if (!Number.isFinite(r.value) || far)
      throw new Error(`${workload}: ${r.name} computes ${r.value}, ${reference.name} ${reference.value}`);
  }
}
