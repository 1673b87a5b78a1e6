/**
 * Memory planning: kernel programs become a `Plan`, plain data that a runtime can run.
 *
 * Persistent leaves lie side by side in an arena of their own. Everything else shares one work arena for all programs (place.ts). Sizes of
 * buffers are taken at the bounds of the size names; a name without a bound is a problem, not a guess.
 */
import { names, type Poly } from '../sizes/poly.ts';
import { problem, type Problem } from '../diagnostics/problem.ts';
import type { OriginId } from '../graph/origin.ts';
import type { Buffer, Kernel, KernelProgram, KernelStep, Schedule } from '../kernel/types.ts';
import type { DType, ProgramName, Unit } from '../graph/types.ts';
import type {
  Plan,
  PlanBuffer,
  PlanInference,
  PlanInput,
  PlanLeaf,
  PlanProgram,
  PlanStep,
  PlanTraining,
  SizeExpr,
  Storage,
} from '../../runtime/plan.ts';
import { kernelKey } from './identity.ts';
import { align, layout, storedBytes, WIDTH } from './place.ts';
import { interval, sizeExpr } from './sizes.ts';
import type { Requests } from './requested.ts';
import { asRequested, crowdOf, within, type Recomputation, type Within } from './within.ts';

export interface Planned {
  readonly ok: true;
  readonly plan: Plan;
  /** In the plan's order, with the names that the plan gives them. */
  readonly kernels: readonly Kernel[];
  /** One a kernel. */
  readonly schedules: readonly Schedule[];
  /** As planned: with what is computed again. */
  readonly programs: ReadonlyMap<ProgramName, KernelProgram>;
  readonly recomputations: readonly Recomputation[];
}

export interface PlanOptions {
  /** false: every buffer has a place of its own, for comparison. Default true. */
  readonly reuse?: boolean;
  /** Bytes that all of it may take, or as few as there is a way to: values are then computed again in place of kept (within.ts). */
  readonly memory?: number | 'least';
  /** Layers that ask for their inner values to be computed again. */
  readonly requests?: Requests | null;
  /** Where in the source something comes from. */
  readonly spanOf?: (origin: OriginId) => Problem['span'];
  /** Leaves kept in fewer bytes, by path: how, elements of a scale (0: none), and the name that the scales have as a leaf. */
  readonly stored?: ReadonlyMap<string, { readonly as: Storage; readonly group: number; readonly scales: string }>;
}

export type Planning = Planned | { readonly ok: false; readonly problems: readonly Problem[] };

/** Kernels of all programs, each once, under unique names. */
class KernelTable {
  readonly kernels: Kernel[] = [];
  readonly schedules: Schedule[] = [];
  private readonly positions = new Map<string, number>();
  private readonly byObject = new Map<Kernel, Map<Schedule, number>>();
  private readonly taken = new Set<string>();

  add(kernel: Kernel, schedule: Schedule): number {
    let known = this.byObject.get(kernel);
    if (known === undefined) this.byObject.set(kernel, (known = new Map()));
    let position = known.get(schedule);
    if (position !== undefined) return position;
    const key = kernelKey(kernel, schedule);
    position = this.positions.get(key);
    if (position === undefined) {
      position = this.kernels.length;
      let name = kernel.name;
      for (let n = 2; this.taken.has(name); n++) name = `${kernel.name}_${n}`;
      this.taken.add(name);
      this.kernels.push(name === kernel.name ? kernel : { ...kernel, name });
      this.schedules.push(schedule);
      this.positions.set(key, position);
    }
    known.set(schedule, position);
    return position;
  }
}

/** Names that a program's memory depends on: those of its buffers, without loop variables. */
function sizeNames(unit: Unit, programs: Iterable<KernelProgram>): Set<string> {
  const found = new Set<string>();
  const all = (sizes: readonly Poly[]): void => {
    for (const p of sizes) for (const s of names(p)) found.add(s);
  };
  for (const program of programs) for (const buffer of program.buffers) all(buffer.sizes);
  for (const leaf of unit.leaves) all(leaf.type.sizes);
  for (const input of unit.inputs) all(input.type.sizes);
  return found;
}

