/** The translator's two halves, `Read` and `Write`, are `Translate` with its keys and values kept: the same logits word by word, and the same translations. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Stream } from '../../analysis/random.ts';
import { search, type SearchOptions } from '../../analysis/text/search.ts';
import { pairDecoder, pairOf, wholeDecoder, wholeOf } from '../../cli/text/decoders.ts';
import { checkedProgram, openProject } from '../../cli/project.ts';
import { nodeIo } from '../../cli/io.ts';
import { compile } from '../../compiler/index.ts';
import type { Callable } from '../../grammar/ast.ts';
import { instantiate } from '../support/emitted.ts';

const consts = { pieces: 37, width: 16, slots: 300 };
const file = resolve('examples/translation.nn');

/** Weights that make no place like another. */
async function drawn() {
  const options = { only: 'Translate', consts, bounds: { B: 1, S: 4, T: 4 } };
  const { artifacts } = compile(readFileSync(file, 'utf8'), options);
  const unit = await instantiate(artifacts.get('Translate')!, 5);
  const draws = new Stream(3, 0);
  return new Map(
    [...unit.weights()].map(([path, tensor]) => [
      path,
      {
        dtype: 'f32' as const,
        shape: tensor.shape,
        data: Float32Array.from(tensor.data, (x) => x + 0.2 * draws.normal()),
      },
    ]),
  );
}

const sources = [
  [5, 9, 20, 3],
  [7, 7, 30, 31, 8, 12, 4],
  [19, 6],
];

async function decoders(target: 'ts' | 'wasm') {
  const project = openProject(nodeIo(), file);
  const { program } = checkedProgram(project, consts);
  const models = program.entry.ast.declarations.filter((d): d is Callable => d.kind === 'model');
  const wishes = {
    project,
    consts,
    weights: { weights: await drawn(), metadata: {} },
    path: 'drawn',
    target,
    batch: 3,
    longest: 7,
    beam: 4,
    most: 20,
    symbols: 37,
  };
  const whole = wholeOf(
    program,
    models.find(({ name }) => name.text === 'Translate')!,
  )!;
  return {
    whole: await wholeDecoder(whole, wishes),
    cached: await pairDecoder(pairOf(program, models)!, program, wishes),
  };
}

it('the caches grow in place: a step writes its own slots only, and copies nothing', () => {
  const options = { only: 'Write', consts, bounds: { N: 3, S: 7, B: 12, L: 21 } };
  const { plan } = compile(readFileSync(file, 'utf8'), options).artifacts.get('Write')!;
  expect(plan.leaves.filter(({ kind }) => kind === 'carry').map(({ path }) => path)).toEqual(
    [0, 1].flatMap((n) => ['keys', 'values'].map((name) => `decoder.${n}.decoder_layer.self.${name}`)),
  );
  const names = plan.programs['stream']!.steps.map((s) => (s.kind === 'call' ? plan.kernels[s.kernel]! : s.kind));
  expect(names.filter((name) => name.endsWith('_part')).length).toBe(4);
  expect(names).not.toContain('copy');
});

describe.each(['ts', 'wasm'] as const)('a cached translation, on %s', (target) => {
  const both = decoders(target);
  it('has the logits of one that computes every prefix anew, as hypotheses come, part and end', async () => {
    const { whole, cached } = await both;
    for (const beam of [1, 4]) {
      const [anew, kept] = [whole.following(sources), cached.following(sources)];
      let calls = 0;
      let most = 0;
      const rows = new Set<number>();
      const options: SearchOptions = { beam, most: 20, start: 1, stop: 2, barred: [0, 1], penalty: 0.6 };
      search(
        sources.length,
        (prefixes) => {
          const [a, b] = [anew(prefixes), kept(prefixes)];
          a.forEach((logits, i) => {
            for (let k = 0; k < logits.length; k++) most = Math.max(most, Math.abs(logits[k]! - b[i]![k]!));
          });
          calls++;
          rows.add(prefixes.length);
          return b;
        },
        options,
      );
      expect(most).toBeLessThan(1e-5);
      expect(calls).toBeGreaterThan(5);
      if (beam > 1) expect(rows.size).toBeGreaterThan(1);
    }
  });

  it('begins anew with other sentences', async () => {
    const { whole, cached } = await both;
    const options: SearchOptions = { beam: 3, most: 12, start: 1, stop: 2, barred: [0, 1], penalty: 0.6 };
    for (const batch of [sources.slice(1), sources.slice(0, 1), sources])
      expect(search(batch.length, cached.following(batch), options).map(({ ids }) => ids)).toEqual(
        search(batch.length, whole.following(batch), options).map(({ ids }) => ids),
      );
  });
});
