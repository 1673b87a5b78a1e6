/**
 * How a kernel touches its buffers, in the order of its stages: does it look at what was there before, does it write, and does it write every
 * element before it looks. Liveness asks no more than this. Not an alias analysis: that two buffers may share memory is share.ts.
 */
import { mul, names, ONE, type Poly } from '../sizes/poly.ts';
import type { Expr, Kernel, Stage, Write } from '../kernel/types.ts';

export interface Usage {
  /** Reads or combines with content from before the call. */
  readonly readsOld: boolean;
  readonly writes: boolean;
  /** Combines with content from before the call (a scatter without a fill). */
  readonly combines: boolean;
  /** Every element is written, and none is read before that. */
  readonly defines: boolean;
}

/** Expressions directly below one. */
export function children(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'read':
      return [...e.dynamic.map((d) => d.value), ...(e.otherwise === null ? [] : [e.otherwise])];
    case 'op':
      return e.args;
    case 'guarded':
      return [e.inside, e.outside];
    case 'value':
    case 'index':
    case 'const':
      return [];
  }
}

/** Each expression below the roots once. */
export function visit(roots: Iterable<Expr>, each: (e: Expr) => void): void {
  const seen = new Set<Expr>();
  const go = (e: Expr): void => {
    if (seen.has(e)) return;
    seen.add(e);
    each(e);
    for (const child of children(e)) go(child);
  };
  for (const root of roots) go(root);
}

export function stageRoots(stage: Stage): Expr[] {
  const roots: Expr[] = [];
  for (const def of stage.defs.values()) {
    if (def.op !== null && def.init !== null) roots.push(def.init);
    roots.push(def.value);
  }
  for (const write of [...stage.each, ...stage.writes]) {
    for (const d of write.dynamic) roots.push(d.value);
    roots.push(write.value);
  }
  return roots;
}

const product = (sizes: readonly Poly[]): Poly => sizes.reduce((p, s) => mul(p, s), ONE);

/** Whether a write at every point of `axes` stores each element of its buffer. */
export function covers(kernel: Kernel, write: Write, axes: readonly string[]): boolean {
  if (write.mode !== 'store' || write.guards.length > 0 || write.dynamic.length > 0) return false;
  const mentioned = names(write.at);
  const extents = axes.filter((axis) => mentioned.has(axis)).map((axis) => kernel.axes.get(axis)!);
  return product(extents) === product(kernel.buffers[write.buffer]!.sizes);
}

const known = new WeakMap<Kernel, readonly Usage[]>();

/** One entry a buffer parameter. */
export function usage(kernel: Kernel): readonly Usage[] {
  const before = known.get(kernel);
  if (before !== undefined) return before;
  const state = kernel.buffers.map(() => ({ readsOld: false, writes: false, combines: false, defines: false }));
  for (const stage of kernel.stages) {
    visit(stageRoots(stage), (e) => {
      if (e.kind === 'read' && !state[e.buffer]!.defines) state[e.buffer]!.readsOld = true;
    });
    const all = [
      ...stage.each.map((write) => ({ write, axes: [...stage.axes, ...stage.over] })),
      ...stage.writes.map((write) => ({ write, axes: stage.axes })),
    ];
    for (const { write } of all) {
      const s = state[write.buffer]!;
      s.writes = true;
      if (write.mode !== 'store' && !s.defines) s.readsOld = s.combines = true;
    }
    for (const { write, axes } of all) {
      const s = state[write.buffer]!;
      if (!s.readsOld && covers(kernel, write, axes)) s.defines = true;
    }
  }
  known.set(kernel, state);
  return state;
}
