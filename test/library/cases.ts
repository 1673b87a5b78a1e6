/**
 * The comparisons of `fixtures/library/` as programs, for every target: all of a family in one text, one train block each. Every floating tensor is a parameter, and plain
 * gradient descent with rate 1 on sum(value * cot) subtracts from each its gradient; from `cot` it subtracts the value. So one step gives everything: set `leavesOf(c)`,
 * run `step` on `inputsOf(c)`, and hold the leaves against `problemsOf(c, after, relative)`. Not a runner: each target's suite has its own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { distance } from '../support/artifact.ts';

export type Nested = number | readonly Nested[];

export interface Case {
  readonly group: string;
  readonly name: string;
  /** An expression; the statements before it. */
  readonly body: string;
  readonly more?: string;
  readonly shape: readonly number[];
  /** By name, or by path where a layer makes the parameter itself. */
  readonly tensors: Readonly<Record<string, Nested>>;
  readonly ints: Readonly<Record<string, { readonly value: Nested; readonly below: number }>>;
  readonly value: Nested;
  readonly gradients: Readonly<Record<string, Nested>>;
  readonly states?: Readonly<Record<string, { readonly before: Nested; readonly after: Nested }>>;
  /** sum(value * cot) outside training, with the states as they were before. */
  readonly evaluated?: number;
}

export interface Run {
  readonly optimizer: string;
  readonly before: Nested;
  /** By the number of the step. */
  readonly after: Readonly<Record<string, Nested>>;
  /** How far PyTorch in float32 ends from PyTorch in float64. */
  readonly float32: number;
}

export interface Rates {
  readonly schedule: string;
  readonly rates: readonly number[];
  /** Of the validations after each step, where the schedule goes by them. */
  readonly losses?: readonly number[];
}

interface Family {
  readonly cases?: readonly Omit<Case, 'group'>[];
  readonly optimizers?: readonly Run[];
  readonly schedules?: readonly Rates[];
}

const folder = new URL('../fixtures/library/', import.meta.url);
const families = readdirSync(folder)
  .filter((f) => f.endsWith('.json'))
  .map((f): [string, Family] => [
    f.replace('.json', '').replaceAll('-', ' '),
    JSON.parse(readFileSync(new URL(f, folder), 'utf8')) as Family,
  ]);

/** Cases by family. */
export const groups: ReadonlyMap<string, readonly Case[]> = new Map(
  families.flatMap(([group, f]) => (f.cases ? [[group, f.cases.map((c) => ({ group, ...c }))]] : [])),
);

export const runs: readonly Run[] = families.flatMap(([, f]) => f.optimizers ?? []);
export const rates: readonly Rates[] = families.flatMap(([, f]) => f.schedules ?? []);

export function shapeOf(value: Nested): number[] {
  const shape: number[] = [];
  for (let v = value; typeof v !== 'number'; v = v[0]!) shape.push(v.length);
  return shape;
}

export const flat = (value: Nested): number[] => (typeof value === 'number' ? [value] : value.flatMap(flat));

/** One model and one train block (`Fit3`) for each case, by its place in the group. */
export function programOf(cases: readonly Case[]): string {
  return cases
    .map((c, k) => {
      const ints = Object.entries(c.ints).map(([n, i]) => `${n}: i32[${shapeOf(i.value).join(', ')}] < ${i.below}`);
      const own = Object.entries(c.tensors).filter(([path]) => !path.includes('.'));
      const params = own.map(([n, v]) => `param ${n}: float[${shapeOf(v).join(', ')}] = 0`);
      const shape = c.shape.length > 0 ? `[${c.shape.join(', ')}]` : '';
      return `
fn shaped${k}(y: float${shape}) -> float${shape} = y
model Case${k}(${[...ints, 'on: float[B]'].join(', ')}) -> float {
  ${params.join('\n  ')}
  ${c.more ?? ''}
  let value = ${c.body}
  return sum(shaped${k}(value) * ${c.shape.length > 0 ? 'cot' : 'sum(cot)'})
}
train Fit${k} {
  ${[...ints, 'on: float[B]'].map((i) => `input ${i}`).join('\n  ')}
  minimize Case${k}(${[...Object.keys(c.ints), 'on'].join(', ')})
  optimizer SGD(lr: 1)
  batch B = 1
}`;
    })
    .join('\n');
}

