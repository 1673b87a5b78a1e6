/**
 * The two ways of `nnc translate` to ask a program for the symbol that follows. A *whole* model reads the source and everything written so far, and is asked for
 * every prefix anew. A *reader and writer* are two models with the whole one's weights: the reader reads the sources, once, and the writer takes what the reader
 * gives and the last symbol of every row, and keeps the rest in its carries (`stream`). Both are compiled once, for the greatest sizes.
 *
 * The writer's inputs are met by name, like columns of data: what the reader gives and takes, and `word[B]`, `sentence[B]` (which of the sources a row belongs to),
 * `past[B, L]`, its size `used`. Each row of each call has a slot in the caches, those of a call behind one another: `used` counts them, this call's too, and
 * `past` holds, for each row, the slots of its symbols. A beam that takes up another hypothesis takes up its list of slots; nothing is moved.
 */
import type { Prefix } from '../../analysis/text/search.ts';
import type { Callable, ResultField } from '../../grammar/ast.ts';
import type { Program } from '../../compiler/check/program.ts';
import type { Plan } from '../../runtime/plan.ts';
import { guarded, instantiate, type Inputs, type NodeTarget, type ResultTensor } from '../artifact.ts';
import type { InputSpec } from '../data/index.ts';
import { sizesOfModel, wantedByModel } from '../inputs.ts';
import { refuse } from '../problems.ts';
import { compiled, type Project } from '../project.ts';
import { modelWeights, type WeightsFile } from '../weights.ts';

export interface Decoder {
  /** The most sources at once: as many as were wished, or as caches have room for. */
  readonly batch: number;
  /** Logits of the symbols that follow the prefixes, for these sources; made anew for each batch of sources. */
  readonly following: (sources: readonly (readonly number[])[]) => (prefixes: readonly Prefix[]) => ArrayLike<number>[];
}

export interface DecoderWishes {
  readonly project: Project;
  readonly consts: Readonly<Record<string, number>>;
  readonly weights: WeightsFile;
  /** Where the weights come from. */
  readonly path: string;
  readonly target: NodeTarget;
  /** The most sources at once, symbols of a source, rows of a source, symbols of a result. */
  readonly batch: number;
  readonly longest: number;
  readonly beam: number;
  readonly most: number;
  /** Of the tokenizer: V must be at least that. */
  readonly symbols: number;
}

/** The inputs of a model that reads: what is read, and how long it is, where the model asks. */
interface Reading {
  readonly source: InputSpec;
  readonly length: InputSpec | null;
}

export interface Whole extends Reading {
  readonly model: Callable;
  /** What has been written. */
  readonly before: InputSpec;
}

export interface Pair extends Reading {
  readonly reader: Callable;
  readonly writer: Callable;
}

const isLong = ({ dtype, dims }: InputSpec): boolean =>
  dtype === 'i32' && dims.length === 2 && dims.every((d) => typeof d === 'string');
const isShort = ({ dtype, dims }: InputSpec): boolean => dtype === 'i32' && dims.length === 1;

function readingOf(specs: readonly InputSpec[], long: number): InputSpec[] | null {
  const [sources, lengths] = [specs.filter(isLong), specs.filter(isShort)];
  return sources.length === long && lengths.length <= 1 && specs.length === long + lengths.length ? sources : null;
}

/** A model as a whole one; null where it is none. */
export function wholeOf(program: Program, model: Callable): Whole | null {
  const { specs } = wantedByModel(program, model);
  const [source, before] = readingOf(specs, 2) ?? [];
  if (source === undefined || before === undefined) return null;
  return { model, source, before, length: specs.find(isShort) ?? null };
}

const own = ['word', 'sentence', 'past'];

