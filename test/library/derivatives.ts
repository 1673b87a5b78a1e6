/**
 * Derivatives of the library up to the third order, of every function from one of its comparisons. L1 = sum(value * cot); L(k + 1) is the derivative of Lk along fixed
 * directions of the case's own tensors. The gradient of Lk by every tensor, layers' parameters among them, must be what differences of the gradient of L(k - 1) say (by the
 * evaluator in float64), and what a target emits must compute the same in f32. Not a test: the table in docs/library.md and the tests are made with it.
 */
import { compile, type Artifact, type CompileResult } from '../../compiler/index.ts';
import { evaluate } from '../../compiler/graph/evaluate.ts';
import type { Tensor } from '../../compiler/ops/record.ts';
import { loadModule, type Instance } from '../support/emitted.ts';
import { toTensor } from '../support/program.ts';
import { flat, groups, inputsOf, off, shapeOf, type Case, type Nested } from './cases.ts';

export const ORDERS = 3;

export type Weights = ReadonlyMap<
  string,
  { readonly dtype: 'f32'; readonly shape: readonly number[]; readonly data: Float32Array }
>;

/** One step of a train block on a target: its leaves afterwards. */
export type Runner = (
  artifact: Artifact,
  compiled: CompileResult,
  weights: Weights,
  inputs: Record<string, Int32Array | Float32Array>,
) => Promise<ReadonlyMap<string, { readonly data: ArrayLike<number> }>>;

const emitted =
  (target: 'ts' | 'wasm'): Runner =>
  async (artifact, _, weights, inputs) => {
    const module = await loadModule(artifact.modules.get(target)!.javascript);
    const net = (module[artifact.name] as { create(o: object): Instance }).create({ seed: 1, weights });
    net.step(inputs, { B: 1 });
    return net.weights();
  };

/** The targets that every machine has. */
export const RUNNERS: Readonly<Record<string, Runner>> = { ts: emitted('ts'), wasm: emitted('wasm') };

/** How many orders hold: by differences, and on each target. `why` says what stopped the first that does not. */
export interface Verified {
  readonly case: string;
  readonly orders: number;
  readonly targets: Readonly<Record<string, number>>;
  readonly why?: string;
}

/** What draws has no comparison with PyTorch; with one seed its draws are the same at every call. */
const drawn = (body: string): Case => ({
  group: 'random',
  name: body,
  body: `x |> layer: ${body}`,
  shape: [2, 3, 4],
  tensors: { x: numbers([2, 3, 4], 1), cot: numbers([2, 3, 4], 2) },
  ints: {},
  value: 0,
  gradients: {},
});

function numbers(shape: readonly number[], from: number): Nested {
  const [length, ...rest] = shape;
  if (length === undefined) return Math.sin(from);
  return Array.from({ length }, (_, k) => numbers(rest, from * 3.7 + k + 1));
}

const random = new Map(
  ['AlphaDropout', 'DropPath', 'Dropout', 'GaussianNoise', 'SpatialDropout'].map((n) => [n, drawn(`${n}(0.25)`)]),
);

/** The smallest comparison in which a function is what is called first. */
export function caseOf(name: string): Case | null {
  const drawing = random.get(name);
  if (drawing !== undefined) return drawing;
  const calls = new RegExp(`^(\\w+ \\|> layer: )?${name}\\b`);
  const makes = new RegExp(`let (layer|first) = ${name}\\b`);
  const word = new RegExp(`\\b${name}\\b`);
  const size = (c: Case): number => Object.values(c.tensors).reduce<number>((n, t) => n + flat(t).length, 0);
  const all = [...groups]
    .filter(([group]) => group !== 'second derivatives')
    .flatMap(([, cases]) => cases)
    .filter((c) => !c.name.includes(' far out') && !c.name.includes(' at 0'))
    .sort((a, b) => size(a) - size(b));
  return (
    all.find((c) => calls.test(c.body) || makes.test(c.more ?? '')) ??
    all.find((c) => word.test(c.body) || word.test(c.more ?? '')) ??
    null
  );
}

const ownOf = (c: Case): string[] => Object.keys(c.tensors).filter((path) => !path.includes('.') && path !== 'cot');

/** Along what it is moved. A layer of indices has no tensor of the case's own: it is moved along its weight, and of its derivatives only the first can be spoken of. */
const movedBy = (c: Case): string[] => (ownOf(c).length > 0 ? ownOf(c) : ['layer.weight']);
const ordersOf = (c: Case): number => (ownOf(c).length > 0 ? ORDERS : 1);

