/** Weights and checkpoints as safetensors bytes, and back. Reading and writing files is the caller's. */
import { decode, encode, widen, type SafetensorsProblem, type Tensor } from './safetensors.ts';
import type { PlanDType } from './plan.ts';
import type { Checkpoint, Weights, WeightTensor } from './weights.ts';

const TYPES = { f32: 'F32', f16: 'F16', i32: 'I32', bool: 'BOOL' } as const;

/** f16 tensors are written in 16 bits. */
export function encodeWeights(weights: Weights, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const tensors = new Map<string, Tensor>();
  for (const [path, { dtype, shape, data }] of weights) tensors.set(path, { dtype: TYPES[dtype], shape, data });
  return encode(tensors, metadata);
}

export type DecodedWeights =
  | {
      readonly ok: true;
      readonly weights: Map<string, WeightTensor>;
      readonly metadata: Readonly<Record<string, string>>;
    }
  | {
      readonly ok: false;
      readonly problem: SafetensorsProblem | { readonly kind: 'type'; readonly name: string; readonly dtype: string };
    };

/** bfloat16 becomes f32, exactly; f64, unsigned and 64-bit tensors have no counterpart. */
export function decodeWeights(bytes: Uint8Array): DecodedWeights {
  const decoded = decode(bytes);
  if (!decoded.ok) return decoded;
  const weights = new Map<string, WeightTensor>();
  for (const [name, { dtype, shape, data }] of decoded.tensors) {
    const put = (as: PlanDType, values: WeightTensor['data']): void => {
      weights.set(name, { dtype: as, shape, data: values });
    };
    if (data instanceof Float32Array) put('f32', data);
    else if (data instanceof Int32Array) put('i32', data);
    else if (dtype === 'BOOL' && data instanceof Uint8Array) put('bool', data);
    else if ((dtype === 'F16' || dtype === 'BF16') && data instanceof Uint16Array) {
      put(dtype === 'F16' ? 'f16' : 'f32', widen(data, dtype));
    } else return { ok: false, problem: { kind: 'type', name, dtype } };
  }
  return { ok: true, weights, metadata: decoded.metadata };
}

export function encodeCheckpoint({ unit, seed, step, tensors }: Checkpoint): Uint8Array {
  return encodeWeights(tensors, { unit, seed: String(seed), step: String(step) });
}

/** Null if the bytes are weights without the particulars of a checkpoint. */
export function decodeCheckpoint(
  bytes: Uint8Array,
): (DecodedWeights & { readonly ok: false }) | { readonly ok: true; readonly checkpoint: Checkpoint | null } {
  const decoded = decodeWeights(bytes);
  if (!decoded.ok) return decoded;
  const { unit, seed, step } = decoded.metadata;
  if (unit === undefined || seed === undefined || step === undefined) return { ok: true, checkpoint: null };
  return { ok: true, checkpoint: { unit, seed: Number(seed), step: Number(step), tensors: decoded.weights } };
}
