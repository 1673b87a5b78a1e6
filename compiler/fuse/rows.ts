/**
 * Updates of the rows that data named. Plain gradient descent on a table changes `w - rate * g`, and the gradient of a look-up is 0 but in the rows that were
 * looked up: a step would fill all of g with zeros, add to a few rows, and go over the whole table to change those. Here three steps over the table
 * (fill, scatter, update) become steps over the places of the scatter alone: zeros there, the scatter as it was, the new values there into a small matrix, and
 * that into the table. A row that occurs twice gets the same value twice, so results have the same bits, in any order of the places.
 *
 * Only where the update is `w - product` with a factor g and factors that do not depend on the place: with momentum or moments every row moves in every step,
 * and the whole table is the definition. Only persistent tables, like updates of a part (partial.ts): what is left alone must be there before.
 */
import { add, asConst, evaluate, mul, name, ONE, substitute, ZERO, type Poly } from '../sizes/poly.ts';
import { Copier, polysOf, walk } from '../kernel/expr.ts';
import type { Buffer, Expr, Kernel, KernelProgram, KernelStep, Stage, Write } from '../kernel/types.ts';
import type { Draft } from './assemble.ts';
import type { KernelCache, Made } from './cache.ts';

type Call = Extract<KernelStep, { kind: 'call' }>;

/** The table must have so many times the elements that are added. */
const SPARSE = 4;

export interface RowOptions {
  readonly cache: KernelCache;
  /** What sizes are expected to be at most. */
  readonly of: (size: string) => number;
}

/** The program with such updates in place of those of whole tables; the same program where there are none. */
export function rowUpdates(program: KernelProgram, options: RowOptions): KernelProgram {
  const buffers = [...program.buffers];
  const instead = new Map<KernelStep, readonly KernelStep[]>();
  for (const [id, list] of touching(program.steps)) {
    const [fill, scatter, update, more] = list;
    if (program.buffers[id]!.kind !== 'temporary' || more !== undefined) continue;
    if (fill?.kind !== 'call' || scatter?.kind !== 'call' || update?.kind !== 'call') continue;
    const made = ofRows({ buffers, options, fill, scatter, update, gradient: id });
    if (made === null) continue;
    const [zeros, values, put] = made;
    instead.set(fill, [zeros]).set(update, [values, put]);
  }
  if (instead.size === 0) return program;
  return { ...program, buffers, steps: program.steps.flatMap((s) => instead.get(s) ?? [s]) };
}

/** Steps by the buffers that they touch; a loop is one step. */
function touching(steps: readonly KernelStep[]): ReadonlyMap<number, readonly KernelStep[]> {
  const found = new Map<number, KernelStep[]>();
  const put = (buffer: number, step: KernelStep): void => {
    const list = found.get(buffer);
    if (list === undefined) found.set(buffer, [step]);
    else if (list.at(-1) !== step) list.push(step);
  };
  const go = (list: readonly KernelStep[], outer: KernelStep | null): void => {
    for (const step of list) {
      if (step.kind === 'loop') {
        go(step.body, outer ?? step);
        for (const b of [step.until, step.limit]) if (b !== null) put(b, outer ?? step);
      } else for (const b of step.kind === 'copy' ? [step.from, step.to] : step.buffers) put(b, outer ?? step);
    }
  };
  go(steps, null);
  return found;
}

/** The only stage, with nothing reduced and one write. */
function onlyWrite({ stages }: Kernel): { readonly stage: Stage; readonly write: Write } | null {
  const [stage, more] = stages;
  if (stage === undefined || more !== undefined || stage.over.length > 0 || stage.each.length > 0) return null;
  const [write, other] = stage.writes;
  return write === undefined || other !== undefined ? null : { stage, write };
}

const product = (sizes: readonly Poly[]): Poly => sizes.reduce((p, s) => mul(p, s), ONE);

