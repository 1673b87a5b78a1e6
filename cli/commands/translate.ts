/**
 * `nnc translate`: an encoder-decoder writes what belongs to a text: greedily or by beam search, for one text or for all rows of a data file, whose own
 * results it is then scored against (BLEU, chrF).
 */
import { join } from 'node:path';
import { bleu, chrf } from '../../analysis/text/scores.ts';
import { search, type Found, type Prefix } from '../../analysis/text/search.ts';
import { decoded, encoder, fill, start, stop, type Tokenizer } from '../../analysis/text/tokens.ts';
import { guarded, instantiate, type Instance, type NodeTarget, type ResultTensor } from '../artifact.ts';
import { openOptions, type InputSpec } from '../data/index.ts';
import { located, writeFile } from '../files.ts';
import { wantedByModel } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse, refuseProblems, wrongUsage } from '../problems.ts';
import { checkedProgram, chooseModel, compiled, openProject } from '../project.ts';
import { demandTokenizer } from '../text/tokenizer.ts';
import { modelWeights, readWeights } from '../weights.ts';

export interface TranslateOptions extends LookOptions {
  readonly only?: string;
  readonly weights: string;
  readonly tokenizer?: string;
  readonly text?: readonly string[];
  readonly data?: string;
  readonly truth: string;
  readonly limit?: number;
  readonly beam: number;
  readonly penalty: number;
  readonly most: number;
  readonly batch: number;
  readonly const?: Readonly<Record<string, number>>;
  readonly out?: string;
  readonly target: NodeTarget;
}

export interface Translation {
  readonly source: string;
  readonly translation: string;
  readonly reference: string | null;
  /** Of the symbols, the stop's included. */
  readonly logProbability: number;
}

export interface TranslateRecord {
  readonly version: 1;
  readonly sentences: number;
  readonly beam: number;
  readonly penalty: number;
  readonly bleu: number | null;
  readonly chrf: number | null;
  readonly seconds: number;
  readonly translations: readonly Translation[];
}

/** The inputs of an encoder-decoder: what is read, how long it is (where the model asks), and what has been written. */
export interface Roles {
  readonly source: InputSpec;
  readonly length: InputSpec | null;
  readonly before: InputSpec;
}

export function rolesOf(specs: readonly InputSpec[]): Roles | null {
  const long = specs.filter(
    ({ dtype, dims }) => dtype === 'i32' && dims.length === 2 && dims.every((d) => typeof d === 'string'),
  );
  const short = specs.filter(({ dtype, dims }) => dtype === 'i32' && dims.length === 1);
  const [source, before] = long;
  if (
    source === undefined ||
    before === undefined ||
    long.length !== 2 ||
    short.length > 1 ||
    specs.length !== 2 + short.length
  )
    return null;
  return { source, before, length: short[0] ?? null };
}

