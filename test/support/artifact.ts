/**
 * From a program's text to a running network, for tests: the one place that knows how `compile` answers and how emitted modules are called.
 * Tests speak of paths, tensors and losses only. Not a runtime: nothing is checked here that emitted code should check itself.
 */
import { readFileSync } from 'node:fs';
import { compile } from '../../compiler/index.ts';
import type { Plan } from '../../runtime/plan.ts';
import { decode, type Tensor } from '../../runtime/safetensors.ts';
import type { WeightTensor } from '../../runtime/weights.ts';

export type Tensors = ReadonlyMap<string, Tensor>;

/** A model that answers: inputs by name → its only result, row by row. Inputs that it does not have are left out. */
export interface Network {
  readonly forward: (inputs: Tensors) => Float32Array;
}

/** A network in training. */
export interface Training {
  /** One step on a batch; the loss before it. */
  readonly step: (inputs: Tensors) => number;
  /** Path → numbers, row by row; a copy. */
  readonly weights: () => Map<string, Float32Array>;
  /** Ends its threads. */
  readonly close: () => void;
}

export interface Options {
  readonly path?: string;
  /** Greatest values of sizes that the program leaves open. */
  readonly bounds?: Readonly<Record<string, number>>;
  readonly target?: 'ts' | 'wasm';
  readonly threads?: number;
}

// ------------------------------------------------------------------------------------------------------ what emitted modules look like

type Arrays = Record<string, Tensor['data']>;
type Sizes = Record<string, number>;

interface EmittedClass {
  readonly plan: Plan;
  readonly create: (options: {
    readonly weights?: ReadonlyMap<string, WeightTensor>;
    readonly threads?: number;
  }) => Emitted;
}

interface Emitted {
  readonly forward: (inputs: Arrays, sizes: Sizes) => Readonly<Record<string, { readonly data: Float32Array }>>;
  readonly step: (inputs: Arrays, sizes: Sizes) => { readonly loss: number };
  readonly weights: () => ReadonlyMap<string, WeightTensor>;
  readonly close?: () => void;
}

/** The class of a unit, out of the module that `compile` emitted for it. */
export async function load(source: string, unit: string, options: Options = {}): Promise<EmittedClass> {
  const { path = 'test.nn', bounds = { B: 8, T: 8 }, target = 'ts' } = options;
  const result = compile(source, { path, bounds, targets: [target] });
  if (!result.ok) {
    throw new Error(`${path} does not compile:\n${result.reports.map((r) => `${r.code} ${r.message}`).join('\n')}`);
  }
  const artifact = result.artifacts.get(unit);
  if (artifact === undefined) {
    throw new Error(`${path} has no unit ${unit}; it has ${[...result.artifacts.keys()].join(', ')}`);
  }
  const address = `data:text/javascript;base64,${Buffer.from(artifact.modules.get(target)!.javascript).toString('base64')}`;
  const module = (await import(/* @vite-ignore */ address)) as Readonly<Record<string, EmittedClass>>;
  const emitted = module[unit];
  if (emitted === undefined) throw new Error(`the module of ${unit} exports ${Object.keys(module).join(', ')}`);
  return emitted;
}

function given(tensors: Tensors): Map<string, WeightTensor> {
  return new Map(
    [...tensors].map(([path, { shape, data }]): [string, WeightTensor] => {
      if (!(data instanceof Float32Array)) throw new Error(`${path} is not f32`);
      return [path, { dtype: 'f32', shape, data }];
    }),
  );
}

/** What a program reads of some tensors: arrays, and the sizes that stand alone on an axis. */
function call(plan: Plan, program: string, inputs: Tensors): [Arrays, Sizes] {
  const arrays: Arrays = {};
  const sizes: Sizes = {};
  for (const { name, shape } of plan.inputs) {
    const tensor = inputs.get(name);
    if (plan.programs[program]?.inputs[name] === undefined || tensor === undefined) continue;
    arrays[name] = tensor.data;
    shape.forEach((extent, axis) => {
      if (typeof extent === 'string') sizes[extent] = tensor.shape[axis]!;
    });
  }
  return [arrays, sizes];
}

export async function network(source: string, unit: string, weights: Tensors, options: Options = {}): Promise<Network> {
  const emitted = await load(source, unit, options);
  const instance = emitted.create({ weights: given(weights) });
  return {
    forward: (inputs) => {
      const results = Object.values(instance.forward(...call(emitted.plan, 'forward', inputs)));
      if (results.length !== 1) throw new Error(`${unit} has ${results.length} results`);
      return results[0]!.data.slice();
    },
  };
}

export async function training(
  source: string,
  unit: string,
  weights: Tensors,
  options: Options = {},
): Promise<Training> {
  const emitted = await load(source, unit, options);
  const { threads } = options;
  const instance = emitted.create({ weights: given(weights), ...(threads === undefined ? {} : { threads }) });
  return {
    close: () => instance.close?.(),
    step: (inputs) => instance.step(...call(emitted.plan, 'step', inputs)).loss,
    weights: () => new Map([...instance.weights()].map(([path, { data }]) => [path, Float32Array.from(data)])),
  };
}

// ------------------------------------------------------------------------------------------------------------------------- files, numbers

export function readTensors(file: URL): Map<string, Tensor> {
  const decoded = decode(readFileSync(file));
  if (!decoded.ok) throw new Error(`${file.pathname}: ${JSON.stringify(decoded.problem)}`);
  return decoded.tensors;
}

/** The largest |a - b| and the largest |b|; not a number anywhere, or another length, is infinitely far. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): { readonly gap: number; readonly scale: number } {
  let gap = a.length === b.length ? 0 : Infinity;
  let scale = 0;
  for (let i = 0; i < b.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    gap = Math.max(gap, Number.isNaN(difference) ? Infinity : difference);
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return { gap, scale };
}