/** Whether a kernel does no more than store 0 in every place of its only buffer. */
function zeroes(kernel: Kernel): boolean {
  const found = onlyWrite(kernel);
  const [buffer, more] = kernel.buffers;
  if (found === null || more !== undefined) return false;
  const { mode, guards, dynamic, value } = found.write;
  const all = product(found.stage.axes.map((a) => kernel.axes.get(a)!)) === product(buffer!.sizes);
  return mode === 'store' && guards.length + dynamic.length === 0 && value.kind === 'const' && value.value === 0 && all;
}

interface Found {
  readonly buffers: Buffer[];
  readonly options: RowOptions;
  readonly fill: Call;
  readonly scatter: Call;
  readonly update: Call;
  readonly gradient: number;
}

/** The steps instead of the fill and of the update; null where the three are something else. */
function ofRows({
  buffers,
  options,
  fill,
  scatter,
  update,
  gradient,
}: Found): [KernelStep, KernelStep, KernelStep] | null {
  const { cache, of } = options;
  const { table } = cache;
  if (!zeroes(fill.kernel)) return null;
  const added = onlyWrite(scatter.kernel);
  if (added === null || added.write.mode !== 'add' || added.write.dynamic.length === 0) return null;
  if (scatter.buffers[added.write.buffer] !== gradient) return null;
  if (!scatter.kernel.sizes.every((s, k) => scatter.sizes[k] === name(s))) return null;
  const changed = onlyWrite(update.kernel);
  const rule = changed === null ? null : descent(update, changed.stage, changed.write, gradient);
  if (rule === null || buffers[rule.weight]!.kind !== 'persistent') return null;
  const count = (sizes: readonly Poly[]): number => sizes.reduce((n, s) => n * evaluate(s, of), 1);
  const { stage, write } = added;
  const extents = stage.axes.map((a) => scatter.kernel.axes.get(a)!);
  if (SPARSE * count(extents) > count(buffers[gradient]!.sizes)) return null;

  const values = buffers.length;
  const { origin } = update;
  const made = (wanted: string, use: (draft: Drafting) => Write): Call => {
    const drafting = new Drafting(cache, scatter, stage);
    const draft = drafting.done(use(drafting));
    const parameters = draft.buffers.map((b) => buffers[b]!);
    const { kernel, schedule }: Made = cache.intern(draft, parameters, () => wanted, origin);
    return { kind: 'call', kernel, schedule, buffers: draft.buffers, sizes: kernel.sizes.map((s) => name(s)), origin };
  };
  buffers.push({
    ...{ id: values, name: `${buffers[gradient]!.name}_rows`, kind: 'temporary', dtype: 'f32' },
    ...{ sizes: extents, leaf: null, origin },
  });
  let at = ZERO;
  for (const [k, axis] of stage.axes.entries()) at = add(at, mul(name(axis), product(extents.slice(k + 1))));
  const zeros = made(`${scatter.kernel.name}_zeros`, (d) => ({
    ...d.place(write, gradient),
    ...{ value: table.constant(0, 'f32'), mode: 'store' },
  }));
  const fresh = made(`${scatter.kernel.name}_values`, (d) => {
    const read = (buffer: number): Expr => {
      const { at: place, guards } = d.place(write, buffer);
      const otherwise = guards.length === 0 ? null : table.constant(0, 'f32');
      return table.read(d.parameter(buffer), 'f32', place, guards, otherwise);
    };
    const value = d
      .of(update, (e) =>
        e === rule.old
          ? read(rule.weight)
          : e.kind === 'read' && update.buffers[e.buffer] === gradient
            ? read(gradient)
            : null,
      )
      .copy(rule.value);
    return { buffer: d.parameter(values), at, dynamic: [], guards: [], value, mode: 'store' };
  });
  const put = made(`${scatter.kernel.name}_update`, (d) => ({
    ...d.place(write, rule.weight),
    ...{ value: table.read(d.parameter(values), 'f32', at), mode: 'store' },
  }));
  return [zeros, fresh, put];
}

/** A kernel over the places of a scatter, in the making. */
class Drafting {
  private readonly buffers: number[] = [];
  private readonly cache: KernelCache;
  private readonly scatter: Call;
  private readonly stage: Stage;

