/**
 * Weights kept in fewer bytes: how f32 values become stored ones and come back. Part of an emitted module only where its plan stores something so.
 *
 * Integers are symmetric: for every group of g consecutive elements (a row, or a part of one) s = max |w| / m with m = 127 or 7, q = w / s rounded to
 * the nearest whole number, ties to even, and w' = q s; so |w - w'| <= s / 2 (Jacob et al., "Quantization and training of neural networks for efficient
 * integer-arithmetic-only inference", 2018, without offsets; a scale for every row as in Krishnamoorthi, "Quantizing deep convolutional
 * networks", 2018; for every group as in Shen et al., "Q-BERT", 2020). Halves are rounded to nearest, ties to even.
 */
import { f16Bits, halfValue } from './half.ts';
import type { Held } from './memory.ts';
import type { PlanLeaf, Storage } from './plan.ts';
import type { Store } from './execute.ts';
import type { WeightTensor } from './weights.ts';

export interface Quantised {
  /** Int8Array (i8), Uint8Array with two elements a byte (i4), Uint16Array (f16). */
  readonly data: Int8Array | Uint8Array | Uint16Array;
  /** One for every group; empty for f16. */
  readonly scales: Float32Array;
}

const most = { i8: 127, i4: 7 } as const;

/** The nearest whole number, ties to even, for |x| < 2^51. */
const nearest = (x: number): number => x + 6755399441055744 - 6755399441055744;

/** `group` divides the length (and is even for i4). Values are finite, and below 65,520 for f16: `storable` tells. */
export function quantise(values: ArrayLike<number>, as: Storage, group: number): Quantised {
  const { length } = values;
  if (as === 'f16') {
    const data = new Uint16Array(length);
    for (let i = 0; i < length; i++) data[i] = f16Bits(values[i]!);
    return { data, scales: new Float32Array(0) };
  }
  const scales = new Float32Array(length / group);
  const data = as === 'i8' ? new Int8Array(length) : new Uint8Array(length / 2);
  const limit = most[as];
  for (let g = 0; g < scales.length; g++) {
    let top = 0;
    for (let i = g * group; i < (g + 1) * group; i++) top = Math.max(top, Math.abs(values[i]!));
    const scale = (scales[g] = Math.fround(top / limit));
    for (let i = g * group; i < (g + 1) * group; i++) {
      // A scale that is no normal number any more is too coarse: the quotient may pass the limit.
      const q = scale === 0 ? 0 : Math.max(-limit, Math.min(limit, nearest(values[i]! / scale)));
      if (as === 'i8') data[i] = q;
      else data[i >> 1]! |= (q + 8) << (4 * (i & 1));
    }
  }
  return { data, scales };
}

export function dequantise({ data, scales }: Quantised, as: Storage, group: number): Float32Array {
  const out = new Float32Array(as === 'i4' ? data.length * 2 : data.length);
  for (let i = 0; i < out.length; i++) {
    if (as === 'f16') out[i] = halfValue(data[i]!);
    else {
      const q = as === 'i8' ? data[i]! : ((data[i >> 1]! >> (4 * (i & 1))) & 15) - 8;
      out[i] = q * scales[Math.floor(i / group)]!;
    }
  }
  return out;
}

/** Why a value cannot be stored so; null if all can. */
export function storable(values: ArrayLike<number>, as: Storage): string | null {
  for (let i = 0; i < values.length; i++) {
    const x = values[i]!;
    if (!Number.isFinite(x)) return `element ${i} is ${x}, which has no place among integers and halves`;
    if (as === 'f16' && Math.abs(x) >= 65520) return `element ${i} is ${x}, beyond the halves`;
  }
  return null;
}

/** Why a tensor cannot be what such a leaf is to hold; null if it can. */
export function storedProblem({ path, stored }: PlanLeaf, tensor: WeightTensor): string | null {
  const { as, group } = stored!;
  const length = tensor.shape.reduce((n, extent) => n * extent, 1);
  if (tensor.stored !== undefined) {
    const { data, scales } = tensor.stored;
    if (tensor.stored.as !== as || tensor.stored.group !== group)
      return `${path} is stored as ${tensor.stored.as} in groups of ${tensor.stored.group}, not as ${as} in groups of ${group}.`;
    if (data.length !== (as === 'i4' ? length / 2 : length) || scales.length !== (as === 'f16' ? 0 : length / group))
      return `${path} has ${data.length} stored elements and ${scales.length} scales, which is not [${tensor.shape.join(', ')}].`;
    return null;
  }
  if (!(tensor.data instanceof Float32Array))
    return `${path} must be a Float32Array, not ${tensor.data.constructor.name}.`;
  if (tensor.data.length !== length)
    return `${path} has ${tensor.data.length} elements, which is not [${tensor.shape.join(', ')}].`;
  const why = storable(tensor.data, as);
  return why === null ? null : `${path}: ${why}.`;
}

/** From the form of `Quantised` to the one that a program has in memory, and back. */
function turn(bytes: Held): void {
  for (let i = 1; i < bytes.length; i += 2) bytes[i]! ^= 128;
}

export const store: Store = {
  problem: storedProblem,
  put({ memory }, { buffer, stored }, tensor) {
    const { as, group, scales, turned } = stored!;
    const own = tensor.stored ?? quantise(tensor.data, as, group);
    const view = memory.views[buffer]!;
    view.set(own.data);
    if (turned) turn(view);
    if (scales !== null) memory.views[scales]!.set(own.scales);
  },
  take(machine, { buffer, dtype, stored }) {
    const { as, group, scales, turned } = stored!;
    const { views } = machine.memory;
    const data = views[buffer]!.slice() as Quantised['data'];
    if (turned) turn(data);
    const own = { data, scales: scales === null ? new Float32Array(0) : (views[scales]!.slice() as Float32Array) };
    return {
      dtype,
      shape: machine.shape(buffer),
      data: dequantise(own, as, group),
      stored: { as, group, ...own },
    };
  },
};
