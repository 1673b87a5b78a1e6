/** Contenders in turn, round by round: as many calls as fill the time, the median of the rounds. What fails is told, and the rest goes on. */
export const firstLines = (error) =>
  String(error instanceof Error ? error.message : error)
    .split('\n')
    .slice(0, 2)
    .join(' ')
    .slice(0, 240);

export async function attempt(what, work) {
  try {
    return await work();
  } catch (error) {
    console.log(`${what}: ${firstLines(error)}`);
    return null;
  }
}

async function filled(run, milliseconds) {
  const begun = performance.now();
  let count = 0;
  let time = 0;
  do {
    await run();
    count++;
    time = performance.now() - begun;
  } while (time < milliseconds && count < 2000);
  return time / count;
}

/**
 * `contenders`: name → promise of { run, per, value?, close? }: `run` does `per` pieces of work, and gives a number that all must agree on within `tolerance`.
 * Gives name → milliseconds a piece.
 */
export async function compare(what, contenders, { milliseconds, tolerance, rounds }) {
  const able = [];
  let reference = null;
  for (const [name, prepare] of Object.entries(contenders)) {
    await attempt(`${what}: ${name} cannot`, async () => {
      const made = await prepare();
      if (made === null) return;
      const value = await made.run();
      await made.run();
      if (value !== null && reference !== null) {
        const off = Math.abs(value - reference.value) / Math.abs(reference.value);
        if (!(off <= (made.tolerance ?? tolerance)))
          throw new Error(`computes ${value}, where ${reference.name} computes ${reference.value}`);
      }
      if (value !== null) reference ??= { name, value };
      able.push({ name, per: 1, ...made, samples: [] });
    });
  }
  for (let round = 0; round < rounds; round++)
    for (const c of round % 2 === 0 ? able : able.toReversed())
      await attempt(`${what}: ${c.name} fails`, async () =>
        c.samples.push((await filled(c.run, milliseconds)) / c.per),
      );
  for (const c of able) await c.close?.();
  const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];
  return Object.fromEntries(able.filter((c) => c.samples.length > 0).map((c) => [c.name, median(c.samples)]));
}