/** The largest difference, of what is allowed: `relative` of the largest magnitude, and of 1. */
export function off(actual: ArrayLike<number>, expected: ArrayLike<number>, relative: number): number {
  const { gap, scale } = distance(actual, expected);
  return gap / (relative * Math.max(scale, 1));
}

/** A leaf before the step, and what the step does: the gradient (of `cot`: the value) that a parameter loses, or what a state becomes. */
export interface Expected {
  readonly before: number[];
  readonly change: number[];
  readonly trained: boolean;
}

/** What a case says of every leaf, by path. */
export function expectedOf(c: Case): Map<string, Expected> {
  const result = new Map<string, Expected>();
  for (const [path, tensor] of Object.entries(c.tensors)) {
    result.set(path, {
      before: flat(tensor),
      change: flat(path === 'cot' ? c.value : c.gradients[path]!),
      trained: true,
    });
  }
  for (const [path, s] of Object.entries(c.states ?? {})) {
    result.set(path, { before: flat(s.before), change: flat(s.after), trained: false });
  }
  return result;
}

/** The inputs of a case, without those that are not there. */
export const inputsOf = (c: Case): Record<string, Int32Array | Float32Array> => ({
  ...Object.fromEntries(Object.entries(c.ints).map(([name, i]) => [name, Int32Array.from(flat(i.value))])),
  on: Float32Array.of(0),
});

/** The leaves of a case before the step: what an instance is created with. A parameter that the function does not depend on may be missing in it. */
export function leavesOf(
  c: Case,
  paths: ReadonlySet<string>,
): Map<string, { dtype: 'f32'; shape: number[]; data: Float32Array }> {
  return new Map(
    [...expectedOf(c)]
      .filter(([path]) => paths.has(path))
      .map(([path, { before }]) => [
        path,
        { dtype: 'f32', shape: shapeOf(c.tensors[path] ?? c.states![path]!.before), data: Float32Array.from(before) },
      ]),
  );
}

/** What is wrong with the leaves after the step; `relative` is allowed of the largest magnitude in a tensor, and of 1. */
export function problemsOf(
  c: Case,
  after: ReadonlyMap<string, { readonly data: ArrayLike<number> }>,
  relative: number,
): string[] {
  const problems: string[] = [];
  for (const [path, { before, change, trained }] of expectedOf(c)) {
    const now = after.get(path)?.data;
    if (now === undefined) continue;
    const actual = trained ? before.map((v, at) => v - now[at]!) : Array.from(now);
    // What is left after subtracting from a large parameter has that parameter's rounding.
    const slack = Math.max(1, ...before.map(Math.abs));
    const far = off(actual, change, relative);
    if (!(far < slack))
      problems.push(`${path}: ${actual.join(' ')} for ${change.join(' ')} (${far} of what is allowed)`);
  }
  return problems;
}

/** What the optimizers descend: the same as `objective` in optimizers.py. */
export const descent = (optimizer: string): string => `
model Surface(on: float[B]) -> float {
  param w: float[3, 4] = 0
  let y[i, j] = (1 + 0.5 * i + 0.25 * j) * w[i, j] ^ 2 + 0.3 * sin(3 * w[i, j] + i)
  return sum(y)
}
train Fit {
  input on: float[B]
  minimize Surface(on)
  optimizer ${optimizer}
  batch B = 1
}`;

/** What descends a plane: each step loses the rate. */
export const pace = (schedule: string): string => `
model Plane(on: float[B]) -> float {
  param w: float[1] = 0
  return sum(w)
}
train Fit {
  input on: float[B]
  minimize Plane(on)
  optimizer SGD(lr: ${schedule})
  batch B = 1
}`;
