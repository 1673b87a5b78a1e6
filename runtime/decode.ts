/**
 * Token by token through a model that keeps what it has read (`stream`): the prompt first, in parts no longer than the program was built for, then
 * one token after the other, each chosen from the logits of the last. The model takes tokens [1, T] and the number of tokens so far as a size, and gives
 * logits of the token that follows (examples/design/decode.nn). Nothing is compiled or allocated anew as the text grows.
 */
import type { GivenSizes, Inputs, Result } from './execute.ts';

/** An emitted class of a model with carries. */
export interface Streaming {
  stream(inputs: Inputs, sizes?: GivenSizes): Readonly<Record<string, Result | number | boolean>>;
  reset(): void;
}

export interface DecodeOptions {
  /** At least one token. */
  readonly prompt: ArrayLike<number>;
  /** Tokens to write at most. */
  readonly length: number;
  /** The token that follows; the array is valid until the next call. Default: the greatest. */
  readonly choose?: (logits: Result['data']) => number;
  /** Ends the text; is not given out. */
  readonly stop?: number;
  /** Tokens of the prompt at once: the bound of T. Default: all. */
  readonly part?: number;
  /** What the model calls its tokens, their number so far, and its result. Default: token, S, and the only result. */
  readonly input?: string;
  readonly size?: string;
  readonly output?: string;
}

function greatest(logits: Result['data']): number {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i]! > logits[best]!) best = i;
  return best;
}

/** Tokens that the model has to read, `seen` in all with them; it is answered with the logits that follow. Or a token that is written. */
type Move = { readonly tokens: Int32Array; readonly seen: number } | { readonly written: number };

function* moves(options: DecodeOptions): Generator<Move, void, Result['data'] | undefined> {
  const { prompt, length, choose = greatest, stop } = options;
  const part = options.part ?? prompt.length;
  if (prompt.length === 0 || !(part >= 1))
    throw new RangeError('decode needs a prompt, and parts of at least one token');
  let seen = 0;
  let logits: Result['data'] | undefined;
  for (let from = 0; from < prompt.length; from += part) {
    const tokens = Int32Array.from({ length: Math.min(part, prompt.length - from) }, (_, i) => prompt[from + i]!);
    logits = yield { tokens, seen: (seen += tokens.length) };
  }
  const tokens = new Int32Array(1);
  for (let n = 0; n < length; n++) {
    const written = choose(logits!);
    if (written === stop) return;
    yield { written };
    tokens[0] = written;
    if (n + 1 < length) logits = yield { tokens, seen: ++seen };
  }
}

type Results = ReturnType<Streaming['stream']>;

function logitsOf(results: Results, output: string | undefined): Result['data'] {
  const result = output === undefined ? Object.values(results)[0] : results[output];
  if (typeof result !== 'object') throw new RangeError(`there is no result ${output ?? ''} with logits`);
  return result.data;
}

export function* decode(net: Streaming, options: DecodeOptions): Generator<number, void, undefined> {
  const { input = 'token', size = 'S', output } = options;
  const walk = moves(options);
  let move = walk.next();
  net.reset();
  while (move.done !== true) {
    const { value } = move;
    if ('written' in value) {
      yield value.written;
      move = walk.next();
    } else move = walk.next(logitsOf(net.stream({ [input]: value.tokens }, { [size]: value.seen }), output));
  }
}

/** The same of a network that answers by promises, as on a GPU. */
export interface EventualStreaming {
  stream(inputs: Inputs, sizes?: GivenSizes): Promise<Results> | Results;
  reset(): void;
}

/** `decode` for every target: `for await (const id of decodeAsync(net, …))`. */
export async function* decodeAsync(
  net: EventualStreaming,
  options: DecodeOptions,
): AsyncGenerator<number, void, undefined> {
  const { input = 'token', size = 'S', output } = options;
  const walk = moves(options);
  let move = walk.next();
  net.reset();
  while (move.done !== true) {
    const { value } = move;
    if ('written' in value) {
      yield value.written;
      move = walk.next();
    } else {
      const results = await net.stream({ [input]: value.tokens }, { [size]: value.seen });
      move = walk.next(logitsOf(results, output));
    }
  }
}
