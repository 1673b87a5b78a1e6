/** A callee's types in the caller's sizes: names by polynomials, runs by lists of axes. */
import type { Poly } from '../sizes/poly.ts';
import { name as nameAtom, names, substitute } from '../sizes/poly.ts';
import { runSize } from './builtins.ts';
import type { Axis, TensorType, Type, Why } from './types.ts';
import { elements, sizeAxis } from './types.ts';

export type SizeMap = ReadonlyMap<string, Poly>;
export type RunMap = ReadonlyMap<string, readonly Axis[]>;

/** Substitution with `size(S)` of bound runs included. */
export function complete(map: SizeMap, runs: RunMap): SizeMap {
  if (runs.size === 0) return map;
  const all = new Map(map);
  for (const [run, axes] of runs) all.set(`size(${run})`, elements(axes, runSize));
  return all;
}

/** `whyOf` gives the reason of a result axis; null keeps what is there. */
export function substituteShape(
  shape: readonly Axis[],
  map: SizeMap,
  runs: RunMap,
  whyOf: ((size: Poly, pattern: Poly, old: Why | null) => Why | null) | null,
): Axis[] {
  const all = complete(map, runs);
  return shape.flatMap((axis): readonly Axis[] => {
    if (axis.kind === 'run') return runs.get(axis.name) ?? [axis];
    const size = substitute(axis.size, all);
    return [sizeAxis(size, whyOf === null ? axis.why : whyOf(size, axis.size, axis.why))];
  });
}

export function substituteTensor(
  t: TensorType,
  map: SizeMap,
  runs: RunMap,
  whyOf: Parameters<typeof substituteShape>[3],
): TensorType {
  const all = complete(map, runs);
  return {
    ...t,
    shape: substituteShape(t.shape, map, runs, whyOf),
    below: t.below === null ? null : substitute(t.below, all),
    value: t.value === null ? null : substitute(t.value, all),
    condition: null,
  };
}

export function substituteType(
  t: Type,
  map: SizeMap,
  runs: RunMap,
  whyOf: Parameters<typeof substituteShape>[3],
): Type {
  switch (t.kind) {
    case 'tensor':
      return substituteTensor(t, map, runs, whyOf);
    case 'number':
      return { ...t, value: t.value === null ? null : substitute(t.value, complete(map, runs)), condition: null };
    case 'record':
      return {
        kind: 'record',
        fields: new Map([...t.fields].map(([k, v]) => [k, substituteType(v, map, runs, whyOf)])),
      };
    default:
      return t;
  }
}

/** Whether the polynomial is just this name. */
export function isName(p: Poly): string | null {
  const all = names(p);
  if (all.size !== 1) return null;
  const [only] = all;
  return nameAtom(only!) === p ? only! : null;
}
