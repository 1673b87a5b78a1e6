/** `nnc run`: a model's answers for every row of some data, in batches, with weights that training wrote. */
import { report } from '../../compiler/diagnostics/render/index.ts';
import {
  awaited,
  gpuLimits,
  inputsOf,
  instantiateAny,
  type RunTarget,
  type Threads,
  type Values,
} from '../artifact.ts';
import { writeFile } from '../files.ts';
import { sizesOfModel, wantedByModel } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse } from '../problems.ts';
import { checkedProgram, chooseModel, compiled, openProject, showReports } from '../project.ts';
import { encodeResults, formatOf, type NamedTensor } from '../results.ts';
import { openRunData, type RunData } from '../train/data.ts';
import type { Artifact } from '../../compiler/index.ts';
import type { Weights } from '../../runtime/weights.ts';
import { modelWeights, readWeights, translatedWeights } from '../weights.ts';
import { comparisonText, differences, metricsBeside } from './smaller.ts';

export interface RunOptions extends LookOptions {
  readonly only?: string;
  readonly weights: string;
  /** Values of the model's parameters that are sizes. */
  readonly size?: Readonly<Record<string, number>>;
  /** A `checkpoint` map of the source: the names and layouts of the weights' file. */
  readonly checkpoint?: string;
  readonly data: readonly string[];
  readonly out?: string;
  readonly batch?: number;
  readonly target: RunTarget;
  readonly threads: Threads;
  readonly const?: Readonly<Record<string, number>>;
  /** Rules for storing the weights in fewer bytes. */
  readonly store?: readonly string[];
  /** The same, beside the whole weights: what is printed is the loss. */
  readonly compare?: readonly string[];
}

const usualBatch = 256;

export async function run(io: Io, file: string, options: RunOptions): Promise<number> {
  const format = options.out === undefined ? 'csv' : formatOf(options.out);
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const model = chooseModel(program, project.path, options.only);
  const name = model.name.text;
  const wanted = wantedByModel(program, model);
  const weights = readWeights(io, options.weights);
  const data = openRunData(io, options.data, wanted);

  const batch = Math.min(options.batch ?? usualBatch, data.rows);
  const sizes = new Map(data.sizes);
  if (wanted.batch !== null) sizes.set(wanted.batch.size, batch);
  const asked = sizesOfModel(model);
  const told: Record<string, number> = {};
  for (const size of asked) {
    const value = options.size?.[size];
    if (value === undefined) refuse('NN941', { model: name, size });
    else {
      told[size] = value;
      sizes.set(size, value);
    }
  }
  for (const size of Object.keys(options.size ?? {}))
    if (!asked.includes(size))
      refuse('NN929', { path: `--size ${size}`, reason: `${name} has no such size as a parameter` });
  const limits = await gpuLimits(options.target);
  const made = (rules: readonly string[]) =>
    compiled(project, {
      only: name,
      bounds: Object.fromEntries(sizes),
      consts,
      targets: [options.target],
      ...limits,
      weights: rules,
      otherwise: Math.max(batch, ...sizes.values()),
    });
  // Compared with weights that are whole, whatever the source says of them.
  const { artifacts, reports, sources } = made(options.store ?? (options.compare === undefined ? [] : ['f32']));
  const remarks = [...reports, ...data.remarks.map(report)].filter(({ severity }) => severity === 'warning');
  showReports(io, remarks, sources, options);
  const artifact = artifacts.get(name)!;
  let named = weights;
  if (options.checkpoint !== undefined) {
    const translated = translatedWeights(artifact.plan, weights, options.checkpoint, options.weights);
    named = translated.file;
    if (translated.unused.length > 0)
      io.stderr.write(
        `note: ${options.weights} also has ${translated.unused.length} tensors that ${name} does not use\n`,
      );
  }
  const own = modelWeights(artifact.plan, named, options.weights);

  const first = await results(artifact);
  if (options.compare !== undefined) {
    const other = made(isSource(options.compare) ? [] : options.compare).artifacts.get(name)!;
    const second = await results(other);
    const rows = differences(first.tensors, second.tensors);
    const metrics = await metricsBeside(io, project, program, options.data, batch, name, own, second.weights);
    io.stdout.write(
      `${comparisonText(isSource(options.compare) ? 'the storage of the source' : options.compare.join(', '), rows, artifact, other)}\n${metrics}\n`,
    );
    return 0;
  }
  const { tensors } = first;

  async function results(artifact: Artifact): Promise<{ tensors: NamedTensor[]; weights: Weights }> {
    const unit = await instantiateAny(artifact, options.target, 0, options.threads, own);
    const taken = inputsOf(artifact.plan, 'forward');
    const batchName = wanted.batch?.size;
    const parts = new Map<string, { shape: readonly number[]; data: Values }[]>();
    for (let from = 0; from < data.rows; from += batch) {
      const to = Math.min(from + batch, data.rows);
      const inputs = Object.fromEntries(taken.map((input) => [input, rowsOf(data, input, from, to)]));
      // An array's length alone does not tell B and T of [B, T].
      const given = {
        ...told,
        ...Object.fromEntries(data.sizes),
        ...(batchName === undefined ? {} : { [batchName]: to - from }),
      };
      const results = await awaited(artifact, () => unit.forward(inputs, given));
      for (const [result, value] of Object.entries(results)) {
        // The arrays are the program's own, and hold other values after the next call.
        const copy =
          typeof value === 'object'
            ? { shape: value.shape, data: value.data.slice() }
            : { shape: [], data: Float32Array.of(Number(value)) };
        parts.set(result, [...(parts.get(result) ?? []), copy]);
      }
      await io.pause();
    }
    const used = options.compare === undefined ? own : await unit.weights();
    unit.close();
    const tensors = [...parts].map(([result, list]): NamedTensor => {
      const buffer = artifact.plan.programs['forward']!.outputs[result]!;
      const byRows = artifact.plan.buffers[buffer]!.shape[0] === batchName;
      return byRows || list.length === 1 ? joined(result, list) : { name: result, ...list.at(-1)! };
    });
    return { tensors, weights: used };
  }

  const content = encodeResults(tensors, format, options.out ?? 'the terminal');
  if (options.out === undefined) io.stdout.write(content as string);
  else {
    writeFile(io, options.out, content);
    const shapes = tensors.map((t) => `${t.name} [${t.shape.join(', ')}]`).join(', ');
    io.stdout.write(`${options.out}: ${shapes}\n`);
  }
  return 0;
}

function rowsOf({ columns, whole }: RunData, input: string, from: number, to: number): Values {
  const column = columns[input];
  if (column === undefined) return whole[input]!;
  const size = column.shape.reduce((n, extent) => n * extent, 1);
  return column.data.subarray(from * size, to * size);
}

function joined(
  name: string,
  list: readonly { readonly shape: readonly number[]; readonly data: Values }[],
): NamedTensor {
  const first = list[0]!;
  if (list.length === 1) return { name, ...first };
  const length = list.reduce((n, { data }) => n + data.length, 0);
  const data =
    first.data instanceof Float32Array
      ? new Float32Array(length)
      : first.data instanceof Int32Array
        ? new Int32Array(length)
        : new Uint8Array(length);
  let at = 0;
  for (const part of list) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { name, shape: [list.reduce((n, { shape }) => n + shape[0]!, 0), ...first.shape.slice(1)], data };
}

/** `--compare source`: the `storage` declaration of the program. */
const isSource = (rules: readonly string[]): boolean => rules.length === 1 && rules[0] === 'source';
