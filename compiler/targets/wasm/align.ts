/**
 * Kernels cut along one axis, so that each thread reads of what was written since the threads met only what it wrote itself: between them nobody has to meet.
 *
 * A buffer is thought of as units: floor(place / stride) mod units, where all kernels that write it or read it agree about the stride and the number of units
 * (a batch, say: the rows of [B, 4, H], and of [T, B, H] in every round of a loop over T). A kernel is cut along an axis of so many units, in runs of whole
 * ones, and all take the same runs (`KernelEmitter.part`). That each of its places belongs to the unit of the axis is proved from the polynomials; what cannot
 * be proved is taken to be touched everywhere. No name, no layer and no operation is known here.
 *
 * Used for loops, whose rounds would cost several meetings each: a scan over time whose body never looks from one row of the batch at another runs from
 * its first round to its last without any. Who meets whom is in meetings.ts.
 */
import type { Plan, PlanStep } from '../../../runtime/plan.ts';
import { walk } from '../../kernel/expr.ts';
import type { Guard, Kernel, Stage } from '../../kernel/types.ts';
import { interval, sizePoly, type Interval } from '../../plan/sizes.ts';
import { tileFor } from '../../schedule/panels.ts';
import type { WasmLeaf, WasmSchedule, WasmShare } from '../../schedule/wasm.ts';
import { MACHINE } from '../../schedule/machine.ts';
import {
  asConst,
  coefficientOf,
  divideExact,
  divideWithRest,
  evaluate,
  mul,
  name,
  names,
  num,
  substitute,
  type Poly,
} from '../../sizes/poly.ts';
import { meetingsOf, type Parallel } from './meetings.ts';

type Call = Extract<PlanStep, { kind: 'call' }>;
type Copy = Extract<PlanStep, { kind: 'copy' }>;
type Loop = Extract<PlanStep, { kind: 'loop' }>;

/** How a step's buffers are cut, one entry a buffer of a call, two of a copy: bytes of a unit; null: touched by every thread. */
export interface Cut {
  readonly units: Poly;
  readonly bytes: readonly (number | null)[];
}

/** Schedules by kernel, and the steps whose buffers are cut. */
export interface Alignment {
  readonly schedules: readonly WasmSchedule[];
  readonly cuts: ReadonlyMap<PlanStep, Cut>;
}

/** A call's polynomials in names of the program; axes under names that no size has. */
class Called {
  readonly kernel: Kernel;
  private readonly map: ReadonlyMap<string, Poly>;
  constructor(kernel: Kernel, step: Call) {
    this.kernel = kernel;
    this.map = new Map([
      ...kernel.sizes.map((s, k) => [s, sizePoly(step.sizes[k]!)] as const),
      ...[...kernel.axes.keys()].map((a) => [a, name(axisName(a))] as const),
    ]);
  }
  poly(p: Poly): Poly {
    return substitute(p, this.map);
  }
  extent(axis: string): Poly {
    return this.poly(this.kernel.axes.get(axis)!);
  }
}

const axisName = (axis: string): string => `#${axis}`;

/** What threads share if the kernel is cut along `axis`, `each` points of it a unit; null: it cannot be. */
function shareAlong(kernel: Kernel, schedule: WasmSchedule, axis: string, each: number): WasmShare | null {
  if (schedule.block !== null) return null;
  const whole = each % 4 === 0;
  if (schedule.rows.length > 0) {
    if (!schedule.rows.includes(axis) || (axis === schedule.vector && !whole)) return null;
    return { axis, by: each };
  }
  const [leaf] = schedule.leaves;
  if (schedule.leaves.length === 1 && leaf?.kind === 'product') {
    if (leaf.batch.includes(axis)) return leaf.few.leaf.vector === axis && !whole ? null : { axis, by: each };
    if (leaf.few.leaf.vector === axis && !whole) return null;
    for (const panels of ['rows', 'columns'] as const) {
      const [outer, ...inner] = leaf[panels].axes;
      if (outer !== axis) continue;
      const by = inner.reduce((n, a) => n * (asConst(kernel.axes.get(a)!) ?? Number.NaN), each);
      return Number.isNaN(by) || (panels === 'columns' && by % 4 !== 0) ? null : { panels, by };
    }
    return null;
  }
  // Stages one after the other, each along the same axis; their values must not pass from one to another but through memory.
  const defined = kernel.stages.map((s) => s.defs);
  for (const [k, l] of schedule.leaves.entries()) {
    if (l.kind !== 'loops' || !l.free.includes(axis)) return null;
    if (l.vector === axis && !whole) return null;
    if (l.points !== undefined && l.free.at(-1) === axis) return null;
    let own = true;
    walk(rootsOf(kernel.stages[k]!), (e) => {
      if (e.kind === 'value' && !defined[k]!.has(e.name)) own = false;
    });
    if (!own) return null;
  }
  return { axis, by: each };
}

