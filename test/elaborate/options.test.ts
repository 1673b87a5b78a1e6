/** Options of `compile` that cannot be are reports, not exceptions and not silence. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compile, type CompileOptions } from '../../compiler/index.ts';

const digits = readFileSync('examples/digits.nn', 'utf8');
const codes = (options: CompileOptions): string[] =>
  compile(digits, options).reports.map((r) => `${r.code} ${r.message}`);

describe('options', () => {
  it('bounds are whole numbers from 1', () => {
    for (const B of [0, -3, 2.5, NaN])
      expect(codes({ bounds: { B } })).toEqual([`NN792 the option bounds.B is ${B}, not a whole number from 1`]);
  });
  it('consts are those of the file', () => {
    expect(codes({ consts: { width: 3 } })).toEqual([
      'NN792 the option consts.width is given, not a const of the file (it has none)',
    ]);
  });
  it('targets are those that there are', () => {
    expect(codes({ targets: ['gpu'] as unknown as NonNullable<CompileOptions['targets']> })).toEqual([
      'NN792 the option targets is `gpu`, not one of ts, wasm, wgsl, auto',
    ]);
  });
  it('a bound may be greater than the batch of the source', () => {
    const plan = compile(digits, { only: 'Fit', bounds: { B: 200 } }).artifacts.get('Fit')!.plan;
    expect(plan.sizes).toEqual([{ name: 'B', bound: 200 }]);
  });
  it('a semicolon may stand after the last statement', () => {
    expect(
      compile('model M(x: float[B, 2]) -> float[B, 2] {\n  let y = x * 2;\n  return y;\n}\n', { bounds: { B: 2 } }).ok,
    ).toBe(true);
  });
});
