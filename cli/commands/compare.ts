/** `nnc compare`: how alike trained models represent the same data, at a layer of each, against chance. */
import { join } from 'node:path';
import type { Matrix } from '../../analysis/matrix.ts';
import { Stream } from '../../analysis/random.ts';
import { holm, measures, prepare, similarities } from '../../analysis/similarity.ts';
import { guarded, inputsOf, instantiate, parametersOf, type NodeTarget, type ResultTensor } from '../artifact.ts';
import { distinct, modelOf, subjectOf, type Subject } from '../compare/models.ts';
import type { CompareRecord, PairRecord } from '../compare/record.ts';
import { compareFigure, compareHtml, compareText } from '../compare/show.ts';
import { prepareFolder, writeFile } from '../files.ts';
import { wantedByModel, type Wanted } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse, wrongUsage } from '../problems.ts';
import { checkedProgram, chooseModel, compiled, openProject } from '../project.ts';
import { openRunData, selectRows, type RunData } from '../train/data.ts';
import { modelWeights, readWeights } from '../weights.ts';

export interface CompareOptions extends LookOptions {
  readonly data: readonly string[];
  readonly layer?: readonly string[];
  readonly label?: readonly string[];
  readonly only?: string;
  readonly rows: number;
  readonly neighbours: number;
  readonly permutations: number;
  readonly batch?: number;
  readonly seed?: number;
  readonly const?: Readonly<Record<string, number>>;
  readonly out?: string;
  readonly target: NodeTarget;
}

const usualBatch = 256;

interface Opened {
  readonly subject: Subject;
  readonly layer: string | null;
  readonly model: string;
  readonly wanted: Wanted;
  readonly data: RunData;
}

export async function compare(io: Io, names: readonly string[], options: CompareOptions): Promise<number> {
  const layers = options.layer ?? [];
  const seed = options.seed ?? 0;
  if (names.length < 2) return wrongUsage('a comparison needs two models or more');
  if (layers.length > 1 && layers.length !== names.length)
    return wrongUsage(`--layer names ${layers.length} values for ${names.length} models: one for all, or one each`);
  if (options.label !== undefined && options.label.length !== names.length)
    return wrongUsage(`--label gives ${options.label.length} words for ${names.length} models`);
  const opened = names.map((name, i): Opened => {
    const subject = subjectOf(io, name, options.const ?? {});
    const project = openProject(io, subject.program);
    const { program } = checkedProgram(project, subject.consts);
    const model = chooseModel(program, project.path, modelOf(program, subject, options.only));
    const wanted = wantedByModel(program, model);
    const layer = layers[i] ?? layers[0] ?? null;
    return { subject, layer, model: model.name.text, wanted, data: openRunData(io, options.data, wanted) };
  });
  const rows = opened[0]!.data.rows;
  for (const { data, subject } of opened)
    if (data.rows !== rows)
      refuse('NN935', {
        reason: `${subject.program} reads ${data.rows} rows and ${names[0]} ${rows}`,
        advice: 'all models must see the same rows',
      });
  const chosen = new Stream(seed, 1).permutation(rows).slice(0, options.rows).sort();
  if (chosen.length < 4 || options.neighbours >= chosen.length)
    refuse('NN935', {
      reason: `${chosen.length} rows are too few for ${options.neighbours} neighbours`,
      advice: 'give more data, or fewer --neighbours',
    });

  const labels = options.label ?? distinct(opened.map(({ subject }) => subject.label));
  const models: CompareRecord['models'][number][] = [];
  const prepared = [];
  for (const [i, model] of opened.entries()) {
    const { matrix, layer, parameters } = await representation(io, model, chosen, options);
    models.push({ label: labels[i]!, program: model.subject.program, layer, width: matrix.columns, parameters });
    prepared.push(prepare(matrix, options.neighbours));
  }
  const found: Omit<PairRecord, 'adjusted'>[] = [];
  for (let a = 0; a < prepared.length; a++) {
    for (let b = a + 1; b < prepared.length; b++) {
      const stream = new Stream(seed, 1000 + a * prepared.length + b);
      found.push({
        a,
        b,
        similarity: similarities(prepared[a]!, prepared[b]!, stream, { permutations: options.permutations }),
      });
      await io.pause();
    }
  }
  const adjusted = measures.map((m) => holm(found.map(({ similarity }) => similarity[m].p)));
  const record: CompareRecord = {
    version: 1,
    models,
    rows: chosen.length,
    neighbours: options.neighbours,
    permutations: options.permutations,
    seed,
    pairs: found.map((pair, n) => ({
      ...pair,
      adjusted: Object.fromEntries(measures.map((m, k) => [m, adjusted[k]![n]!])),
    })),
  };
  io.stdout.write(compareText(record));
  if (options.out !== undefined) {
    prepareFolder(io, options.out);
    writeFile(io, join(options.out, 'compare.json'), `${JSON.stringify(record, null, 1)}\n`);
    writeFile(io, join(options.out, 'compare.html'), compareHtml(record));
    writeFile(io, join(options.out, 'compare.svg'), compareFigure(record));
    io.stdout.write(`report: ${join(options.out, 'compare.html')}\n`);
  }
  return 0;
}

/** What a layer computes for the chosen rows, one line each; without a layer the model's first result. */
async function representation(
  io: Io,
  { subject, layer, model: name, wanted, data }: Opened,
  chosen: Uint32Array,
  options: CompareOptions,
): Promise<{ matrix: Matrix; layer: string; parameters: number }> {
  const project = openProject(io, subject.program);
  const batch = Math.min(options.batch ?? usualBatch, chosen.length);
  const sizes = new Map(data.sizes);
  const batchName = wanted.batch?.size;
  if (batchName !== undefined) sizes.set(batchName, batch);
  const { artifacts } = compiled(project, {
    only: name,
    bounds: Object.fromEntries(sizes),
    consts: subject.consts,
    targets: [options.target],
    ...(layer === null ? {} : { expose: [layer] }),
    otherwise: Math.max(batch, ...sizes.values()),
  });
  const artifact = artifacts.get(name)!;
  const unit = await instantiate(artifact, options.target);
  const weights = modelWeights(artifact.plan, readWeights(io, subject.weights), subject.weights);
  guarded(artifact, () => unit.load(weights));
  const taken = inputsOf(artifact.plan, 'forward');
  const key = layer ?? Object.keys(artifact.plan.programs['forward']!.outputs)[0]!;
  const parts: Float64Array[] = [];
  for (let from = 0; from < chosen.length; from += batch) {
    const own = chosen.subarray(from, from + batch);
    const columns = selectRows(data.columns, own);
    const inputs = Object.fromEntries(taken.map((input) => [input, columns[input]?.data ?? data.whole[input]!]));
    const told = { ...Object.fromEntries(data.sizes), ...(batchName === undefined ? {} : { [batchName]: own.length }) };
    const result = guarded(artifact, () => unit.forward(inputs, told))[key] as ResultTensor;
    if (typeof result !== 'object' || result.shape[0] !== own.length)
      return refuse('NN935', {
        reason: `${key} of ${name} has no line for each row`,
        advice: 'choose a value whose first axis is the batch with --layer',
      });
    parts.push(Float64Array.from(result.data));
  }
  const width = parts[0]!.length / Math.min(batch, chosen.length);
  const all = new Float64Array(width * chosen.length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  if (!all.every(Number.isFinite))
    refuse('NN935', { reason: `${key} of ${name} holds what is no finite number`, advice: 'look at its training' });
  return {
    matrix: { rows: chosen.length, columns: width, data: all },
    layer: key,
    parameters: parametersOf(artifact.plan),
  };
}