/** The only two models of a file of which one writes what the other reads; null where there are none, or several. */
export function pairOf(program: Program, models: readonly Callable[]): Pair | null {
  const pairs = models.flatMap((reader): Pair[] => {
    const { specs } = wantedByModel(program, reader);
    const [source] = readingOf(specs, 1) ?? [];
    if (source === undefined || !Array.isArray(reader.result)) return [];
    const given = (reader.result as readonly ResultField[]).map(({ name }) => name.text);
    const known = new Set([...specs.map(({ name }) => name), ...given]);
    return models.flatMap((writer): Pair[] => {
      const names = wantedByModel(program, writer).specs.map(({ name }) => name);
      const fits =
        [...own, ...given].every((name) => names.includes(name)) &&
        names.every((name) => own.includes(name) || known.has(name)) &&
        sizesOfModel(writer).join() === 'used';
      return fits ? [{ reader, writer, source, length: specs.find(isShort) ?? null }] : [];
    });
  });
  return pairs.length === 1 ? pairs[0]! : null;
}

const sizeOf = (spec: InputSpec, axis: number): string => spec.dims[axis] as string;

/** Sources as rows of one width, filled with 0, and their lengths. */
function rowsOf({ source, length }: Reading, rows: readonly (readonly number[])[]): { inputs: Inputs; width: number } {
  const width = Math.max(...rows.map((ids) => ids.length));
  const data = new Int32Array(rows.length * width);
  rows.forEach((ids, i) => data.set(ids, i * width));
  const lengths = Int32Array.from(rows, (ids) => ids.length);
  return { inputs: { [source.name]: data, ...(length === null ? {} : { [length.name]: lengths }) }, width };
}

/** Row `row` of `width` logits, those of the tokenizer's symbols. */
const logitsAt = ({ data }: ResultTensor, row: number, width: number, symbols: number): ArrayLike<number> =>
  Float64Array.from(data.subarray(row * width, row * width + symbols));

function wrongLogits(name: string, shape: readonly number[], symbols: number, every: string): never {
  return refuse('NN939', {
    reason: `${name} gives [${shape.join(', ')}], not logits of ${symbols} symbols for every ${every}`,
    advice: 'V must be at least the number of symbols',
  });
}

export async function wholeDecoder(whole: Whole, wishes: DecoderWishes): Promise<Decoder> {
  const { source, before } = whole;
  const name = whole.model.name.text;
  const rows = wishes.batch * wishes.beam;
  const bounds = {
    [sizeOf(source, 0)]: rows,
    [sizeOf(source, 1)]: wishes.longest,
    [sizeOf(before, 1)]: wishes.most + 1,
  };
  const { project, consts, target, symbols } = wishes;
  const { artifacts } = compiled(project, { only: name, bounds, consts, targets: [target], otherwise: rows });
  const artifact = artifacts.get(name)!;
  const unit = await instantiate(artifact, target);
  guarded(artifact, () => unit.load(modelWeights(artifact.plan, wishes.weights, wishes.path)));
  const following: Decoder['following'] = (sources) => (prefixes) => {
    const [B, T] = [prefixes.length, prefixes[0]!.ids.length];
    const { inputs, width } = rowsOf(
      whole,
      prefixes.map(({ sentence }) => sources[sentence]!),
    );
    const written = { [before.name]: Int32Array.from(prefixes.flatMap(({ ids }) => [...ids])) };
    const sizes = { [sizeOf(source, 0)]: B, [sizeOf(source, 1)]: width, [sizeOf(before, 1)]: T };
    const [result] = Object.values(
      guarded(artifact, () => unit.forward({ ...inputs, ...written }, sizes)),
    ) as ResultTensor[];
    const wide = result!.shape.at(-1) ?? 0;
    if (result!.shape.length !== 3 || wide < symbols) return wrongLogits(name, result!.shape, symbols, 'place');
    return prefixes.map((_, i) => logitsAt(result!, i * T + T - 1, wide, symbols));
  };
  return { batch: wishes.batch, following };
}

/** The weights that a part of a network has, out of those of all of it. */
function partOf(plan: Plan, { weights, metadata }: WeightsFile): WeightsFile {
  const wanted = new Set(plan.leaves.map(({ path }) => path));
  return { weights: new Map([...weights].filter(([path]) => wanted.has(path))), metadata };
}