function programOf(c: Case): string {
  const own = ownOf(c);
  const ints = Object.entries(c.ints).map(([n, i]) => `${n}: i32[${shapeOf(i.value).join(', ')}] < ${i.below}`);
  const declare = (n: string, path: string): string => `param ${n}: float[${shapeOf(c.tensors[path]!).join(', ')}] = 0`;
  const shape = c.shape.length > 0 ? `[${c.shape.join(', ')}]` : '';
  const given = [...Object.keys(c.ints), 'on'];
  const along = (k: number): string =>
    own.map((path, n) => `  let g${k}_${n} = grad(l${k}, wrt: ${path})\n`).join('') +
    `  let l${k + 1} = ${own.map((_, n) => `sum(g${k}_${n} * along_${n})`).join(' + ')}\n`;
  const model = (order: number): string => `
model Case${order}(${[...ints, 'on: float[B]'].join(', ')}) -> float {
  ${[...own, 'cot'].map((p) => declare(p, p)).join('\n  ')}
  ${own.map((p, n) => declare(`along_${n}`, p)).join('\n  ')}
  ${c.more ?? ''}
  let value = ${c.body}
  let l1 = sum(shaped(value) * ${c.shape.length > 0 ? 'cot' : 'sum(cot)'})
${Array.from({ length: order - 1 }, (_, k) => along(k + 1)).join('')}  return l${order}
}
train Fit${order} {
  ${[...ints, 'on: float[B]'].map((i) => `input ${i}`).join('\n  ')}
  minimize Case${order}(${given.join(', ')})
  optimizer SGD(lr: 1)
  batch B = 1
}`;
  const orders = Array.from({ length: ordersOf(c) }, (_, k) => model(k + 1));
  return `fn shaped(y: float${shape}) -> float${shape} = y\n${orders.join('\n')}`;
}

type Leaves = ReadonlyMap<string, { readonly shape: number[]; readonly data: number[] }>;

/** Off the kinks, which lie at multiples of 1/64, and exact in f32. */
function leavesOf(c: Case): Map<string, { shape: number[]; data: number[] }> {
  const leaves = new Map<string, { shape: number[]; data: number[] }>();
  for (const [path, value] of Object.entries(c.tensors))
    leaves.set(path, {
      shape: shapeOf(value),
      data: flat(value).map((v, k) => Math.fround(path === 'cot' ? v : v + 0.0041 + 0.0007 * Math.sin(k + 1))),
    });
  for (const [path, s] of Object.entries(c.states ?? {}))
    leaves.set(path, { shape: shapeOf(s.before), data: flat(s.before).map(Math.fround) });
  movedBy(c).forEach((path, n) => {
    const { shape, data } = leaves.get(path)!;
    leaves.set(`along_${n}`, { shape, data: data.map((_, k) => Math.fround(Math.cos(2.3 * k + n))) });
  });
  return leaves;
}

interface Step {
  readonly loss: number;
  /** What every parameter loses: its gradient. */
  readonly gradient: ReadonlyMap<string, readonly number[]>;
}

function byEvaluator(artifact: Artifact, c: Case, leaves: Leaves): Step {
  const graph = artifact.unit.programs.get('step')!;
  const seed = toTensor(1, 'i32');
  const scope = new Map<string, Tensor>(evaluate(artifact.unit.programs.get('init')!, new Map([['seed', seed]]), {}));
  scope.set('seed', seed).set('step', toTensor(1, 'i32'));
  scope.set('on', toTensor([0], 'f32'));
  for (const [name, i] of Object.entries(c.ints))
    scope.set(name, { ...toTensor(i.value, 'i32'), sizes: shapeOf(i.value) });
  for (const [path, { shape, data }] of leaves)
    if (scope.has(path)) scope.set(path, { dtype: 'f32', sizes: shape, data: Float64Array.from(data) });
  const results = evaluate(graph, scope, { B: 1 });
  const params = new Set(artifact.unit.leaves.filter((l) => l.kind === 'param').map((l) => l.path));
  const gradient = new Map<string, number[]>();
  for (const output of graph.outputs) {
    if (output.updates === null || !params.has(output.updates)) continue;
    const before = scope.get(output.updates)!.data;
    gradient.set(
      output.updates,
      Array.from(results.get(output.name)!.data, (v, k) => before[k]! - v),
    );
  }
  return { loss: results.get('loss')!.data[0]!, gradient };
}

/** Moved along the directions by h. */
function moved(c: Case, leaves: Leaves, h: number): Leaves {
  const result = new Map(leaves);
  movedBy(c).forEach((path, n) => {
    const { shape, data } = leaves.get(path)!;
    const direction = leaves.get(`along_${n}`)!.data;
    result.set(path, { shape, data: data.map((v, k) => v + h * direction[k]!) });
  });
  return result;
}