/** Which sizes follow from the lengths of these inputs, in order, and which do not. */
export function inferences(
  inputs: readonly PlanInput[],
  sizes: readonly string[],
): { infer: PlanInference[]; required: string[] } {
  const known = new Set<string>();
  const infer: PlanInference[] = [];
  const isKnown = (e: SizeExpr): boolean =>
    typeof e === 'number' || (typeof e === 'string' ? known.has(e) : e.args.every(isKnown));
  const required: string[] = [];
  const settle = (): void => {
    for (let again = true; again;) {
      again = false;
      for (const input of inputs) {
        const open = input.shape.flatMap((e, axis) => (isKnown(e) ? [] : [{ e, axis }]));
        const only = open[0];
        if (only === undefined || open.length > 1) continue;
        const linear = linearIn(only.e);
        if (linear === null) continue;
        infer.push({ ...linear, input: input.name, axis: only.axis });
        known.add(linear.size);
        again = true;
      }
    }
  };
  settle();
  // One that must be given may settle others.
  for (const size of sizes) {
    if (known.has(size)) continue;
    required.push(size);
    known.add(size);
    settle();
  }
  return { infer, required };
}

function linearIn(e: SizeExpr): { size: string; scale: number; offset: number } | null {
  if (typeof e === 'string') return { size: e, scale: 1, offset: 0 };
  if (typeof e === 'number') return null;
  const [a, b] = e.args;
  if (e.args.length !== 2 || a === undefined || b === undefined) return null;
  if (e.op === 'mul' && typeof a === 'number' && typeof b === 'string') return { size: b, scale: a, offset: 0 };
  if (e.op === 'add' && typeof b === 'number') {
    const inner = linearIn(a);
    return inner === null ? null : { ...inner, offset: inner.offset + b };
  }
  return null;
}

/**
 * Plans a unit's programs. `bounds` gives greatest values of sizes for which the source states none (or smaller ones than it states).
 * Sizes of the result are bytes.
 */
