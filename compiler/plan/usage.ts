/**
 * How a kernel touches its buffers, in the order of its stages: does it look at what was there before, does it write, and does it write every
 * element before it looks. Liveness asks no more than this. Not an alias analysis: that two buffers may share memory is share.ts.
 */
import { mul, names, ONE, type Poly } from '../sizes/poly.ts';
import { stageRoots, walk } from '../kernel/expr.ts';
import type { Kernel, Write } from '../kernel/types.ts';

export interface Usage {
  /** Reads or combines with content from before the call. */
  readonly readsOld: boolean;
  readonly writes: boolean;
  /** Combines with content from before the call (a scatter without a fill). */
  readonly combines: boolean;
  /** Every element is written, and none is read before that. */
  readonly defines: boolean;
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
    walk(stageRoots(stage), (e) => {
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