/** Two central differences, the second with half the step, and their extrapolation to none (Richardson): good to the fourth power of the step. f32 through three derivatives loses some bits. */
const STEP = 1e-4;
const BY_DIFFERENCES = 2e-6;
const ON_TARGET = 2e-5;

/** Why the gradient of order k is not what differences of the one before say; empty where it is. */
function differ(c: Case, artifacts: readonly Artifact[], leaves: Leaves, order: number, here: Step): string {
  const before = artifacts[Math.max(0, order - 2)]!;
  const at = [STEP, -STEP, STEP / 2, -STEP / 2].map((h) => byEvaluator(before, c, moved(c, leaves, h)));
  const slope = (of: (s: Step) => number): number => {
    const [a, b, near, close] = at.map(of) as [number, number, number, number];
    return (4 * ((near - close) / STEP) - (a - b) / (2 * STEP)) / 3;
  };
  if (order === 1) {
    let along = 0;
    movedBy(c).forEach((path, n) => {
      const gradient = here.gradient.get(path);
      gradient?.forEach((g, k) => (along += g * leaves.get(`along_${n}`)!.data[k]!));
    });
    const by = slope((s) => s.loss);
    return off([along], [by], BY_DIFFERENCES) < 1 ? '' : `along the direction ${along}, by differences ${by}`;
  }
  for (const [path, gradient] of here.gradient) {
    if (path.startsWith('along_') || at[0]!.gradient.get(path) === undefined) continue;
    const by = gradient.map((_, k) => slope((s) => s.gradient.get(path)![k]!));
    const far = off(gradient, by, BY_DIFFERENCES);
    if (!(far < 1)) return `${path}: ${gradient.join(' ')}, by differences ${by.join(' ')}`;
  }
  return '';
}

function weightsOf(artifact: Artifact, leaves: Leaves): Weights {
  const paths = new Set(artifact.plan.leaves.map((l) => l.path));
  return new Map(
    [...leaves]
      .filter(([path]) => paths.has(path))
      .map(([path, { shape, data }]) => [path, { dtype: 'f32', shape, data: Float32Array.from(data) }]),
  );
}

/** Which parameter a target's step moved otherwise than the evaluator's; empty where none. */
function missed(after: ReadonlyMap<string, { readonly data: ArrayLike<number> }>, leaves: Leaves, here: Step): string {
  for (const [path, gradient] of here.gradient) {
    const before = leaves.get(path)!.data;
    const actual = Array.from(after.get(path)!.data, (v, k) => before[k]! - v);
    const far = off(actual, gradient, ON_TARGET);
    if (!(far < Math.max(1, ...before.map(Math.abs)))) return `${path}: ${actual.join(' ')} for ${gradient.join(' ')}`;
  }
  return '';
}

/** Verifies one function, on some targets. */
export async function verify(c: Case, runners: Readonly<Record<string, Runner>> = RUNNERS): Promise<Verified> {
  const compiled = compile(programOf(c), { path: 'derivatives.nn', bounds: { B: 1 }, targets: ['wasm'] });
  const wrong = compiled.reports.find((r) => r.severity === 'error');
  const held: Record<string, number> = Object.fromEntries(Object.keys(runners).map((target) => [target, 0]));
  if (wrong !== undefined) return { case: c.name, orders: 0, targets: held, why: `${wrong.code} ${wrong.message}` };
  const artifacts = Array.from({ length: ordersOf(c) }, (_, k) => compiled.artifacts.get(`Fit${k + 1}`)!);
  const leaves = leavesOf(c);
  let orders = 0;
  let why = '';
  for (let order = 1; order <= artifacts.length; order++) {
    const artifact = artifacts[order - 1]!;
    const here = byEvaluator(artifact, c, leaves);
    const stopped = differ(c, artifacts, leaves, order, here);
    if (stopped === '' && orders === order - 1) orders = order;
    why ||= stopped === '' ? '' : `order ${order}: ${stopped}`;
    for (const [target, run] of Object.entries(runners)) {
      const stop = missed(await run(artifact, compiled, weightsOf(artifact, leaves), inputsOf(c)), leaves, here);
      if (stop === '' && held[target] === order - 1) held[target] = order;
      why ||= stop === '' ? '' : `order ${order} on ${target}: ${stop}`;
    }
  }
  return { case: c.name, orders, targets: held, ...(why === '' ? {} : { why: why.slice(0, 300) }) };
}
