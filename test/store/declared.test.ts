/** `storage Model { … }`: read, printed, checked, and the same as rules of the build. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'prettier';
import { describe, expect, it } from 'vitest';
import * as plugin from '../../editor/prettier-plugin/index.ts';
import { checkSource, compile } from '../../compiler/index.ts';
import { parse } from '../../grammar/parse.ts';
import { encode } from '../../runtime/safetensors.ts';
import { folder, nnc } from '../cli/support.ts';

const net = `model Net(x: float[B, 64]) -> float[B, 10] {
  h: repeat 2 { x = x |> l: Linear(64) |> relu }
  return x |> out: Linear(10)
}
`;
const declared = `${net}
storage Net {
  out.** = f32
  h.0.l.weight = int4:32
  ** = int8
}
`;
const train = `
train Fit {
  input x: float[B, 64]
  input y: i32[B] < 10
  minimize cross_entropy(Net(x), y)
  optimizer SGD(lr: 0.1)
  batch B = 8
}
`;
const bounds = { B: 8 };

const storedOf = (source: string, weights?: readonly string[]): Record<string, string> => {
  const result = compile(source, { only: 'Net', bounds, ...(weights === undefined ? {} : { weights }) });
  expect(result.reports.map((r) => r.message)).toEqual([]);
  return Object.fromEntries(
    result.artifacts
      .get('Net')!
      .plan.leaves.map((l) => [l.path, l.stored === undefined ? 'f32' : `${l.stored.as}:${l.stored.group}`]),
  );
};
const reportsOf = (source: string): string[] => checkSource(source).reports.map((r) => `${r.code} ${r.message}`);

describe('a storage declaration', () => {
  it('is what rules of the build are, first entry first', () => {
    const stored = storedOf(declared);
    expect(stored).toMatchObject({
      'h.0.l.weight': 'i4:32',
      'h.1.l.weight': 'i8:64',
      'out.weight': 'f32',
      'out.bias': 'f32',
    });
    expect(stored).toEqual(storedOf(net, ['out.**=f32', 'h.0.l.weight=int4:32', 'int8']));
    const code = (source: string, weights?: readonly string[]) =>
      compile(source, { only: 'Net', bounds, targets: ['wasm'], ...(weights && { weights }) }).artifacts.get('Net')!.modules.get('wasm')!.javascript; // prettier-ignore
    expect(code(declared)).toBe(code(net, ['out.**=f32', 'h.0.l.weight=int4:32', 'int8']));
  });

  it('gives way to rules of the build', () => {
    expect(storedOf(declared, ['f32'])).toEqual(storedOf(net));
    expect(storedOf(declared, ['h.1.**=f16'])).toMatchObject({ 'h.0.l.weight': 'i4:32', 'h.1.l.weight': 'f16:0' });
  });

  it('leaves training alone', () => {
    const result = compile(`${declared}${train}`, { only: 'Fit' });
    expect(result.reports.map((r) => r.message)).toEqual([]);
    expect(result.artifacts.get('Fit')!.plan.leaves.every((l) => l.stored === undefined)).toBe(true);
  });

  it('is printed as it is read', async () => {
    const loose = declared.replace('int4:32\n', '  int4:32 // four bits\n').replace('out.** =', 'out.**   =');
    const printed = await format(loose, { parser: 'nn', plugins: [plugin] });
    expect(printed).toContain('  out.** = f32\n  h.0.l.weight = int4:32 // four bits\n  ** = int8\n');
    expect(await format(printed, { parser: 'nn', plugins: [plugin] })).toBe(printed);
    const [, declaration] = parse({ id: 0, text: declared }).module.declarations;
    expect(declaration).toMatchObject({
      kind: 'storage',
      model: { text: 'Net' },
      entries: [
        { path: 'out.**', as: 'f32' },
        { path: 'h.0.l.weight', as: 'int4:32' },
        { path: '**', as: 'int8' },
      ],
    });
  });

  it('names a model, its parameters, and what there is', () => {
    const one = (entry: string, model = 'Net'): string[] => reportsOf(`${net}storage ${model} { ${entry} }`);
    expect(one('** = int8')).toEqual([]);
    expect(one('h.*.l.* = int8:16; h.1.** = f16')).toEqual([]);
    expect(one('out.weigth = int8')[0]).toMatch(/^NN720 .*did you mean `out.weight`/);
    expect(one('out.weight = int7')[0]).toMatch(/^NN728 .*`int7`/);
    expect(one('out.weight = int8:7')[0]).toMatch(/^NN728/);
    expect(one('out.weight = f16:2')[0]).toMatch(/^NN728/);
    expect(one('** = int8', 'Nat')[0]).toMatch(/^NN704/);
    expect(one('** = int8', 'relu')[0]).toMatch(/^NN712/);
    expect(one('out.weight int8')[0]).toMatch(/^NN006/);
    // `storage` stays a name elsewhere, and `**` a power of other languages.
    expect(reportsOf('model M(storage: float[B]) -> float[B] { return storage }')).toEqual([]);
    expect(reportsOf('model M(x: float[B]) -> float[B] { return x ** 2 }')[0]).toMatch(/^NN020/);
  });

  it('that cannot be so is shown where it stands', () => {
    const built = (entry: string) => {
      const source = `${net}storage Net { ${entry} }`;
      const result = compile(source, { only: 'Net', bounds });
      return result.reports.map((r) => `${r.severity} ${r.code} ${result.sources.text(r.span!)}`);
    };
    expect(built('out.weight = int8:14')).toEqual(['error NN794 out.weight = int8:14']);
    expect(built('out.bias = int8')).toEqual(['error NN794 out.bias = int8']);
    expect(built('** = int8; out.** = f16')).toEqual(['warning NN794 out.** = f16']);
  });
});

describe('nnc run --compare source', () => {
  it('tells what the declaration loses', async () => {
    const rows = Array.from({ length: 16 }, (_, r) =>
      Array.from({ length: 64 }, (_, k) => Math.sin(r * 64 + k)).join(','),
    );
    const head = Array.from({ length: 64 }, (_, k) => `x.${k}`).join(',');
    const cwd = folder({ 'n.nn': declared, 'd.csv': `${head}\n${rows.join('\n')}\n` });
    const tensor = (shape: number[]) => {
      const length = shape.reduce((a, b) => a * b, 1);
      return { dtype: 'F32' as const, shape, data: Float32Array.from({ length }, (_, k) => Math.sin(k * 0.7) / 8) };
    };
    const weights = new Map<string, ReturnType<typeof tensor>>();
    for (const k of [0, 1]) weights.set(`h.${k}.l.weight`, tensor([64, 64])).set(`h.${k}.l.bias`, tensor([64]));
    weights.set('out.weight', tensor([10, 64]));
    weights.set('out.bias', tensor([10]));
    writeFileSync(join(cwd, 'w.safetensors'), encode(weights));
    const run = await nnc(cwd, ['run', 'n.nn', '--weights', 'w.safetensors', '--data', 'd.csv', '--compare', 'source']);
    expect(run.code).toBe(0);
    expect(run.out).toMatch(/f32 against the storage of the source: 2 of 6 parameters and states stored smaller/);
    expect(run.out).toMatch(/output: largest difference 0\.0*[1-9]/);
  });
});
