/** docs/learn: every program compiles, every figure and file that a page names is there, and figures are what compiled programs compute. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compile } from '../../compiler/index.ts';
import { instantiate, type ResultTensor } from '../../cli/artifact.ts';

const folder = 'docs/learn';
const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
const bounds = { B: 4, N: 9, T: 8, S: 8 };

describe('pages', () => {
  for (const page of pages) {
    const text = readFileSync(join(folder, page), 'utf8');
    it(`${page}: programs compile`, () => {
      for (const [, mark, program] of text.matchAll(/^```nn(.*)\n([\s\S]*?)^```$/gm)) {
        const { reports } = compile(program!, { bounds });
        const codes = reports.filter((r) => r.severity === 'error').map((r) => `${r.code}: ${r.message}`);
        if (mark!.trim() === '') expect(codes).toEqual([]);
        else expect(codes[0]).toContain(mark!.trim());
      }
    });
    it(`${page}: what it links to is there`, () => {
      for (const [, target] of text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
        if (!/^https?:/.test(target!))
          expect(existsSync(join(dirname(join(folder, page)), target!)), target).toBe(true);
    });
  }
  it('show every figure, and the index names every page', () => {
    const all = pages.map((page) => readFileSync(join(folder, page), 'utf8')).join('\n');
    for (const name of readdirSync(join(folder, 'figures'))) expect(all, name).toContain(`figures/${name}`);
    const index = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const page of pages) if (page !== 'README.md') expect(index, page).toContain(`(${page})`);
  });
});

describe('programs of the notes', () => {
  const load = async (file: string, name: string) => {
    const { artifacts, reports } = compile(readFileSync(join(folder, file), 'utf8'), {
      only: name,
      bounds: { N: 5, B: 1 },
    });
    expect(reports.filter(({ severity }) => severity === 'error')).toEqual([]);
    return instantiate(artifacts.get(name)!, 'ts');
  };
  it('give activations and their derivatives, by hand at five places', async () => {
    const x = Float32Array.of(-2, -0.5, 0.25, 1, 3);
    const result = (await load('activations.nn', 'Activations')).forward({ x }) as Readonly<
      Record<string, ResultTensor>
    >;
    const near = (name: string, f: (v: number) => number): void =>
      x.forEach((v, i) => expect(result[name]!.data[i], `${name}(${v})`).toBeCloseTo(f(v), 5));
    const s = (v: number): number => 1 / (1 + Math.exp(-v));
    near('sigmoid', s);
    near('sigmoid_slope', (v) => s(v) * (1 - s(v)));
    near('heaviside_slope', () => 0);
    near('silu_slope', (v) => s(v) * (1 + v * (1 - s(v))));
    near('softplus_slope', s);
    near('elu_slope', (v) => (v > 0 ? 1 : Math.exp(v)));
    near('glu', (v) => v * s(v));
    near('softmax_first', (v) => Math.exp(v) / (Math.exp(v) + 1 + Math.exp(-1)));
    for (const name of Object.keys(result)) expect([...result[name]!.data].every(Number.isFinite), name).toBe(true);
  });
  it('show where the cross-entropy from probabilities ends and that from logits does not', async () => {
    const unit = await load('losses.nn', 'Losses');
    const at = (x: number) =>
      ({ ...unit.forward({ x: Float32Array.of(x), y: Float32Array.of(1) }) }) as Record<string, number>;
    expect(at(-3)['from_probs']).toBeCloseTo(at(-3)['from_logits']!, 5);
    expect(at(-100)).toMatchObject({
      from_logits: 100,
      from_logits_slope: -1,
      from_probs: Infinity,
      from_probs_slope: 0,
    });
  });
});
