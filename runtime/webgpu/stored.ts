/**
 * Parameters that a GPU keeps in fewer bytes: packed on their way there, a piece at a time, so that no second copy of a large tensor ever exists; and back. Part of an emitted
 * module only where its plan stores something so.
 */
import { dequantise, quantise, storedProblem } from '../store.ts';
import type { Quantised } from '../store.ts';
import type { Storage } from '../plan.ts';
import type { GpuStore } from './machine.ts';

/** Elements that are packed at once, about. */
const STRIDE = 2 ** 20;

const arrayOf = (as: Storage, words: ArrayBuffer, length: number): Quantised['data'] =>
  as === 'i8'
    ? new Int8Array(words, 0, length)
    : as === 'f16'
      ? new Uint16Array(words, 0, length)
      : new Uint8Array(words, 0, length / 2);

export const gpuStore: GpuStore = {
  problem: storedProblem,
  put(machine, { buffer, stored }, tensor) {
    const { as, group, scales } = stored!;
    const send = (from: number, { data, scales: own }: Quantised): void => {
      machine.send(buffer, as === 'i4' ? from / 2 : from * data.BYTES_PER_ELEMENT, data);
      if (scales !== null) machine.send(scales, (from / group) * 4, own);
    };
    if (tensor.stored !== undefined) {
      send(0, tensor.stored);
      return;
    }
    const data = tensor.data as Float32Array;
    // Whole groups, and whole words of eight elements.
    const unit = 8 * Math.max(1, group);
    const step = unit * Math.ceil(STRIDE / unit);
    for (let from = 0; from < data.length; from += step)
      send(from, quantise(data.subarray(from, from + step), as, group));
  },
  take({ dtype, stored }, { shape, data }, scales) {
    const { as, group } = stored!;
    const length = shape.reduce((n, extent) => n * extent, 1);
    const own = {
      data: arrayOf(as, data.buffer as ArrayBuffer, length),
      scales: (scales?.data as Float32Array | undefined) ?? new Float32Array(0),
    };
    return { dtype, shape, data: dequantise(own, as, group), stored: { as, group, ...own } };
  },
};