const rootsOf = (stage: Stage): Parameters<typeof walk>[0] => [
  ...[...stage.defs.values()].flatMap((d) => (d.op !== null && d.init !== null ? [d.value, d.init] : [d.value])),
  ...[...stage.each, ...stage.writes].flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
];

interface Access {
  readonly at: Poly;
  /** Outside of these nothing is touched. */
  readonly guards: readonly Guard[];
}

/** Everything that touches each of the kernel's buffers. */
function accessesOf(kernel: Kernel): readonly (readonly Access[])[] {
  const found = kernel.buffers.map((): Access[] => []);
  for (const stage of kernel.stages) {
    for (const w of [...stage.each, ...stage.writes]) found[w.buffer]!.push(w);
    walk(rootsOf(stage), (e) => {
      if (e.kind === 'read') found[e.buffer]!.push(e);
    });
  }
  return found;
}

/**
 * Elements of a unit if an access lies in unit floor(axis / each) of `units`: at = step · axis + rest with step · each elements a unit, where what of the rest
 * is no multiple of all units together lies in [0, step).
 */
function strideOf(at: Poly, axis: string, each: number, units: Poly, of: (name: string) => Interval): number | null {
  const linear = coefficientOf(at, axisName(axis));
  const step = linear === null ? null : asConst(linear.coefficient);
  if (linear === null || step === null || step <= 0) return null;
  const { rest } = divideWithRest(linear.rest, mul(num(step * each), units));
  const { low, high } = interval(rest, of);
  return low >= 0 && high < step ? step * each : null;
}

/** The names' intervals where the guards hold, as far as those bound a single name by constants. */
function inside(guards: readonly Guard[], of: (name: string) => Interval): (name: string) => Interval {
  const closer = new Map<string, Interval>();
  for (const g of guards) {
    const [s, more] = names(g.e);
    const linear = s === undefined || more !== undefined ? null : coefficientOf(g.e, s);
    const [from, to] = [asConst(g.lo), asConst(g.hi)];
    if (linear === null || asConst(linear.coefficient) !== 1 || from === null || to === null) continue;
    const less = asConst(linear.rest)!;
    const { low, high } = closer.get(s!) ?? of(s!);
    closer.set(s!, { low: Math.max(low, from - less), high: Math.min(high, to - 1 - less) });
  }
  return (s) => closer.get(s) ?? of(s);
}

const ANYWHERE: Interval = { low: -Infinity, high: Infinity };

/** The call cut into `units`: what threads share, and how its buffers are. */
function cutCall(
  plan: Plan,
  step: Call,
  called: Called,
  schedule: WasmSchedule,
  units: Poly,
  bounds: (size: string) => number | null,
): { readonly share: WasmShare; readonly cut: Cut } | null {
  const { kernel } = called;
  const extents = new Map([...kernel.axes.keys()].map((a) => [axisName(a), called.extent(a)]));
  const of = (s: string): Interval => {
    const extent = extents.get(s);
    if (extent !== undefined) return { low: 0, high: evaluate(extent, (x) => bounds(x) ?? Number.NaN) - 1 };
    const bound = bounds(s);
    return bound === null ? ANYWHERE : { low: 0, high: bound };
  };
  const accesses = accessesOf(kernel).map((list) =>
    list.map(({ at, guards }) => ({
      at: called.poly(at),
      of: inside(
        guards.map((g) => ({ e: called.poly(g.e), lo: called.poly(g.lo), hi: called.poly(g.hi) })),
        of,
      ),
    })),
  );
  const axes = new Set(schedule.rows.length > 0 ? schedule.rows : kernel.stages.flatMap((s) => s.axes));
  for (const axis of axes) {
    const points = divideExact(called.extent(axis), units);
    const each = points === null ? null : asConst(points);
    if (each === null || each < 1) continue;
    const share = shareAlong(kernel, schedule, axis, each);
    if (share === null) continue;
    const bytes = kernel.buffers.map((b, k): number | null => {
      const strides = accesses[k]!.map((a) => strideOf(a.at, axis, each, units, a.of));
      const [stride] = strides;
      if (stride === undefined || stride === null || strides.some((s) => s !== stride)) return null;
      const { dtype, storage } = plan.buffers[step.buffers[k]!]!;
      return storage === undefined && b.row === undefined ? stride * (dtype === 'bool' ? 1 : 4) : null;
    });
    if (kernel.buffers.some((b, k) => b.access !== 'read' && bytes[k] === null)) continue;
    return { share, cut: { units, bytes } };
  }
  return null;
}

function cutCopy(plan: Plan, step: Copy, units: Poly): Cut | null {
  const { dtype, shape } = plan.buffers[step.from]!;
  const [first, ...inner] = shape.map(sizePoly);
  if (first !== units) return null;
  const each = inner.reduce((n, p) => n * (asConst(p) ?? Number.NaN), dtype === 'bool' ? 1 : 4);
  return Number.isNaN(each) ? null : { units, bytes: [each, each] };
}

const isInnermost = (loop: Loop): boolean =>
  loop.until === undefined && loop.limit === undefined && loop.body.every((s) => s.kind !== 'loop');