export function plan(
  unit: Unit,
  programs: ReadonlyMap<ProgramName, KernelProgram>,
  bounds: ReadonlyMap<string, number>,
  options: PlanOptions = {},
): Planning {
  const needed = sizeNames(unit, programs.values());
  const limits = new Map<string, number>();
  const problems: Problem[] = [];
  for (const size of unit.sizes) {
    const given = bounds.get(size.name);
    const bound = size.bound === null ? given : Math.min(size.bound, given ?? size.bound);
    if (bound !== undefined) limits.set(size.name, bound);
    else if (needed.has(size.name)) problems.push(problem('NN520', null, { size: size.name, unit: unit.name }));
  }
  if (problems.length > 0) return { ok: false, problems };
  for (const name of needed) {
    if (!limits.has(name)) throw new Error(`the size ${name} of unit ${unit.name} is in no SizeSpec`);
  }
  const of = (name: string) => ({ low: 1, high: limits.get(name)! });
  const bytesOf = (dtype: DType, sizes: readonly Poly[]): number =>
    sizes.reduce((n, p) => n * Math.max(0, interval(p, of).high), 1) * WIDTH[dtype];

  const buffers: PlanBuffer[] = [];
  const leaves: PlanLeaf[] = [];
  const byPath = new Map<string, number>();
  let persistent = 0;
  for (const leaf of unit.leaves) {
    const shape = leaf.type.sizes.map(sizeExpr);
    const { dtype } = leaf.type;
    const whole = bytesOf(dtype, leaf.type.sizes);
    const stored = options.stored?.get(leaf.path);
    const elements = whole / WIDTH[dtype];
    const bytes = stored === undefined ? whole : storedBytes(elements, stored.as);
    const buffer = buffers.length;
    byPath.set(leaf.path, buffer);
    const keep = (row: Pick<PlanBuffer, 'name' | 'dtype' | 'shape' | 'bytes' | 'storage'>): void => {
      buffers.push({ ...row, arena: 'persistent', offset: persistent, kind: 'persistent', leaf: row.name });
      persistent = align(persistent + row.bytes);
    };
    const base = { path: leaf.path, kind: leaf.kind, dtype, shape, buffer };
    if (stored === undefined) {
      leaves.push(base);
      keep({ name: leaf.path, dtype, shape, bytes });
      continue;
    }
    const { as, group, scales } = stored;
    leaves.push({ ...base, stored: { as, group, scales: group === 0 ? null : buffer + 1 } });
    keep({ name: leaf.path, dtype, shape, bytes, storage: as });
    if (group === 0) continue;
    byPath.set(scales, buffer + 1);
    keep({ name: scales, dtype: 'f32', shape: [elements / group], bytes: (4 * elements) / group });
  }

  const inputs = unit.inputs.map((input): PlanInput => ({
    name: input.name,
    dtype: input.type.dtype,
    shape: input.type.sizes.map(sizeExpr),
    below: input.below === null ? null : sizeExpr(input.below),
  }));
  const table = new KernelTable();
  const planned: Record<string, PlanProgram> = {};
  let work = 0;
  const room = (b: Buffer): number => bytesOf(b.dtype, b.sizes);
  const chosen = new Map<ProgramName, KernelProgram>();
  const recomputations: Recomputation[] = [];
  const fits = fitAll(programs, persistent, room, (s) => limits.get(s) ?? 1, options);
  for (const [name] of programs) {
    const fitted = fits.get(name)!;
    chosen.set(name, fitted.program);
    if (fitted.recomputation !== null) recomputations.push(fitted.recomputation);
    if (!fitted.fits) {
      problems.push(tooLarge(unit.name, name, fitted, persistent, room, options));
      continue;
    }
    const { program, layout: laid } = fitted;
    const { bytes, groupOf } = laid;
    work = Math.max(work, bytes);

    const positions = new Map<number, number>();
    for (const buffer of program.buffers) {
      if (buffer.kind === 'persistent') {
        const at = byPath.get(buffer.leaf ?? '');
        if (at === undefined) throw new Error(`${program.name}: no leaf ${buffer.leaf} for buffer ${buffer.name}`);
        positions.set(buffer.id, at);
        continue;
      }
      const group = groupOf.get(buffer.id);
      if (group === undefined) continue;
      positions.set(buffer.id, buffers.length);
      buffers.push({
        name: buffer.name,
        dtype: buffer.dtype,
        shape: buffer.sizes.map(sizeExpr),
        arena: 'work',
        offset: group.offset,
        bytes: bytesOf(buffer.dtype, buffer.sizes),
        kind: buffer.kind,
        leaf: buffer.leaf,
      });
    }

    const lower = (steps: readonly KernelStep[]): PlanStep[] =>
      steps.map((step): PlanStep => {
        switch (step.kind) {
          case 'call':
            return {
              kind: 'call',
              kernel: table.add(step.kernel, step.schedule),
              buffers: step.buffers.map((b) => positions.get(b)!),
              sizes: step.sizes.map(sizeExpr),
            };
          case 'loop':
            return {
              kind: 'loop',
              variable: step.variable,
              count: sizeExpr(step.count),
              reversed: step.reversed,
              ...(step.until === null ? {} : { until: positions.get(step.until)! }),
              ...(step.limit === null ? {} : { limit: positions.get(step.limit)! }),
              body: lower(step.body),
            };
          case 'copy':
            return { kind: 'copy', from: positions.get(step.from)!, to: positions.get(step.to)! };
        }
      });
    const steps = lower(program.steps);
    const supplied = program.buffers.filter((b) => b.kind === 'data' || b.kind === 'scalar');
    const taken = new Set(supplied.map((b) => b.leaf ?? b.name));
    const mine = inputs.filter((input) => taken.has(input.name));
    planned[name] = {
      name,
      steps,
      inputs: Object.fromEntries(supplied.map((b) => [b.leaf ?? b.name, positions.get(b.id)!])),
      outputs: Object.fromEntries(
        program.outputs.filter((o) => o.updates === null).map((o) => [o.name, positions.get(o.buffer)!]),
      ),
      ...inferences(mine, usedSizes(program, limits)),
    };
  }

  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    programs: chosen,
    recomputations,
    plan: {
      name: unit.name,
      kind: unit.kind,
      training:
        unit.training === null
          ? null
          : {
              batch: planBatch(unit.training.batch),
              epochs: unit.training.epochs,
              split: unit.training.split,
              patience: unit.training.patience,
              ...(unit.training.folds === null ? {} : { folds: unit.training.folds }),
              ...(unit.training.runs === null ? {} : { runs: unit.training.runs }),
            },
      sizes: unit.sizes.flatMap((s) => (limits.has(s.name) ? [{ name: s.name, bound: limits.get(s.name)! }] : [])),
      arenas: { persistent, work },
      buffers,
      leaves,
      inputs,
      requirements: unit.requirements.map((r) => ({
        left: sizeExpr(r.left),
        relation: r.relation,
        right: sizeExpr(r.right),
        message: r.message,
        ...(r.program === undefined ? {} : { program: r.program }),
      })),
      kernels: table.kernels.map((k) => k.name),
      programs: planned,
      ...(unit.checkpoints.length === 0 ? {} : { checkpoints: unit.checkpoints }),
    },
    kernels: table.kernels,
    schedules: table.schedules,
  };
}

