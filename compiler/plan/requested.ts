/**
 * Layers whose inner values are to be computed again, on request (`recomputed(m)` in the source): which values belong to one, and after which step each goes.
 *
 * By origins: what is made inside such a layer has it among its callers, and what belongs to the backward pass says so on the way there. A value of a layer goes after its
 * last use of the forward pass if that is the layer's own; what others still read, its result above all, stays.
 */
import type { OriginId, Origins } from '../graph/origin.ts';

/** What origins made directly inside of such a layer say. */
export const RECOMPUTED = 'recomputed';
const BACKWARD = 'gradient';

export interface Requests {
  /** The layer that a value of the forward pass belongs to; null: none that asks. */
  readonly layerOf: (origin: OriginId) => OriginId | null;
  readonly isBackward: (origin: OriginId) => boolean;
}

/** Null where nothing asks. */
export function requestsOf(origins: Origins): Requests | null {
  if (!origins.rows.some((row) => row.via === RECOMPUTED)) return null;
  const found = new Map<OriginId, { readonly layer: OriginId | null; readonly backward: boolean }>();
  const of = (id: OriginId): { readonly layer: OriginId | null; readonly backward: boolean } => {
    let known = found.get(id);
    if (known !== undefined) return known;
    const { parent, via } = origins.get(id);
    const above = parent === null ? { layer: null, backward: false } : of(parent);
    const backward = above.backward || via === BACKWARD;
    // The innermost: what it keeps, the layer around it does not.
    known = { layer: backward ? null : via === RECOMPUTED ? id : above.layer, backward };
    found.set(id, known);
    return known;
  };
  return { layerOf: (id) => of(id).layer, isBackward: (id) => of(id).backward };
}

/** A value of a list of steps: the steps that touch it, the first of which make it, and the last that does. */
export interface Lived {
  readonly id: number;
  readonly origin: OriginId;
  readonly uses: readonly number[];
  readonly made: number;
}

/** Step → values that go after it. `backward`: of a step. */
export function lettingGo(
  values: Iterable<Lived>,
  steps: number,
  requests: Requests,
  backward: (step: number) => boolean,
): ReadonlyMap<number, readonly number[]> {
  let turn = 0;
  while (turn < steps && !backward(turn)) turn++;
  const all = [...values].flatMap((v) => {
    const layer = requests.layerOf(v.origin);
    return layer === null || v.made >= turn ? [] : [{ ...v, layer }];
  });
  const ends = new Map<OriginId, number>();
  for (const { layer, made } of all) ends.set(layer, Math.max(ends.get(layer) ?? 0, made));
  const found = new Map<number, number[]>();
  for (const { id, uses, layer } of all) {
    const last = uses.filter((k) => k < turn).at(-1)!;
    if (last > ends.get(layer)! || !uses.some((k) => k >= turn)) continue;
    const list = found.get(last);
    if (list === undefined) found.set(last, [id]);
    else list.push(id);
  }
  return found;
}
