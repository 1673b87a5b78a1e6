/**
 * From a program's text to a running network, for tests: the one place that knows how `compile` answers and how emitted modules are called.
 * Tests speak of paths, numbers and losses only. Not a runtime: nothing is checked here that emitted code should check itself.
 */
import { compile } from '../../compiler/index.ts';
import { decode, type Tensor } from '../../runtime/safetensors.ts';
import { readFileSync } from 'node:fs';

export type Numbers = Float32Array | Int32Array;
export type Weights = ReadonlyMap<string, Float32Array>;
export type Inputs = Readonly<Record<string, Numbers>>;

/** A model that answers: inputs by name → its result, row by row. */
export interface Network {
  readonly forward: (inputs: Inputs) => Promise<Float32Array>;
}

/** A network in training. */
export interface Training {
  /** One step on a batch; the loss before it. */
  readonly step: (inputs: Inputs) => Promise<number>;
  /** Path → numbers, row by row; a copy. */
  readonly weights: () => Map<string, Float32Array>;
}

// ------------------------------------------------------------------------------------------------------ what emitted modules look like

interface EmittedClass {
  readonly create: (options: { readonly weights: Readonly<Record<string, Float32Array>> }) => unknown;
}

interface EmittedNetwork {
  readonly forward: (inputs: Inputs) => unknown;
}

interface EmittedTraining {
  readonly step: (inputs: Inputs) => unknown;
  readonly weights: () => unknown;
}

/** The class of a unit, out of the module that `compile` emitted for it. */
async function load(source: string, unit: string, path: string): Promise<EmittedClass> {
  const result = compile(source, { path });
  if (!result.ok) {
    throw new Error(`${path} does not compile:\n${result.reports.map((r) => `${r.code} ${r.message}`).join('\n')}`);
  }
  const artifact = result.artifacts.get(unit);
  if (artifact === undefined) {
    throw new Error(`${path} has no unit ${unit}; it has ${[...result.artifacts.keys()].join(', ')}`);
  }
  const address = `data:text/javascript;base64,${Buffer.from(artifact.code).toString('base64')}`;
  const module = (await import(/* @vite-ignore */ address)) as Readonly<Record<string, EmittedClass>>;
  const emitted = module[unit];
  if (emitted === undefined) throw new Error(`the module of ${unit} exports ${Object.keys(module).join(', ')}`);
  return emitted;
}

/** A tensor as an emitted module may give it: bare, or with its shape. */
function numbersOf(value: unknown): Float32Array {
  if (value instanceof Float32Array) return value.slice();
  if (typeof value === 'object' && value !== null && 'data' in value) return numbersOf(value.data);
  throw new Error(`not a tensor of numbers: ${String(value)}`);
}

/** Named tensors as an emitted module may give them: a map, or an object. */
function namedNumbers(value: unknown): Map<string, Float32Array> {
  const entries = value instanceof Map ? [...value] : Object.entries(value as object);
  return new Map(entries.map(([path, tensor]): [string, Float32Array] => [String(path), numbersOf(tensor)]));
}

export async function network(source: string, unit: string, weights: Weights, path = 'test.nn'): Promise<Network> {
  const emitted = await load(source, unit, path);
  const instance = (await emitted.create({ weights: Object.fromEntries(weights) })) as EmittedNetwork;
  return { forward: async (inputs) => numbersOf(await instance.forward(inputs)) };
}

export async function training(source: string, unit: string, weights: Weights, path = 'test.nn'): Promise<Training> {
  const emitted = await load(source, unit, path);
  const instance = (await emitted.create({ weights: Object.fromEntries(weights) })) as EmittedTraining;
  return {
    step: async (inputs) => {
      const result = await instance.step(inputs);
      return typeof result === 'number' ? result : Number((result as { readonly loss: number }).loss);
    },
    weights: () => namedNumbers(instance.weights()),
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
    gap = difference <= gap ? gap : Number.isNaN(difference) ? Infinity : difference;
    scale = Math.max(scale, Math.abs(b[i]!));
  }
  return { gap, scale };
}
