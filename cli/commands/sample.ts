/**
 * `nnc sample`: a trained language model goes on writing. The model takes symbols [B, T] and gives logits [B, T, V]; the text is drawn symbol by
 * symbol from the last place, over a window of what was written last.
 */
import { Stream } from '../../analysis/random.ts';
import { sampled } from '../../analysis/text/sampling.ts';
import { decoded, encoder, fill, start, stop } from '../../analysis/text/tokens.ts';
import {
  awaited,
  gpuLimits,
  guarded,
  inputsOf,
  instantiateAny,
  type ResultTensor,
  type RunTarget,
} from '../artifact.ts';
import { writeFile } from '../files.ts';
import { wantedByModel } from '../inputs.ts';
import type { Io, LookOptions } from '../io.ts';
import { refuse } from '../problems.ts';
import { checkedProgram, chooseModel, compiled, openProject } from '../project.ts';
import { demandTokenizer } from '../text/tokenizer.ts';
import { modelWeights, readWeights } from '../weights.ts';

export interface SampleOptions extends LookOptions {
  readonly only?: string;
  readonly weights: string;
  readonly tokenizer?: string;
  readonly prompt: string;
  readonly length: number;
  readonly count: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly context: number;
  readonly seed?: number;
  readonly const?: Readonly<Record<string, number>>;
  readonly out?: string;
  readonly target: RunTarget;
}

export async function sample(io: Io, file: string, options: SampleOptions): Promise<number> {
  const project = openProject(io, file);
  const consts = options.const ?? {};
  const { program } = checkedProgram(project, consts);
  const model = chooseModel(program, project.path, options.only);
  const name = model.name.text;
  const [input, ...others] = wantedByModel(program, model).specs;
  const [batch, time] = input?.dims ?? [];
  if (
    input === undefined ||
    others.length > 0 ||
    input.dtype !== 'i32' ||
    typeof batch !== 'string' ||
    typeof time !== 'string'
  )
    return refuse('NN939', {
      reason: `${name} does not take one input i32[B, T]`,
      advice: 'a language model takes the symbols so far and gives logits[B, T, V]',
    });
  const tokenizer = demandTokenizer(io, options.tokenizer ?? options.weights);
  const { artifacts } = compiled(project, {
    only: name,
    bounds: { [batch]: 1, [time]: options.context },
    consts,
    targets: [options.target],
    otherwise: options.context,
    ...(await gpuLimits(options.target)),
  });
  const artifact = artifacts.get(name)!;
  const unit = await instantiateAny(artifact, options.target);
  const weights = modelWeights(artifact.plan, readWeights(io, options.weights), options.weights);
  guarded(artifact, () => unit.load(weights));
  const [key] = inputsOf(artifact.plan, 'forward');
  const output = Object.keys(artifact.plan.programs['forward']!.outputs)[0]!;

  const prompt = encoder(tokenizer)(options.prompt);
  const seed = options.seed ?? 0;
  const choice = { temperature: options.temperature, topK: options.topK ?? null, topP: options.topP ?? null };
  const texts: string[] = [];
  try {
    for (let n = 0; n < options.count; n++) {
      const stream = new Stream(seed, n);
      const ids = prompt.length === 0 ? [start] : [...prompt];
      for (let i = 0; i < options.length; i++) {
        const seen = Int32Array.from(ids.slice(-options.context));
        const sizes = { [batch]: 1, [time]: seen.length };
        const results = await awaited(artifact, () => unit.forward({ [key!]: seen }, sizes));
        const result = results[output] as ResultTensor;
        const symbols = result.shape.at(-1) ?? 0;
        if (result.shape.length !== 3 || symbols < tokenizer.symbols.length)
          return refuse('NN939', {
            reason: `${output} is [${result.shape.join(', ')}], not logits of ${tokenizer.symbols.length} symbols for every place`,
            advice: 'a language model gives logits[B, T, V], V at least the number of symbols',
          });
        const from = (seen.length - 1) * symbols;
        const logits = Float64Array.from(result.data.subarray(from, from + tokenizer.symbols.length));
        // What fills and starts is never written.
        logits[fill] = -Infinity;
        logits[start] = -Infinity;
        const next = sampled(logits, choice, stream);
        if (next === stop) break;
        ids.push(next);
        if (i % 64 === 63) await io.pause();
      }
      texts.push(decoded(tokenizer, ids));
    }
  } finally {
    unit.close();
  }
  const text = texts.join('\n---\n');
  if (options.out === undefined) io.stdout.write(`${text}\n`);
  else {
    writeFile(io, options.out, `${text}\n`);
    io.stdout.write(`${options.out}: ${texts.length} texts, ${text.length} characters\n`);
  }
  return 0;
}