export async function pairDecoder(pair: Pair, program: Program, wishes: DecoderWishes): Promise<Decoder> {
  const { project, consts, target, symbols } = wishes;
  const [reader, writer] = [pair.reader.name.text, pair.writer.name.text];
  const specs = new Map(wantedByModel(program, pair.writer).specs.map((spec) => [spec.name, spec]));
  const [N, S] = [sizeOf(pair.source, 0), sizeOf(pair.source, 1)];
  const [B, L] = [sizeOf(specs.get('past')!, 0), sizeOf(specs.get('past')!, 1)];
  const unitOf = async (name: string, bounds: Readonly<Record<string, number>>) => {
    const { artifacts } = compiled(project, { only: name, bounds, consts, targets: [target] });
    const artifact = artifacts.get(name)!;
    const unit = await instantiate(artifact, target);
    guarded(artifact, () => unit.load(modelWeights(artifact.plan, partOf(artifact.plan, wishes.weights), wishes.path)));
    return { artifact, unit };
  };
  const unitsFor = async (batch: number) => {
    const bounds = { [N]: batch, [S]: wishes.longest };
    const write = await unitOf(writer, { ...bounds, [B]: batch * wishes.beam, [L]: wishes.most + 1 });
    return { read: await unitOf(reader, bounds), write };
  };
  let { batch } = wishes;
  let units = await unitsFor(batch);
  const { plan } = units.write.artifact;
  if (plan.programs['stream'] === undefined)
    return refuse('NN939', {
      reason: `${writer} keeps nothing from call to call`,
      advice: 'its caches are carries whose sizes are known when it is built; or name a whole model with --only',
    });
  const room = plan.sizes.find(({ name }) => name === 'used')?.bound ?? Infinity;
  const each = wishes.beam * (wishes.most + 1);
  if (each > room)
    return refuse('NN939', {
      reason: `${wishes.beam} rows of ${wishes.most + 1} symbols need more than the ${room} slots of ${writer}`,
      advice: 'give a smaller --beam or --most, or a larger number of slots with --const',
    });
  if (batch * each > room) units = await unitsFor((batch = Math.floor(room / each)));
  const { read, write } = units;
  const following: Decoder['following'] = (sources) => {
    const { inputs, width } = rowsOf(pair, sources);
    const known = { [N]: sources.length, [S]: width };
    const given = guarded(read.artifact, () => read.unit.forward(inputs, known)) as Record<string, ResultTensor>;
    // Copies: they are read in every call that follows.
    const held = Object.fromEntries(Object.entries(given).map(([name, { data }]) => [name, data.slice()]));
    const asked = Object.fromEntries(Object.entries({ ...inputs, ...held }).filter(([name]) => specs.has(name)));
    let used = 0;
    let slots: number[][] = [];
    write.unit.reset();
    return (prefixes) => {
      slots = prefixes.map(({ from }, row) => [...(from < 0 ? [] : slots[from]!), used + row]);
      used += prefixes.length;
      const rows: Inputs = {
        ...asked,
        word: Int32Array.from(prefixes, ({ ids }) => ids.at(-1)!),
        sentence: Int32Array.from(prefixes, ({ sentence }) => sentence),
        past: Int32Array.from(slots.flat()),
      };
      const sizes = { ...known, [B]: prefixes.length, [L]: slots[0]!.length, used };
      const results = guarded(write.artifact, () => write.unit.stream(rows, sizes)) as Record<string, ResultTensor>;
      const [result] = Object.values(results);
      const wide = result!.shape.at(-1) ?? 0;
      if (result!.shape.length !== 2 || wide < symbols) return wrongLogits(writer, result!.shape, symbols, 'row');
      return prefixes.map((_, row) => logitsAt(result!, row, wide, symbols));
    };
  };
  return { batch, following };
}
