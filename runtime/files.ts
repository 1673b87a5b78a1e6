/** Weights and checkpoints as safetensors bytes, and back. Reading and writing files is the caller's. */
import { decode, encode, widen, type SafetensorsProblem, type Tensor } from './safetensors.ts';
import type { PlanDType, Storage } from './plan.ts';
import { dequantise } from './store.ts';
import type { Checkpoint, Weights, WeightTensor } from './weights.ts';

const TYPES = { f32: 'F32', f16: 'F16', i32: 'I32', bool: 'BOOL' } as const;

const STORED = { i8: 'I8', i4: 'U8', f16: 'F16' } as const;
/** The metadata of a file's stored tensors, as JSON: path → how, and the shape of the values. */
const KEY = 'nnc.stored';
const scalesOf = (path: string): string => `${path}#scale`;

interface StoredEntry {
  readonly as: Storage;
  readonly group: number;
  readonly shape: readonly number[];
}

/**
 * f16 tensors are written in 16 bits. What a program stores smaller is written as it is stored, bit for bit: integers of 8 bits (I8), two of 4 bits a byte (U8,
 * the even element low, 8 added), halves (F16); scales in a tensor beside, `PATH#scale`; how to read them in the metadata.
 */
export function encodeWeights(weights: Weights, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  const tensors = new Map<string, Tensor>();
  const entries: Record<string, StoredEntry> = {};
  for (const [path, { dtype, shape, data, stored }] of weights) {
    if (stored === undefined) {
      tensors.set(path, { dtype: TYPES[dtype], shape, data });
      continue;
    }
    const { as, group, scales } = stored;
    entries[path] = { as, group, shape };
    const rows = shape[0] ?? 1;
    tensors.set(path, {
      dtype: STORED[as],
      shape: as === 'i4' ? [rows, stored.data.length / rows] : shape,
      data: stored.data,
    });
    if (as !== 'f16') tensors.set(scalesOf(path), { dtype: 'F32', shape: [scales.length], data: scales });
  }
  return encode(
    tensors,
    Object.keys(entries).length === 0 ? metadata : { ...metadata, [KEY]: JSON.stringify(entries) },
  );
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
  const entries = storedEntries(decoded.metadata[KEY]);
  const taken = new Set<string>();
  for (const [path, entry] of entries) {
    const tensor = decoded.tensors.get(path);
    const scales = decoded.tensors.get(scalesOf(path))?.data ?? new Float32Array(0);
    if (tensor === undefined) continue;
    const { data } = tensor;
    const fits =
      tensor.dtype === STORED[entry.as] &&
      (data instanceof Int8Array || data instanceof Uint8Array || data instanceof Uint16Array);
    if (!fits || !(scales instanceof Float32Array))
      return { ok: false, problem: { kind: 'type', name: path, dtype: tensor.dtype } };
    const stored = { as: entry.as, group: entry.group, data, scales };
    weights.set(path, { dtype: 'f32', shape: entry.shape, data: dequantise(stored, entry.as, entry.group), stored });
    taken.add(path).add(scalesOf(path));
  }
  for (const [name, { dtype, shape, data }] of decoded.tensors) {
    if (taken.has(name)) continue;
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

/** What the metadata say about stored tensors; what says nothing sensible is left out, and its tensors are then of types without a counterpart. */
function storedEntries(text: string | undefined): [string, StoredEntry][] {
  if (text === undefined) return [];
  let found: unknown;
  try {
    found = JSON.parse(text);
  } catch {
    return [];
  }
  if (typeof found !== 'object' || found === null) return [];
  return Object.entries(found as Record<string, Partial<StoredEntry> | null>).flatMap(([path, e]) => {
    const known = e !== null && e.as !== undefined && Object.hasOwn(STORED, e.as);
    const sensible = known && Number.isInteger(e.group) && Array.isArray(e.shape) && e.shape.every(Number.isInteger);
    return sensible ? [[path, e as StoredEntry]] : [];
  });
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