/** All programs share one arena: what the largest takes costs the others nothing. */
function fitAll(
  programs: ReadonlyMap<ProgramName, KernelProgram>,
  persistent: number,
  bytes: (b: Buffer) => number,
  of: (size: string) => number,
  { memory, reuse, requests = null }: PlanOptions,
): ReadonlyMap<ProgramName, Within> {
  const fits = new Map<ProgramName, Within>();
  for (const [name, program] of programs)
    fits.set(
      name,
      (requests === null || reuse === false ? null : asRequested(program, bytes, of, requests)) ?? {
        program,
        layout: layout(program, bytes, reuse),
        recomputation: null,
        fits: true,
      },
    );
  if (memory === undefined || reuse === false) return fits;
  let bound = memory === 'least' ? 0 : memory - persistent;
  for (const [name, { layout: whole }] of [...fits].sort(([, a], [, b]) => b.layout.bytes - a.layout.bytes)) {
    if (whole.bytes <= bound) continue;
    const found = within(programs.get(name)!, memory === 'least' ? memory : bound, bytes, of, requests);
    fits.set(name, found);
    // One report is enough.
    if (!found.fits) break;
    if (memory === 'least') bound = Math.max(bound, found.layout.bytes);
  }
  return fits;
}

/** How many tensors a report names. */
const NAMED = 6;

function tooLarge(
  unit: string,
  program: ProgramName,
  fitted: Within,
  persistent: number,
  bytes: (b: Buffer) => number,
  { memory, spanOf }: PlanOptions,
): Problem {
  const { members } = crowdOf(fitted.program, fitted.layout.ranges, bytes);
  const places = new Set<string>();
  const largest = members
    .filter((m) => !places.has(`${m.origin} ${m.bytes}`) && places.add(`${m.origin} ${m.bytes}`))
    .slice(0, NAMED)
    .map(({ origin, ...m }) => ({ ...m, span: spanOf?.(origin) ?? null }));
  return problem('NN530', largest[0]?.span ?? null, {
    unit,
    program,
    bound: memory as number,
    least: persistent + fitted.layout.bytes,
    persistent,
    largest,
  });
}

type Batch = NonNullable<Unit['training']>['batch'];

function planBatch(batch: Batch): PlanTraining['batch'] {
  if (batch === null) return null;
  const { size, value, parts } = batch;
  return parts === 1 ? { size, value } : { size, value, parts };
}

/** Size names that a program's buffers and calls mention, in the unit's order. */
function usedSizes(program: KernelProgram, limits: ReadonlyMap<string, number>): string[] {
  const found = new Set<string>();
  const all = (sizes: readonly Poly[]): void => {
    for (const p of sizes) for (const s of names(p)) found.add(s);
  };
  for (const buffer of program.buffers) all(buffer.sizes);
  const go = (steps: readonly KernelStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'call') all(step.sizes);
      if (step.kind === 'loop') {
        all([step.count]);
        go(step.body);
      }
    }
  };
  go(program.steps);
  return [...limits.keys()].filter((s) => found.has(s));
}
