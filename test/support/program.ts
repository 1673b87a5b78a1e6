/** Runs small `.nn` programs through the front of the compiler and the evaluator: no kernels, no emitted code. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { loadProgram } from '../../compiler/check/program.ts';
import { elaborate, type Elaborated } from '../../compiler/elaborate/elaborate.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Graph, Unit } from '../../compiler/graph/types.ts';
import type { Tensor } from '../../compiler/ops/record.ts';

const folder = join(import.meta.dirname, '../../library');
export const libraryTexts: Readonly<Record<string, string>> = Object.fromEntries(
  readdirSync(folder)
    .filter((f) => f.endsWith('.nn'))
    .map((f) => [f, readFileSync(join(folder, f), 'utf8')]),
);

export function elaborateText(text: string): Elaborated {
  const { program, problems } = loadProgram('test.nn', text, { read: () => null }, libraryTexts);
  if (problems.length > 0) throw new Error(problems.map((p) => `${p.code} ${JSON.stringify(p.data)}`).join('\n'));
  const result = elaborate(program);
  if (result.problems.length > 0)
    throw new Error(
      result.problems
        .map((p) => `${p.code} ${p.span === null ? '' : program.sources.place(p.span)} ${JSON.stringify(p.data)}`)
        .join('\n'),
    );
  return result;
}

/** Nested arrays → a tensor; whole numbers become i32 where asked. */
export function toTensor(value: unknown, dtype: 'f32' | 'i32' | 'bool'): Tensor {
  const sizes: number[] = [];
  for (let v = value; Array.isArray(v); v = v[0]) sizes.push(v.length);
  const flat = [value].flat(Infinity).map(Number);
  const data =
    dtype === 'f32' ? Float64Array.from(flat) : dtype === 'i32' ? Int32Array.from(flat) : Uint8Array.from(flat);
  return { dtype, sizes, data };
}

export function toNested(t: Tensor): unknown {
  const build = (axis: number, offset: number): unknown => {
    if (axis === t.sizes.length) return t.dtype === 'bool' ? t.data[offset] !== 0 : t.data[offset];
    const stride = t.sizes.slice(axis + 1).reduce((a, b) => a * b, 1);
    return Array.from({ length: t.sizes[axis]! }, (_, k) => build(axis + 1, offset + k * stride));
  };
  return build(0, 0);
}

/** Sizes read off the inputs where they stand alone. */
function sizesOf(
  unit: Unit,
  inputs: ReadonlyMap<string, Tensor>,
  given: Readonly<Record<string, number>>,
): Record<string, number> {
  const sizes: Record<string, number> = { ...given };
  for (const input of unit.inputs)
    input.type.sizes.forEach((s, k) => {
      if (/^\w+$/.test(s.key) && Number.isNaN(Number(s.key)))
        sizes[s.key] = inputs.get(input.name)?.sizes[k] ?? sizes[s.key]!;
    });
  return sizes;
}

export function initialLeaves(unit: Unit, seed = 1): Map<string, Tensor> {
  const init = unit.programs.get('init')!;
  const values = evaluate(init, new Map([['seed', toTensor(seed, 'i32')]]), {});
  return values;
}

export function runGraph(
  unit: Unit,
  graph: Graph,
  inputs: ReadonlyMap<string, Tensor>,
  sizes: Readonly<Record<string, number>> = {},
): Map<string, Tensor> {
  return evaluate(graph, inputs, sizesOf(unit, inputs, sizes));
}

/** The forward results of the first model of a program, as nested arrays. Inputs are typed as the model declares them. */
export function runModel(
  text: string,
  inputs: Readonly<Record<string, unknown>>,
  options: { readonly sizes?: Readonly<Record<string, number>>; readonly seed?: number } = {},
): Record<string, unknown> {
  const { units } = elaborateText(text);
  const unit = units[0]!;
  const tensors = initialLeaves(unit, options.seed);
  for (const input of unit.inputs)
    tensors.set(input.name, toTensor(inputs[input.name], input.type.dtype === 'f16' ? 'f32' : input.type.dtype));
  tensors.set('seed', toTensor(options.seed ?? 1, 'i32'));
  tensors.set('step', toTensor(1, 'i32'));
  const result = runGraph(unit, unit.programs.get('forward')!, tensors, options.sizes);
  return Object.fromEntries([...result].map(([name, t]) => [name, toNested(t)]));
}
