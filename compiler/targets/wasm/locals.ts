/** Locals for variables: those that are never wanted at the same time share one. */
import type { ValueType } from './encoder.ts';
import { children } from './sink.ts';
import type { Label, Tree } from './tree.ts';
import type { Webs } from './webs.ts';

export interface Allocated {
  /** Types of the locals after the parameters. */
  readonly locals: readonly ValueType[];
  /** Variable → local. */
  readonly numbers: readonly number[];
}

/**
 * Where locals of a kind begin, whatever stands before: like code in two functions then has like numbers, which a compressor sees. Integers that outlive the beginning
 * of a loop are a kind of their own, since how many there are depends on how deep the loops are. Unused locals between cost nothing.
 */
const KINDS: readonly { readonly type: ValueType; readonly long: boolean; readonly from: number }[] = [
  { type: 'i32', long: true, from: 12 },
  { type: 'i32', long: false, from: 40 },
  { type: 'v128', long: false, from: 48 },
  { type: 'f32', long: false, from: 64 },
  { type: 'i64', long: false, from: 0 },
  { type: 'f64', long: false, from: 0 },
];

export function allocate(
  trees: readonly Tree[],
  webs: Webs,
  types: readonly ValueType[],
  parameters: number,
): Allocated {
  const count = webs.localOf.length;
  const first = new Int32Array(count).fill(-2);
  const last = new Int32Array(count).fill(-2);
  /** Where loops begin, in this order. */
  const starts: number[] = [];
  let at = 0;
  for (let p = 0; p < parameters; p++) first[p] = last[p] = -1;
  for (const v of webs.zero) first[v] = last[v] = -1;
  let touched = new Set<number>();
  const touch = (v: number): void => {
    touched.add(v);
    at++;
    if (first[v] === -2) first[v] = at;
    last[v] = at;
  };
  const visit = (t: Tree): void => {
    if (t.kind !== 'loop') {
      children(t, visit);
      if (t.kind === 'get' || t.kind === 'set' || t.kind === 'tee') touch(t.variable);
      return;
    }
    const around = touched;
    touched = new Set();
    const start = ++at;
    starts.push(start);
    children(t, visit);
    const carried: ReadonlySet<number> = webs.carried.get(t.label as Label) ?? new Set();
    at++;
    for (const v of touched) {
      if (carried.has(v)) {
        first[v] = Math.min(first[v]!, start);
        last[v] = at;
      } else if (first[v]! < start) last[v] = at;
      around.add(v);
    }
    touched = around;
  };
  trees.forEach(visit);

  const outlives = (v: number): boolean => {
    let [low, high] = [0, starts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle]! < first[v]!) low = middle + 1;
      else high = middle;
    }
    return low < starts.length && starts[low]! <= last[v]!;
  };
  const numbers: number[] = Array.from({ length: count }, (_, v) => v);
  const order = numbers.filter((v) => v >= parameters && first[v] !== -2).sort((a, b) => first[a]! - first[b]!);
  const locals: ValueType[] = [];
  for (const { type, long, from } of KINDS) {
    const own = order.filter((v) => types[webs.localOf[v]!] === type && (type !== 'i32' || outlives(v) === long));
    if (own.length === 0) continue;
    while (parameters + locals.length < from) locals.push(locals.at(-1) ?? type);
    const base = parameters + locals.length;
    /** Slot → end of what is in it. */
    const until: number[] = [];
    for (const v of own) {
      const free = webs.zero.has(v) ? -1 : until.findIndex((end) => end < first[v]!);
      const slot = free < 0 ? until.length : free;
      until[slot] = last[v]!;
      numbers[v] = base + slot;
    }
    for (let k = 0; k < until.length; k++) locals.push(type);
  }
  return { locals, numbers };
}
