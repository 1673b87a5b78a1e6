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

export function* decode(net: Streaming, options: DecodeOptions): Generator<number, void, undefined> {
  const { prompt, length, choose = greatest, stop, input = 'token', size = 'S', output } = options;
  const part = options.part ?? prompt.length;
  if (prompt.length === 0 || !(part >= 1))
    throw new RangeError('decode needs a prompt, and parts of at least one token');
  net.reset();
  let seen = 0;
  const read = (tokens: Int32Array): Result['data'] => {
    seen += tokens.length;
    const results = net.stream({ [input]: tokens }, { [size]: seen });
    const result = output === undefined ? Object.values(results)[0] : results[output];
    if (typeof result !== 'object') throw new RangeError(`there is no result ${output ?? ''} with logits`);
    return result.data;
  };
  let logits: Result['data'] | null = null;
  for (let from = 0; from < prompt.length; from += part)
    logits = read(Int32Array.from({ length: Math.min(part, prompt.length - from) }, (_, i) => prompt[from + i]!));
  const one = new Int32Array(1);
  for (let n = 0; n < length; n++) {
    const next = choose(logits!);
    if (next === stop) return;
    yield next;
    one[0] = next;
    if (n + 1 < length) logits = read(one);
  }
}