export async function translate(io: Io, file: string, options: TranslateOptions): Promise<number> {
  const begun = io.now();
  if ((options.text === undefined) === (options.data === undefined)) return wrongUsage('give either --text or --data');
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const model = chooseModel(program, project.path, options.only);
  const name = model.name.text;
  const roles = rolesOf(wantedByModel(program, model).specs);
  if (roles === null)
    return refuse('NN939', {
      reason: `${name} does not read i32[B, S] and write after i32[B, T]`,
      advice:
        'a translator takes source[B, S], its length[B] if it wants it, and before[B, T], and gives logits[B, T, V]',
    });
  const tokenizer = demandTokenizer(io, options.tokenizer ?? options.weights);
  const { sources, references } =
    options.text !== undefined
      ? { sources: options.text.map(encoder(tokenizer)), references: null }
      : rowsOf(io, options.data!, roles, tokenizer, options);
  if (sources.some((ids) => ids.length === 0))
    return refuse('NN939', { reason: 'a text is empty', advice: 'give at least a word' });

  const longest = Math.max(...sources.map((ids) => ids.length));
  const rows = options.batch * options.beam;
  const size = (spec: InputSpec, axis: number): string => spec.dims[axis] as string;
  const { artifacts } = compiled(project, {
    only: name,
    bounds: {
      [size(roles.source, 0)]: rows,
      [size(roles.source, 1)]: longest,
      [size(roles.before, 1)]: options.most + 1,
    },
    consts,
    targets: [options.target],
    otherwise: rows,
  });
  const artifact = artifacts.get(name)!;
  const unit = (await instantiate(artifact, options.target)) as Instance;
  guarded(artifact, () => unit.load(modelWeights(artifact.plan, readWeights(io, options.weights), options.weights)));

  const logits =
    (own: readonly (readonly number[])[]) =>
    (prefixes: readonly Prefix[]): ArrayLike<number>[] => {
      const [B, S, T] = [prefixes.length, Math.max(...own.map((ids) => ids.length)), prefixes[0]!.ids.length];
      const source = new Int32Array(B * S);
      prefixes.forEach(({ sentence }, i) => source.set(own[sentence]!, i * S));
      const inputs = {
        [roles.source.name]: source,
        ...(roles.length === null
          ? {}
          : { [roles.length.name]: Int32Array.from(prefixes, ({ sentence }) => own[sentence]!.length) }),
        [roles.before.name]: Int32Array.from(prefixes.flatMap(({ ids }) => [...ids])),
      };
      const sizes = { [size(roles.source, 0)]: B, [size(roles.source, 1)]: S, [size(roles.before, 1)]: T };
      const [result] = Object.values(guarded(artifact, () => unit.forward(inputs, sizes))) as ResultTensor[];
      const symbols = result!.shape.at(-1) ?? 0;
      if (result!.shape.length !== 3 || symbols < tokenizer.symbols.length)
        return refuse('NN939', {
          reason: `${name} gives [${result!.shape.join(', ')}], not logits of ${tokenizer.symbols.length} symbols for every place`,
          advice: 'V must be at least the number of symbols',
        });
      return prefixes.map((_, i) => {
        const from = (i * T + T - 1) * symbols;
        return Float64Array.from(result!.data.subarray(from, from + tokenizer.symbols.length));
      });
    };
  const found: Found[] = [];
  for (let from = 0; from < sources.length; from += options.batch) {
    const own = sources.slice(from, from + options.batch);
    const { beam, most, penalty } = options;
    found.push(...search(own.length, logits(own), { beam, most, penalty, start, stop, barred: [fill, start] }));
    await io.pause();
  }
  const translations = found.map(({ ids, logProbability }, i): Translation => ({
    source: decoded(tokenizer, sources[i]!).trim(),
    translation: decoded(tokenizer, ids).trim(),
    reference: references?.[i] ?? null,
    logProbability,
  }));
  const texts = translations.map(({ translation }) => translation);
  const record: TranslateRecord = {
    version: 1,
    sentences: translations.length,
    beam: options.beam,
    penalty: options.penalty,
    bleu: references === null ? null : bleu(texts, references),
    chrf: references === null ? null : chrf(texts, references),
    seconds: (io.now() - begun) / 1000,
    translations,
  };
  if (references === null) for (const text of texts) io.stdout.write(`${text}\n`);
  else {
    for (const t of translations.slice(0, 5))
      io.stdout.write(`${t.source}\n  = ${t.translation}\n    (${t.reference!})\n`);
    io.stdout.write(
      `${record.sentences} sentences, beam ${record.beam}: BLEU ${record.bleu!.toFixed(1)}, chrF ${record.chrf!.toFixed(1)}\n`,
    );
  }
  if (options.out !== undefined) {
    const path = join(options.out, 'translate.json');
    writeFile(io, path, `${JSON.stringify(record, null, 1)}\n`);
    io.stdout.write(`${path}\n`);
  }
  return 0;
}

/** Sources and results of a data file, padding taken off. */
function rowsOf(
  io: Io,
  path: string,
  roles: Roles,
  tokenizer: Tokenizer,
  options: TranslateOptions,
): { sources: number[][]; references: string[] } {
  const reading = openOptions([located(io, path)]);
  if (!reading.ok) return refuseProblems(reading.problems);
  const column = (name: string): { data: ArrayLike<number>; width: number; rows: number } => {
    const found = reading.dataset.columns.get(name);
    if (found === undefined || found.shape.length !== 2)
      return refuse('NN939', {
        reason: `${path} has no rows of symbols called ${name}`,
        advice: `it has ${[...reading.dataset.columns.keys()].join(', ')}`,
      });
    return { data: found.data, width: found.shape[1]!, rows: found.shape[0]! };
  };
  const [source, target] = [column(roles.source.name), column(options.truth)];
  const count = Math.min(options.limit ?? source.rows, source.rows);
  const row = ({ data, width }: { data: ArrayLike<number>; width: number }, i: number): number[] =>
    Array.from({ length: width }, (_, k) => data[i * width + k]!).filter((id) => id !== fill);
  const indices = Array.from({ length: count }, (_, i) => i);
  return {
    sources: indices.map((i) => row(source, i)),
    references: indices.map((i) => decoded(tokenizer, row(target, i)).trim()),
  };
}
