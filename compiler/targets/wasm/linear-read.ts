/** An operand of a product as one read that is linear in its axes: strides and extents by free and reduced axes, what the guards' expressions do along them. */
import { coefficientOf, mul, names, num, sub, type Poly } from '../../sizes/poly.ts';
import type { Guard, Kernel } from '../../kernel/types.ts';
import type { ProductSide } from '../../schedule/wasm.ts';

export interface Dim {
  /** The axes it is made of. */
  readonly axes: readonly string[];
  readonly extent: Poly;
  /** Bytes from one to the next. */
  readonly stride: Poly;
  /** Per guard: how far its expression moves. */
  readonly guards: readonly Poly[];
}

export interface LinearRead {
  readonly buffer: number;
  readonly own: readonly Dim[];
  readonly over: readonly Dim[];
  /** Bytes that depend on neither. */
  readonly rest: Poly;
  /** Rest of e − lo, and hi − lo. */
  readonly guards: readonly { readonly rest: Poly; readonly room: Poly }[];
}

/** The side as a linear read; null where it is something else. */
export function linearRead(kernel: Kernel, side: ProductSide, over: readonly string[]): LinearRead | null {
  const { value } = side;
  if (value.kind !== 'read' || value.dynamic.length > 0 || kernel.buffers[value.buffer]!.dtype !== 'f32') return null;
  if (kernel.buffers[value.buffer]!.storage !== undefined) return null;
  if (value.otherwise !== null && !(value.otherwise.kind === 'const' && value.otherwise.value === 0)) return null;
  const guards: readonly Guard[] = [...value.guards, ...side.guards];
  const all = [...side.axes, ...over];
  const split = (p: Poly): { coefficients: Map<string, Poly>; rest: Poly } | null => {
    const coefficients = new Map<string, Poly>();
    let rest = p;
    for (const axis of all) {
      const linear = coefficientOf(rest, axis);
      if (linear === null || all.some((s) => names(linear.coefficient).has(s))) return null;
      coefficients.set(axis, linear.coefficient);
      ({ rest } = linear);
    }
    return { coefficients, rest };
  };
  const at = split(mul(value.at, num(4)));
  if (at === null) return null;
  const parts: { readonly coefficients: Map<string, Poly>; readonly rest: Poly; readonly room: Poly }[] = [];
  for (const g of guards) {
    if (all.some((s) => names(g.lo).has(s) || names(g.hi).has(s))) return null;
    const e = split(sub(g.e, g.lo));
    if (e === null) return null;
    parts.push({ ...e, room: sub(g.hi, g.lo) });
  }
  const dims = (axes: readonly string[]): Dim[] => {
    const out: Dim[] = [];
    for (const axis of axes) {
      const own: Dim = {
        axes: [axis],
        extent: kernel.axes.get(axis)!,
        stride: at.coefficients.get(axis)!,
        guards: parts.map((g) => g.coefficients.get(axis)!),
      };
      const last = out.at(-1);
      const joins =
        last !== undefined &&
        last.stride === mul(own.stride, own.extent) &&
        last.guards.every((g, k) => g === mul(own.guards[k]!, own.extent));
      if (joins) out.splice(-1, 1, { ...own, axes: [...last.axes, axis], extent: mul(last.extent, own.extent) });
      else out.push(own);
    }
    return out;
  };
  return {
    buffer: value.buffer,
    own: dims(side.axes),
    over: dims(over),
    rest: at.rest,
    guards: parts.map(({ rest, room }) => ({ rest, room })),
  };
}
