/**
 * `nnc translate`: an encoder-decoder writes what belongs to a text: greedily or by beam search, for one text or for all rows of a data file, whose own
 * results it is then scored against (BLEU, chrF).
 */
import { join } from 'node:path';
import { bleu, bleuTokens, characterTokens, chrf } from '../../analysis/text/scores.ts';
import { search, type Found } from '../../analysis/text/search.ts';
import { decoded, encoder, fill, start, stop, type Tokenizer } from '../../analysis/text/tokens.ts';
import type { Callable } from '../../grammar/ast.ts';
import type { NodeTarget } from '../artifact.ts';
import { openOptions } from '../data/index.ts';
import { located, writeFile } from '../files.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse, refuseProblems, wrongUsage } from '../problems.ts';
import { checkedProgram, chooseModel, openProject } from '../project.ts';
import { pairDecoder, pairOf, wholeDecoder, wholeOf, type Pair, type Whole } from '../text/decoders.ts';
import { demandTokenizer } from '../text/tokenizer.ts';
import { readWeights } from '../weights.ts';

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
  /** What BLEU counts: words, or characters where there are no blanks. */
  readonly bleu: 'words' | 'characters';
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
  /** Whether keys and values of what is written were kept. */
  readonly cached: boolean;
  readonly bleu: number | null;
  readonly chrf: number | null;
  readonly seconds: number;
  readonly translations: readonly Translation[];
}

export async function translate(io: Io, file: string, options: TranslateOptions): Promise<number> {
  const begun = io.now();
  if ((options.text === undefined) === (options.data === undefined)) return wrongUsage('give either --text or --data');
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const models = program.entry.ast.declarations.filter((d): d is Callable => d.kind === 'model');
  const pair = options.only === undefined ? pairOf(program, models) : null;
  const model = pair === null ? chooseModel(program, project.path, options.only) : null;
  const whole = model === null ? null : wholeOf(program, model);
  const reading = pair ?? whole;
  if (reading === null)
    return refuse('NN939', {
      reason: `${model!.name.text} does not read i32[B, S] and write after i32[B, T]`,
      advice:
        'a translator takes source[B, S], its length[B] if it wants it, and before[B, T], and gives logits[B, T, V]',
    });
  const tokenizer = demandTokenizer(io, options.tokenizer ?? options.weights);
  const { sources, references } =
    options.text !== undefined
      ? { sources: options.text.map(encoder(tokenizer)), references: null }
      : rowsOf(io, options.data!, reading, tokenizer, options);
  if (sources.some((ids) => ids.length === 0))
    return refuse('NN939', { reason: 'a text is empty', advice: 'give at least a word' });

  const longest = Math.max(...sources.map((ids) => ids.length));
  const wishes = {
    project,
    consts,
    weights: readWeights(io, options.weights),
    path: options.weights,
    target: options.target,
    batch: Math.min(options.batch, sources.length),
    longest,
    beam: options.beam,
    most: options.most,
    symbols: tokenizer.symbols.length,
  };
  const decoder = await (pair === null ? wholeDecoder(whole!, wishes) : pairDecoder(pair, program, wishes));
  const found: Found[] = [];
  for (let from = 0; from < sources.length; from += decoder.batch) {
    const own = sources.slice(from, from + decoder.batch);
    const { beam, most, penalty } = options;
    found.push(
      ...search(own.length, decoder.following(own), { beam, most, penalty, start, stop, barred: [fill, start] }),
    );
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
    cached: pair !== null,
    bleu: references === null ? null : bleu(texts, references, options.bleu === 'words' ? bleuTokens : characterTokens),
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
  reading: Pair | Whole,
  tokenizer: Tokenizer,
  options: TranslateOptions,
): { sources: number[][]; references: string[] } {
  const opened = openOptions([located(io, path)]);
  if (!opened.ok) return refuseProblems(opened.problems);
  const column = (name: string): { data: ArrayLike<number>; width: number; rows: number } => {
    const found = opened.dataset.columns.get(name);
    if (found === undefined || found.shape.length !== 2)
      return refuse('NN939', {
        reason: `${path} has no rows of symbols called ${name}`,
        advice: `it has ${[...opened.dataset.columns.keys()].join(', ')}`,
      });
    return { data: found.data, width: found.shape[1]!, rows: found.shape[0]! };
  };
  const [source, target] = [column(reading.source.name), column(options.truth)];
  const count = Math.min(options.limit ?? source.rows, source.rows);
  const row = ({ data, width }: { data: ArrayLike<number>; width: number }, i: number): number[] =>
    Array.from({ length: width }, (_, k) => data[i * width + k]!).filter((id) => id !== fill);
  const indices = Array.from({ length: count }, (_, i) => i);
  return {
    sources: indices.map((i) => row(source, i)),
    references: indices.map((i) => decoded(tokenizer, row(target, i)).trim()),
  };
}
