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
  it('give losses of classes, of vectors and of sequences, by hand', async () => {
    const build = async (only: string, bounds: Record<string, number>) => {
      const { artifacts, reports } = compile(readFileSync('docs/learn/losses.nn', 'utf8'), { only, bounds });
      expect(reports.filter(({ severity }) => severity === 'error')).toEqual([]);
      return instantiate(artifacts.get(only)!, 'ts');
    };
    const logits = [2, -1, 0.5, 0, 1, -2];
    const other = [0.3, 0.1, -1, 2, 0, 1];
    const label = [1, 0];
    const probs = (z: readonly number[]): number[] => {
      const e = z.map(Math.exp);
      return e.map((v) => v / e.reduce((a, b) => a + b, 0));
    };
    const rows = [0, 1].map((b) => ({
      p: probs(logits.slice(3 * b, 3 * b + 3)),
      q: probs(other.slice(3 * b, 3 * b + 3)),
      y: label[b]!,
    }));
    const mean = (f: (row: (typeof rows)[number]) => number): number => (f(rows[0]!) + f(rows[1]!)) / 2;
    const plain = mean(({ p, y }) => -Math.log(p[y]!));
    const classes = (await build('Classes', { B: 2, C: 3 })).forward({
      logits: Float32Array.from(logits),
      other: Float32Array.from(other),
      label: Int32Array.from(label),
    }) as Readonly<Record<string, number>>;
    for (const name of ['indices', 'one_hot', 'from_probs', 'likelihood'])
      expect(classes[name], name).toBeCloseTo(plain, 5);
    const spread = mean(({ p }) => -p.reduce((sum, v) => sum + Math.log(v), 0) / 3);
    expect(classes['smoothed']).toBeCloseTo(0.9 * plain + 0.1 * spread, 5);
    expect(classes['ignoring']).toBeCloseTo(-Math.log(rows[0]!.p[1]!), 5);
    expect(classes['weighted']).toBeCloseTo((-2 * Math.log(rows[0]!.p[1]!) - Math.log(rows[1]!.p[0]!)) / 3, 5);
    expect(classes['focused']).toBeCloseTo(
      mean(({ p, y }) => -((1 - p[y]!) ** 2) * Math.log(p[y]!)),
      5,
    );
    expect(classes['divergence']).toBeCloseTo(
      mean(({ p, q }) => q.reduce((sum, v, c) => sum + v * Math.log(v / p[c]!), 0)),
      5,
    );

    const [x, y, z] = [
      [1, 0, 0, 2],
      [1, 1, 2, 0],
      [3, 0, 0, 1],
    ];
    const vectors = (await build('Vectors', { B: 2, D: 2 })).forward({
      x: Float32Array.from(x!),
      y: Float32Array.from(y!),
      z: Float32Array.from(z!),
      together: Float32Array.of(1, -1),
    }) as Readonly<Record<string, number>>;
    // The first pair at 45 degrees, the second at right angles.
    expect(vectors['cosine']).toBeCloseTo((1 - Math.SQRT1_2) / 2, 5);
    expect(vectors['triplet']).toBeCloseTo((Math.max(0, 1 - 2 + 1) + Math.sqrt(8) - 1 + 1) / 2, 4);
    expect(vectors['contrast']).toBeCloseTo((0.5 * 1 + 0) / 2, 4);

    // Three frames, one label: every way of saying it once, with blanks around and repetitions merged.
    const heard = [0.2, 1, -0.3, 0.4, -1, 0.1];
    const frames = [0, 1, 2].map((t) => probs(heard.slice(2 * t, 2 * t + 2)));
    let sum = 0;
    for (let path = 0; path < 8; path++) {
      const said = [0, 1, 2].map((t) => (path >> t) & 1);
      if (said.join('').replace(/1+/g, '1').replace(/0/g, '') === '1')
        sum += said.reduce((product, symbol, t) => product * frames[t]![symbol]!, 1);
    }
    const sizes = { B: 1, T: 3, V: 2, L: 1 };
    const inputs = {
      logits: Float32Array.from(heard),
      label: Int32Array.of(1),
      frames: Int32Array.of(3),
      length: Int32Array.of(1),
    };
    const ctc = (await build('Heard', sizes)).forward(inputs, sizes) as Readonly<Record<string, number>>;
    expect(ctc['aligned']).toBeCloseTo(-Math.log(sum), 5);
  });
  it('give positions: waves and slopes by hand, rotary products by distance alone', async () => {
    const [T, E] = [7, 8];
    const { artifacts } = compile(readFileSync('docs/learn/positions.nn', 'utf8'), {
      only: 'Positions',
      bounds: { T, E },
    });
    const unit = await instantiate(artifacts.get('Positions')!, 'ts');
    const query = Float32Array.from({ length: E }, (_, e) => Math.sin(e + 1));
    const key = Float32Array.from({ length: E }, (_, e) => Math.cos(3 * e));
    const results = unit.forward({ query, key }, { T, E }) as Readonly<Record<string, ResultTensor>>;
    const at = (name: string, ...[i, j]: [number, number]): number =>
      results[name]!.data[i * results[name]!.shape.at(-1)! + j]!;
    expect(at('waves', 3, 2)).toBeCloseTo(Math.sin(3 / 10000 ** (2 / 8)), 5);
    expect(at('waves', 3, 5)).toBeCloseTo(Math.cos(3 / 10000 ** (4 / 8)), 5);
    expect(at('lowered', 2, 6)).toBeCloseTo(-4 / 16, 5);
    expect(at('lowered', T + 2, 6)).toBeCloseTo(-4 / 256, 5);
    for (let t = 1; t < T; t++)
      for (let s = 1; s < T; s++) expect(at('turned', t, s)).toBeCloseTo(at('turned', t - 1, s - 1), 5);
    expect(at('turned', 3, 1)).not.toBeCloseTo(at('turned', 1, 3), 3);
  });
});
