/**
 * Explanations of what an emitted module throws (`NncError`). Its sentences are made at run time, from the data at hand; here is what `nnc explain`
 * says of the codes.
 */
import type { NncErrorCode } from '../../../runtime/errors.ts';

export const runtimeExplanations: Readonly<Record<NncErrorCode, { readonly title: string; readonly explain: string }>> =
  {
    NN531: {
      title: 'an input is missing or of another array type',
      explain:
        'A call of `step`, `evaluate` or `forward` needs every input of the program, as the typed array of its type: Float32Array for float, Int32Array for i32, Uint8Array for bool.',
    },
    NN532: {
      title: 'an input has another length',
      explain:
        'The array has more or fewer elements than its shape at the sizes of this call. Arrays are flat, in row-major order.',
    },
    NN533: {
      title: 'a size that does not fit',
      explain:
        'A size must be a whole number from 1 up to the bound it was compiled for. Compile with a greater bound (`--bound B=256`, or `bounds` in the API) for more.',
    },
    NN534: {
      title: 'an index outside its range',
      explain:
        'An input declared `i32[…] < V` has an element below 0 or not below V. The message has its position and value.',
    },
    NN535: {
      title: 'a requirement on the sizes does not hold',
      explain:
        'The program has a `require` that could only be checked with the sizes of the data, and they do not satisfy it.',
    },
    NN536: {
      title: 'weights or a checkpoint that do not fit',
      explain:
        'Every parameter and state must be there under its path, with its shape and type, and nothing else. The message lists all that is missing, surplus or different; nothing was changed.',
    },
    NN537: {
      title: 'an option that cannot be',
      explain: 'A seed is an integer of 32 bits; data columns have the same, whole number of rows.',
    },
    NN538: {
      title: 'no weights for a program that stores them smaller',
      explain:
        'A program built with `--weights int8` (or `f16`, `int4`) only computes with weights that exist: `create({ weights })` stores them in fewer bytes as it takes them.',
    },
    NN541: {
      title: 'no WebGPU',
      explain:
        'The browser or runtime offers no WebGPU, or no device. The `wasm` and `ts` targets of the same program run without.',
    },
    NN542: {
      title: 'the device was lost',
      explain:
        'The GPU device went away: a driver was reset or replaced, or a kernel took longer than the system allows. The message has what the program was last given, and the line of it. `recover(checkpoint)` opens another device and goes on; `fit` does that by itself, from a checkpoint that it keeps in memory.',
    },
    NN543: {
      title: 'over the limits of the device',
      explain:
        'A buffer of the program is larger than the device may bind, or it needs more of them. Smaller bounds make smaller buffers.',
    },
    NN544: {
      title: 'the device refused a kernel or a call',
      explain:
        'This is a bug of nnc, or of the driver: the message has what the device said, the kernel, and the line of the source that it was made from.',
    },
    NN545: {
      title: 'the device is out of memory',
      explain:
        'The message names the largest tensors and the lines that they come from; smaller bounds need less. The memory that a program takes is printed by `nnc build`.',
    },
  };
