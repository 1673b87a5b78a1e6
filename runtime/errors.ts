/** What a compiled program throws: data that do not fit it. Everything wrong at once, where several things can be. */

/**
 * NN531 an input is missing or of another array type · NN532 an input's length · NN533 a size · NN534 an index outside its bound ·
 * NN535 a requirement · NN536 weights or a checkpoint that do not fit · NN537 an option · NN538 initial
 * weights that cannot be drawn. On a GPU: NN541 no WebGPU or no device · NN542 the
 * device was lost · NN543 over the device's limits · NN544 a kernel or a call that the device refused · NN545 out of memory.
 */
export type NncErrorCode =
  | ('NN531' | 'NN532' | 'NN533' | 'NN534' | 'NN535' | 'NN536' | 'NN537' | 'NN538')
  | ('NN541' | 'NN542' | 'NN543' | 'NN544' | 'NN545');

export class NncError extends Error {
  readonly code: NncErrorCode;
  /** The guilty input, size or option; null where several are. */
  readonly input: string | null;
  /** One sentence each; `message` holds them all. */
  readonly problems: readonly string[];

  constructor(code: NncErrorCode, input: string | null, problems: readonly string[]) {
    super(`${code}: ${problems.join('\n')}`);
    this.name = 'NncError';
    this.code = code;
    this.input = input;
    this.problems = problems;
  }
}
