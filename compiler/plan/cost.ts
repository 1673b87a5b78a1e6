/**
 * What a kernel has to do, counted from its representation: floating-point operations, and bytes that must cross from memory and back. A pure
 * function of the kernel and its sizes; how it is scheduled does not matter.
 *
 * Operations: every distinct arithmetic expression (exp and its like count as one too) once for every point of the axes that it depends on, as
 * if all that can leave a loop had left it; a reduction one more a point. Comparisons, selections and conversions are free. Points that a guard rules
 * out are counted: a causal product counts in full. Bytes: every buffer once, as many elements as the accesses can reach; what a kernel reads of
 * its own writes is free. Not a prediction of time: the least that any schedule has to do.
 */
import { evaluate, names, type Poly } from '../sizes/poly.ts';
import { operands, polysOf, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, ScalarOp, Stage, Write } from '../kernel/types.ts';
import { storedBytes, WIDTH } from './place.ts';
import { stageRoots } from '../kernel/expr.ts';
import { usage } from './usage.ts';

export interface KernelCost {
  readonly flops: number;
  readonly read: number;
  readonly written: number;
}

/** One operation each; the others are free. */
const counted: ReadonlySet<ScalarOp> = new Set<ScalarOp>([
  ...(['neg', 'recip', 'exp', 'log', 'sin', 'cos', 'tanh', 'erf', 'sqrt'] as const),
  ...(['add', 'sub', 'mul', 'div', 'pow', 'max', 'min', 'mod'] as const),
]);

const isFloat = (e: Expr): boolean => e.dtype === 'f32' || e.dtype === 'f16';

/** The axes that expressions depend on, through the values of their kernel. */
class Dependence {
  private readonly known = new Map<Expr, ReadonlySet<string>>();
  private readonly values = new Map<string, ReadonlySet<string>>();
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    for (const stage of kernel.stages)
      for (const [name, def] of stage.defs) {
        const own = new Set(this.of(def.value));
        if (def.op !== null) for (const axis of stage.over) own.delete(axis);
        this.values.set(name, own);
      }
  }

  of(e: Expr): ReadonlySet<string> {
    const before = this.known.get(e);
    if (before !== undefined) return before;
    const found = new Set<string>(e.kind === 'value' ? this.values.get(e.name) : []);
    for (const p of polysOf(e)) this.axes(p, found);
    for (const below of operands(e)) for (const axis of this.of(below)) found.add(axis);
    this.known.set(e, found);
    return found;
  }

  axes(p: Poly, into: Set<string>): void {
    for (const name of names(p)) if (this.kernel.axes.has(name)) into.add(name);
  }
}

/**
 * At these sizes; `of` gives the value of a size or a loop's variable. `room` tells how many elements a buffer has: kernels of several places share
 * one text, in which the sizes of a buffer are those of one of them. Without it the text is believed.
 */
export function kernelCost(
  kernel: Kernel,
  of: (size: string) => number,
  room: (buffer: number) => number = (k) => kernel.buffers[k]!.sizes.reduce((n, p) => n * evaluate(p, of), 1),
): KernelCost {
  const depends = new Dependence(kernel);
  const points = (axes: Iterable<string>): number => {
    let n = 1;
    for (const axis of axes) n *= Math.max(0, evaluate(kernel.axes.get(axis)!, of));
    return n;
  };
  const touched = kernel.buffers.map(() => ({ read: 0, written: 0 }));
  const used = usage(kernel);
  let flops = 0;

  const write = (w: Write, all: readonly string[]): void => {
    const axes = new Set<string>();
    depends.axes(w.at, axes);
    for (const d of w.dynamic) for (const axis of depends.of(d.value)) axes.add(axis);
    const n = points(axes);
    touched[w.buffer]!.written += n;
    if (w.mode === 'store') return;
    touched[w.buffer]!.read += n;
    if (isFloat(w.value)) flops += points(all);
  };

  const stage = (s: Stage): void => {
    walk(stageRoots(s), (e) => {
      if (e.kind === 'op' && counted.has(e.op) && isFloat(e)) flops += points(depends.of(e));
      if (e.kind !== 'read') return;
      const axes = new Set<string>();
      depends.axes(e.at, axes);
      for (const d of e.dynamic) for (const axis of depends.of(d.value)) axes.add(axis);
      touched[e.buffer]!.read += points(axes);
    });
    const inside = [...s.axes, ...s.over];
    for (const def of s.defs.values())
      if (def.op !== null && def.op !== 'argmax' && isFloat(def.value)) flops += points(inside);
    for (const w of s.each) write(w, inside);
    for (const w of s.writes) write(w, s.axes);
  };
  for (const s of kernel.stages) stage(s);

  let read = 0;
  let written = 0;
  for (const [k, buffer] of kernel.buffers.entries()) {
    const elements = room(k);
    const bytes = (count: number): number => {
      const n = Math.min(count, elements);
      return buffer.storage === undefined ? n * WIDTH[buffer.dtype] : storedBytes(n, buffer.storage);
    };
    if (used[k]!.readsOld) read += bytes(touched[k]!.read);
    written += bytes(touched[k]!.written);
  }
  return { flops, read, written };
}
