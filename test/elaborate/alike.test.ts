/** An update made after the pattern of another is the one that elaborating it gives, node by node, for every optimizer of the library. */
import { afterEach, expect, it, vi } from 'vitest';
import { Updates } from '../../compiler/elaborate/alike.ts';
import { print } from '../../compiler/graph/print.ts';
import { elaborateText, libraryTexts } from '../support/program.ts';

const optimizers = [...libraryTexts['optimizers.nn']!.matchAll(/^optimizer (\w+)/gm)].map((m) => m[1]!);

const text = (uses: string): string => `
model M(x: f32[B, 4]) = x |> Linear(6) |> tanh |> Linear(6) |> tanh |> Linear(6) |> Linear(4)

train Fit {
  input x: f32[B, 4]
  minimize mean[b, j] (M(x)[b, j] - x[b, j]) ^ 2
  ${uses}
  batch B = 8
}
`;

const cases = [
  ...optimizers.map((o) => `optimizer ${o}(lr: 0.01) for "*.weight"\n  optimizer Lion`),
  'optimizer Adam(lr: cosine(peak: 0.1, total: 50))\n  gradient |> clip_norm(1)',
  'optimizer SGD(lr: plateau(0.1), momentum: 0.9)\n  metric loss = mean[b, j] (M(x)[b, j] - x[b, j]) ^ 2',
  'optimizer Adam(decay: 0.1) for "*.weight"\n  optimizer SGD(lr: 0.1, momentum: 0.9)',
];

const all = (uses: string): string => {
  const unit = elaborateText(text(uses)).units.find((u) => u.name === 'Fit')!;
  const leaves = unit.leaves.map((l) => [l.path, l.kind, l.type.sizes.map((s) => s.key)]);
  return [...unit.programs.values()].map((g) => print(g)).join('\n') + JSON.stringify(leaves);
};

afterEach(() => vi.restoreAllMocks());

it.each(cases)('%s', (uses) => {
  const alike = all(uses);
  vi.spyOn(Updates.prototype, 'run').mockImplementation((_cx, _optimizer, _periods, _path, _g, run) => run());
  expect(alike).toBe(all(uses));
});

it('what rests on the parameter otherwise is elaborated for each', () => {
  let runs = 0;
  const { run } = Updates.prototype;
  vi.spyOn(Updates.prototype, 'run').mockImplementation(function (
    this: Updates,
    cx,
    optimizer,
    periods,
    path,
    g,
    make,
  ) {
    run.call(this, cx, optimizer, periods, path, g, () => {
      runs++;
      make();
    });
  });
  const count = (uses: string): number => {
    runs = 0;
    all(uses);
    return runs;
  };
  // Of eight parameters in five shapes the first of each; of Rprop, whose slots begin with a number of the configuration, all.
  expect(count('optimizer Adam(lr: 0.01)')).toBe(5);
  expect(count('optimizer Rprop')).toBe(8);
});