const productOf = (schedule: WasmSchedule): Extract<WasmLeaf, { kind: 'product' }> | null =>
  schedule.leaves.length === 1 && schedule.leaves[0]!.kind === 'product' ? schedule.leaves[0]! : null;

/** As scheduled, with what threads share; a product's tile for the rows that one of two threads has. */
function withShare(
  kernel: Kernel,
  schedule: WasmSchedule,
  share: WasmShare,
  of: (size: string) => number,
): WasmSchedule {
  const leaf = productOf(schedule);
  if (leaf === null || !('panels' in share) || share.panels !== 'rows') return { ...schedule, share };
  const rows = leaf.rows.axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, of), 1);
  return { ...schedule, share, leaves: [{ ...leaf, tile: tileFor(Math.ceil(rows / 2)) }] };
}

const sameShare = (a: WasmShare | null, b: WasmShare): boolean => JSON.stringify(a) === JSON.stringify(b);

/** `of`: by kernel, the greatest value of its sizes; `fixed`: kernels whose schedule was chosen otherwise. */
export function alignLoops(
  plan: Plan,
  kernels: readonly Kernel[],
  schedules: readonly WasmSchedule[],
  of: readonly ((size: string) => number)[],
  fixed: ReadonlySet<number>,
): Alignment {
  const made = [...schedules];
  const taken = new Set(fixed);
  const cuts = new Map<PlanStep, Cut>();
  const sizes = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const parallel = (own: ReadonlyMap<PlanStep, Cut>, list: readonly WasmSchedule[]): Parallel => ({
    plan,
    kernels,
    shared: (k) => list[k]!.share !== null,
    cuts: own,
    packed: () => false,
  });
  const go = (steps: readonly PlanStep[], loops: ReadonlyMap<string, number>): void => {
    for (const step of steps) {
      if (step.kind !== 'loop') continue;
      const bounds = (s: string): number | null => loops.get(s) ?? sizes.get(s) ?? null;
      const inside = new Map([...loops, [step.variable, evaluate(sizePoly(step.count), (s) => bounds(s) ?? 1)]]);
      go(step.body, inside);
      if (!isInnermost(step)) continue;
      const known = parallel(cuts, made);
      let fewest = meetingsOf(known, step);
      if (fewest === 0) continue;
      let best: { readonly schedules: WasmSchedule[]; readonly cuts: Map<PlanStep, Cut> } | null = null;
      const called = new Map<PlanStep, Called>(
        step.body.flatMap((s) => (s.kind === 'call' ? [[s, new Called(kernels[s.kernel]!, s)] as const] : [])),
      );
      const within = (s: string): number | null => inside.get(s) ?? sizes.get(s) ?? null;
      for (const units of unitsOf(plan, step.body, called, (s) => within(s) ?? 1)) {
        const own = [...made];
        const added = new Map<PlanStep, Cut>();
        for (const s of step.body) {
          if (s.kind === 'copy') {
            const cut = cutCopy(plan, s, units);
            if (cut !== null) added.set(s, cut);
          }
          if (s.kind !== 'call') continue;
          const found = cutCall(plan, s, called.get(s)!, own[s.kernel]!, units, within);
          if (found === null) continue;
          const settled =
            taken.has(s.kernel) || [...added.keys()].some((x) => x.kind === 'call' && x.kernel === s.kernel);
          if (settled && !sameShare(own[s.kernel]!.share, found.share)) continue;
          if (!settled) own[s.kernel] = withShare(kernels[s.kernel]!, own[s.kernel]!, found.share, of[s.kernel]!);
          added.set(s, found.cut);
        }
        const count = meetingsOf(parallel(new Map([...cuts, ...added]), own), step);
        if (count >= fewest) continue;
        fewest = count;
        best = { schedules: own, cuts: added };
      }
      if (best === null) continue;
      for (const [s, cut] of best.cuts) {
        cuts.set(s, cut);
        if (s.kind !== 'call') continue;
        made[s.kernel] = best.schedules[s.kernel]!;
        taken.add(s.kernel);
      }
    }
  };
  for (const program of Object.values(plan.programs)) go(program.steps, new Map());
  return { schedules: made, cuts };
}

/** Numbers of units that a loop's steps could be cut into: extents of axes and of tensors, those of which a few threads have several each. */
function unitsOf(
  plan: Plan,
  body: readonly PlanStep[],
  called: ReadonlyMap<PlanStep, Called>,
  of: (size: string) => number,
): ReadonlySet<Poly> {
  const found = new Set<Poly>();
  const put = (extent: Poly): void => {
    if (evaluate(extent, of) >= MACHINE.partsToShare) found.add(extent);
  };
  for (const c of called.values())
    for (const stage of c.kernel.stages) for (const axis of stage.axes) put(c.extent(axis));
  for (const step of body) {
    const buffers = step.kind === 'call' ? step.buffers : step.kind === 'copy' ? [step.from] : [];
    for (const b of buffers) for (const e of plan.buffers[b]!.shape) put(sizePoly(e));
  }
  return found;
}
