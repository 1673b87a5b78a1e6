/**
 * Updates of a part. `past[s] = fresh[s - at] else past[s]` is a new value for every s, and once it is written where the old one lies, most of that is every
 * element written over itself. Here a kernel that updates persistent buffers in place so, between two bounds of one axis, runs over what lies between them
 * only: the axis becomes `low + s`, as long as `high - low`. A step of cached decoding then writes one row of its cache, not all of it.
 *
 * Only for persistent buffers: what such a kernel leaves alone must be there before, and liveness knows that of no others.
 */
import { add, asConst, coefficientOf, name, names, num, ONE, sub, substitute, ZERO, type Poly } from '../sizes/poly.ts';
import { Copier, ExprTable, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, KernelProgram, KernelStep, Schedule, Stage, Write } from '../kernel/types.ts';
import { defaultSchedule } from '../schedule/default.ts';

interface Narrowed {
  readonly kernel: Kernel;
  readonly schedule: Schedule;
}

export function partialUpdates(program: KernelProgram, known: Map<Kernel, Narrowed | null> = new Map()): KernelProgram {
  const persistent = new Set(program.buffers.filter((b) => b.kind === 'persistent').map((b) => b.id));
  const steps = (list: readonly KernelStep[]): KernelStep[] =>
    list.map((step): KernelStep => {
      if (step.kind === 'loop') return { ...step, body: steps(step.body) };
      if (step.kind === 'copy') return step;
      const written = step.kernel.buffers.flatMap((b, k) => (b.access === 'read' ? [] : [step.buffers[k]!]));
      if (!written.every((b) => persistent.has(b))) return step;
      let made = known.get(step.kernel);
      if (made === undefined) {
        const kernel = narrowed(step.kernel);
        known.set(step.kernel, (made = kernel === null ? null : { kernel, schedule: defaultSchedule(kernel, 'ts') }));
      }
      return made === null ? step : { ...step, ...made };
    });
  return { ...program, steps: steps(program.steps) };
}

/** The kernel over the part that it changes; null where it is not one that keeps the rest. */
function narrowed(kernel: Kernel): Kernel | null {
  const [stage, more] = kernel.stages;
  if (stage === undefined || more !== undefined) return null;
  if (stage.over.length > 0 || stage.each.length > 0 || stage.writes.length === 0) return null;
  if ([...stage.defs.values()].some((d) => d.op !== null)) return null;
  const named = (e: Expr): Expr => (e.kind === 'value' ? named(stage.defs.get(e.name)!.value) : e);
  const parts = stage.writes.map((w) => chosen(w, named));
  const [first] = parts;
  if (first === null || first === undefined || parts.some((p) => p?.condition !== first.condition)) return null;
  const range = between(kernel, first.condition, named);
  if (range === null || (kernel.rows ?? []).includes(range.axis)) return null;
  const { axis, low, high } = range;
  const table = new ExprTable();
  const map = new Map([[axis, add(name(axis), low)]]);
  const copier = new Copier(
    table,
    (p, renamed) => substitute(renamed.size === 0 ? p : substitute(p, renamed), map),
    // Named values are written out: what was shared may be so no more.
    (e, own) => (e.kind === 'value' ? own.copy(named(e)) : null),
  );
  const inside = { e: add(name(axis), low), lo: ZERO, hi: kernel.axes.get(axis)! };
  const writes = stage.writes.map((w, k): Write => {
    const { at, dynamic } = copier.access(w);
    return { ...w, at, dynamic, guards: [inside], value: copier.copy(parts[k]!.value) };
  });
  const fresh: Stage = { ...stage, defs: new Map(), writes };
  const read = new Set<number>();
  walk(
    writes.map((w) => w.value),
    (e) => {
      if (e.kind === 'read') read.add(e.buffer);
    },
  );
  // New values must not look at other places of what is changed.
  if (writes.some((w) => read.has(w.buffer))) return null;
  return {
    ...kernel,
    name: `${kernel.name}_part`,
    axes: new Map([...kernel.axes, [axis, sub(high, low)]]),
    buffers: kernel.buffers.map((b) => (b.access === 'readwrite' ? { ...b, access: 'write' } : b)),
    stages: [fresh],
  };
}

/** A write that stores something new under a condition and what is there already elsewhere. */
function chosen(w: Write, named: (e: Expr) => Expr): { readonly condition: Expr; readonly value: Expr } | null {
  if (w.mode !== 'store' || w.guards.length > 0 || w.dynamic.length > 0) return null;
  const value = named(w.value);
  if (value.kind !== 'op' || value.op !== 'select') return null;
  const [condition, fresh, old] = value.args.map(named) as [Expr, Expr, Expr];
  if (old.kind !== 'read' || old.buffer !== w.buffer || old.at !== w.at || old.guards.length > 0) return null;
  return { condition, value: fresh };
}

const polyOf = (e: Expr): Poly | null =>
  e.kind === 'index' ? e.at : e.kind === 'const' && e.dtype === 'i32' ? num(e.value) : null;

/** low ≤ axis < high, if that is what the condition says. */
function between(
  kernel: Kernel,
  condition: Expr,
  named: (e: Expr) => Expr,
): { readonly axis: string; readonly low: Poly; readonly high: Poly } | null {
  const atoms: Expr[] = [];
  const split = (given: Expr): void => {
    const e = named(given);
    if (e.kind === 'op' && e.op === 'and') e.args.forEach(split);
    else atoms.push(e);
  };
  split(condition);
  let axis: string | null = null;
  let low: Poly | null = null;
  let high: Poly | null = null;
  for (const atom of atoms) {
    const positive = atom.kind === 'op' && atom.op === 'not' ? atom.args[0]! : atom;
    if (positive.kind !== 'op' || positive.op !== 'lt') return null;
    const [a, b] = positive.args.map(polyOf) as [Poly | null, Poly | null];
    if (a === null || b === null) return null;
    // Holds where this is not negative.
    const room = positive === atom ? sub(sub(b, a), ONE) : sub(a, b);
    const own = [...names(room)].filter((s) => kernel.axes.has(s));
    if (own.length !== 1 || (axis !== null && axis !== own[0])) return null;
    axis = own[0]!;
    const linear = coefficientOf(room, axis);
    const coefficient = linear === null ? null : asConst(linear.coefficient);
    if (coefficient === 1 && low === null) low = sub(ZERO, linear!.rest);
    else if (coefficient === -1 && high === null) high = add(linear!.rest, ONE);
    else return null;
  }
  return axis === null || low === null || high === null ? null : { axis, low, high };
}