  constructor(cache: KernelCache, scatter: Call, stage: Stage) {
    this.cache = cache;
    this.scatter = scatter;
    this.stage = stage;
  }

  parameter(buffer: number): number {
    const known = this.buffers.indexOf(buffer);
    return known >= 0 ? known : this.buffers.push(buffer) - 1;
  }

  /** Copies expressions of a step's kernel, but what `instead` says; named values are written out. */
  of(step: Call, instead: (e: Expr) => Expr | null = () => null): Copier {
    const [stage] = step.kernel.stages;
    const { table } = this.cache;
    return new Copier(
      table,
      (p, renamed) => substitute(p, renamed),
      (e, own) => {
        const other = instead(e);
        if (other !== null) return other;
        if (e.kind === 'value') return own.copy(stage!.defs.get(e.name)!.value);
        if (e.kind !== 'read') return null;
        const { at, guards, otherwise } = own.access(e);
        return table.read(this.parameter(step.buffers[e.buffer]!), e.dtype, at, guards, otherwise);
      },
    );
  }

  /** Where the scatter writes, in another buffer. */
  place(write: Write, buffer: number): Pick<Write, 'buffer' | 'at' | 'guards' | 'dynamic'> {
    const { at, guards, dynamic } = this.of(this.scatter).access(write);
    return { buffer: this.parameter(buffer), at, guards, dynamic };
  }

  done(write: Write): Draft {
    const { stage, buffers } = this;
    const { axes } = this.scatter.kernel;
    return {
      axes: new Map(stage.axes.map((a) => [a, axes.get(a)!])),
      rows: [],
      stages: [{ ...stage, defs: new Map(), writes: [write] }],
      buffers,
      access: buffers.map((_, k) => (k === write.buffer ? 'write' : 'read')),
      reasons: new Map([[write.buffer, 'opaque']]),
      numbers: new Map(),
      local: new Set(),
    };
  }
}

/** `w - product` at every point, with the gradient as a factor and all others the same everywhere. */
function descent(
  update: Call,
  stage: Stage,
  write: Write,
  gradient: number,
): { readonly weight: number; readonly value: Expr; readonly old: Expr } | null {
  const { kernel } = update;
  const named = (e: Expr): Expr => (e.kind === 'value' ? named(stage.defs.get(e.name)!.value) : e);
  if (write.mode !== 'store' || write.guards.length > 0 || write.dynamic.length > 0) return null;
  if (kernel.buffers.some((b) => b.storage !== undefined)) return null;
  const value = named(write.value);
  if (value.kind !== 'op' || value.op !== 'sub') return null;
  const [old, product] = value.args.map(named) as [Expr, Expr];
  const isHere = (e: Expr, buffer: number): boolean =>
    e.kind === 'read' &&
    e.dtype === 'f32' &&
    update.buffers[e.buffer] === buffer &&
    e.at === write.at &&
    e.guards.length === 0;
  const weight = update.buffers[write.buffer]!;
  if (!isHere(old, weight)) return null;
  const steady = (root: Expr): boolean => {
    let same = true;
    const go = (e: Expr): void =>
      walk([e], (x) => {
        if (x.kind === 'value') go(named(x));
        else if (x.kind === 'guarded' || (x.kind === 'op' && x.op === 'random')) same = false;
        else if (polysOf(x).some((p) => asConst(p) === null)) same = false;
        if (x.kind === 'read' && [weight, gradient].includes(update.buffers[x.buffer]!)) same = false;
      });
    go(root);
    return same;
  };
  const factor = (given: Expr): boolean => {
    const e = named(given);
    if (isHere(e, gradient)) return true;
    if (e.kind !== 'op') return false;
    const [a, b] = e.args as [Expr, Expr | undefined];
    if (e.op === 'neg') return factor(a);
    if (e.op === 'div') return factor(a) && steady(b!);
    return e.op === 'mul' && ((factor(a) && steady(b!)) || (steady(a) && factor(b!)));
  };
  return factor(product) ? { weight, value, old } : null;
}
