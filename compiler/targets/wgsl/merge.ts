/**
 * Calls one after the other as one kernel, for a call of a program with one row (a token behind a cache): there a dispatch costs more than what it computes. What belongs
 * to one unit (a head, say) is one workgroup's work from the first of the calls to the last, with barriers between their stages; what is little altogether is
 * one workgroup's alone.
 *
 * A unit is a value of an axis that all of the calls have. That no unit looks at another's is proved from polynomials: whatever one stage writes and another touches lies at
 * stride * unit + rest, 0 <= rest < stride, for all who touch it; memory that calls use in turn counts as one. Sizes that follow from the length of an input are taken to be
 * one here, and the runtime asks for that before it takes the kernel instead of the calls (`within`). The arithmetic stays; reductions may be shared among other threads.
 */
import type { Plan, PlanProgram, PlanStep } from '../../../runtime/plan.ts';
import { Copier, ExprTable, stageRoots, walk } from '../../kernel/expr.ts';
import type { BufferParameter, Def, Expr, Kernel, Stage, Write } from '../../kernel/types.ts';
import { interval, sizePoly } from '../../plan/sizes.ts';
import type { WgslSchedule } from '../../schedule/wgsl.ts';
import { shareForm, type SharedForm } from '../../schedule/wgsl-reduce.ts';
import {
  add,
  asConst,
  coefficientOf,
  evaluate,
  mul,
  name,
  names,
  num,
  sub,
  substitute,
  type Poly,
} from '../../sizes/poly.ts';

type Call = Extract<PlanStep, { kind: 'call' }>;

export interface MergedCalls {
  /** Position of the first among the program's steps. */
  readonly first: number;
  readonly count: number;
  readonly kernel: Kernel;
  readonly schedule: WgslSchedule;
  /** Of the plan, one a buffer of the kernel. */
  readonly buffers: readonly number[];
  /** Where each buffer that no other call touches begins in memory of the kernel's own; null: it lies where the plan says. */
  readonly own: readonly (number | null)[];
  /** Elements of that memory. */
  readonly scratch: number;
  /** When it is computed so: all of these are at most so much. */
  readonly within: readonly { readonly value: Poly; readonly most: number }[];
}

/** Threads of a workgroup. */
const THREADS = 256;
/** Points of all stages that a unit may have (some 300 cached tokens of heads of 64): more is spread over more workgroups sooner, on an H200. */
const UNIT = 5 << 13;
/** The same where one workgroup has everything. */
const ALONE = 1 << 13;

type Axes = ReadonlyMap<string, Poly>;

interface Access {
  readonly buffer: number;
  readonly at: Poly | null;
  readonly isWrite: boolean;
}

/** A call with its polynomials in the program's sizes, those that are one left out. */
interface Member {
  readonly step: Call;
  readonly kernel: Kernel;
  readonly map: ReadonlyMap<string, Poly>;
  /** What is left of its axes: old name → extent. */
  readonly axes: ReadonlyMap<string, Poly>;
  /** One entry a stage. */
  readonly accesses: readonly (readonly Access[])[];
  readonly work: Poly;
}

export function mergedCalls(plan: Plan, program: PlanProgram, kernels: readonly Kernel[]): MergedCalls[] {
  if (program.steps.some((s) => s.kind === 'loop')) return [];
  const ones = new Map(program.infer.map((r) => [r.size, num(1)] as const));
  const members = program.steps.map((s, k) => (s.kind === 'call' ? memberOf(s, kernels[s.kernel]!, ones, k) : null));
  const found: MergedCalls[] = [];
  const uses = usesOf(plan, program);
  for (let first = 0; first < members.length;) {
    const best = longest(plan, members, first, uses);
    if (best !== null) found.push(built(plan, members.slice(first, first + best.count) as Member[], first, best, ones));
    first += best?.count ?? 1;
  }
  return found;
}

function memberOf(step: Call, kernel: Kernel, ones: ReadonlyMap<string, Poly>, k: number): Member | null {
  if (kernel.buffers.some((b) => b.row) || (kernel.spans?.size ?? 0) > 0) return null;
  const sizes = new Map(kernel.sizes.map((s, i) => [s, substitute(sizePoly(step.sizes[i]!), ones)] as const));
  const axes = new Map<string, Poly>();
  const map = new Map(sizes);
  for (const [axis, p] of kernel.axes) {
    const extent = substitute(p, sizes);
    if (asConst(extent) === 1) map.set(axis, num(0));
    else {
      axes.set(axis, extent);
      map.set(axis, name(axisName(axis, k)));
    }
  }
  let work = num(0);
  const accesses: Access[][] = [];
  for (const stage of kernel.stages) {
    const writes = [...stage.each, ...stage.writes];
    if (stage.order !== null || writes.some((w) => w.mode !== 'store')) return null;
    work = add(work, points([...stage.axes, ...stage.over], axes));
    const own: Access[] = [];
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'read') own.push(accessOf(step, e, map, false));
    });
    for (const w of writes) own.push(accessOf(step, w, map, true));
    accesses.push(own);
  }
  return { step, kernel, map, axes, accesses, work };
}

const axisName = (axis: string, k: number): string => `${axis} ${k}`;
const points = (list: readonly string[], axes: ReadonlyMap<string, Poly>): Poly =>
  list.reduce((n, a) => mul(n, axes.get(a) ?? num(1)), num(1));

function accessOf(
  step: Call,
  e: { readonly buffer: number; readonly at: Poly; readonly dynamic: readonly unknown[] },
  map: ReadonlyMap<string, Poly>,
  isWrite: boolean,
): Access {
  return { buffer: step.buffers[e.buffer]!, at: e.dynamic.length > 0 ? null : substitute(e.at, map), isWrite };
}

// --------------------------------------------------------------------------------------------------------------------------- which calls

interface Run {
  readonly count: number;
  /** Buffers that only these calls touch. */
  readonly own: ReadonlySet<number>;
  /** Units; 1: one workgroup has everything. */
  readonly units: number;
  /** By member: its axis of units, by its old name. */
  readonly axes: readonly (string | null)[];
}

/** First and last step that touch a buffer; what is seen outside of the program is touched for ever. */
function usesOf(plan: Plan, program: PlanProgram): ReadonlyMap<number, readonly [number, number]> {
  const found = new Map<number, readonly [number, number]>();
  const touch = (b: number, k: number): void => {
    const [from, to] = found.get(b) ?? [k, k];
    found.set(b, [Math.min(from, k), Math.max(to, k)]);
  };
  for (const [k, s] of program.steps.entries())
    if (s.kind !== 'loop') for (const b of s.kind === 'call' ? s.buffers : [s.from, s.to]) touch(b, k);
  const seen = [...Object.values(program.inputs), ...Object.values(program.outputs)];
  for (const b of seen) found.set(b, [-1, Infinity]);
  for (const b of found.keys()) if (plan.buffers[b]!.kind !== 'temporary') found.set(b, [-1, Infinity]);
  return found;
}

/** The longest run of calls from `first` on that can be one kernel; two at least. */
function longest(
  plan: Plan,
  members: readonly (Member | null)[],
  first: number,
  uses: ReadonlyMap<number, readonly [number, number]>,
): Run | null {
  const start = members[first];
  if (start == null) return null;
  const candidates = new Set([...[...start.axes.values()].map((p) => asConst(p) ?? 1), 1]);
  let best: Run | null = null;
  for (const units of candidates) {
    const axes: (string | null)[] = [];
    let work = num(0);
    for (let k = first; k < members.length; k++) {
      const m = members[k];
      if (m == null) break;
      const axis = units === 1 ? null : axisOf(m, units);
      if (axis === undefined || !rowsHold(m, axis)) break;
      work = add(work, m.work);
      // What grows with a size is for several workgroups.
      if (units === 1 && asConst(work) === null) break;
      if (interval(work, () => ({ low: 1, high: 1 })).low > (units === 1 ? ALONE : UNIT * units)) break;
      axes.push(axis);
    }
    for (; axes.length >= 2 && axes.length > (best?.count ?? 0); axes.pop()) {
      const run = members.slice(first, first + axes.length) as Member[];
      const last = first + axes.length - 1;
      const touched = run.flatMap((m) => m.step.buffers);
      const own = new Set(touched.filter((b) => uses.get(b)![0] >= first && uses.get(b)![1] <= last));
      if (units > 1 && !areApart(plan, run, axes, first, own)) continue;
      best = { count: axes.length, own, units, axes: [...axes] };
      break;
    }
  }
  return best;
}

/** An axis of so many points that every stage is computed for. */
function axisOf({ kernel, axes }: Member, units: number): string | undefined {
  return [...axes].find(
    ([a, p]) => asConst(p) === units && kernel.stages.every((s) => s.axes.includes(a) && !s.over.includes(a)),
  )?.[0];
}

/** Values pass from stage to stage of a row: its rows are the units. */
const rowsHold = ({ kernel, axes }: Member, axis: string | null): boolean =>
  (kernel.rows ?? []).every((a) => a === axis || !axes.has(a));

/** Whether no unit touches what another one writes. */
function areApart(
  plan: Plan,
  members: readonly Member[],
  axes: readonly (string | null)[],
  first: number,
  internal: ReadonlySet<number>,
): boolean {
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const all = members.flatMap((m, i) =>
    m.accesses.map((list) => ({ list, unit: axisName(axes[i]!, first + i), axes: namedAxes(m, first + i) })),
  );
  /** Stride of a buffer's units; null: touched all over. */
  const strideOf = (a: Access, unit: string, own: ReadonlyMap<string, Poly>): Poly | null => {
    const split = a.at === null ? null : coefficientOf(a.at, unit);
    if (split === null) return null;
    const { coefficient: stride, rest } = split;
    if (names(stride).size > 0 && [...names(stride)].some((s) => own.has(s))) return null;
    // The greatest rest, where every axis has its last point: nothing falls as an axis rises.
    const last = new Map([...own].map(([axis, p]) => [axis, sub(p, num(1))] as const));
    for (const axis of own.keys()) {
      const part = coefficientOf(rest, axis);
      if (part === null || interval(part.coefficient, range).low < 0) return null;
    }
    const greatest = substitute(rest, last);
    const least = substitute(rest, new Map([...own.keys()].map((axis) => [axis, num(0)] as const)));
    return interval(least, range).low >= 0 && interval(sub(stride, greatest), range).low >= 1 ? stride : null;
  };
  const range = (s: string): { low: number; high: number } => ({ low: 1, high: bounds.get(s) ?? 1 });
  /** The bytes that it can touch. */
  const reach = ({ buffer, at }: Access, own: ReadonlyMap<string, Poly>): readonly [number, number] => {
    const { offset, bytes, storage } = plan.buffers[buffer]!;
    if (at === null || storage !== undefined) return [offset, offset + bytes];
    const spread = interval(at, (s) => {
      const extent = own.get(s);
      return extent === undefined ? range(s) : { low: 0, high: interval(extent, range).high - 1 };
    });
    return [offset + 4 * Math.max(0, spread.low), offset + Math.min(bytes, 4 * (spread.high + 1))];
  };
  const overlap = (a: Access, b: Access, mine: Axes, others: Axes): boolean => {
    if (a.buffer === b.buffer) return true;
    if (internal.has(a.buffer) || internal.has(b.buffer)) return false;
    if (plan.buffers[a.buffer]!.arena !== plan.buffers[b.buffer]!.arena) return false;
    const [[from, to], [begin, end]] = [reach(a, mine), reach(b, others)];
    return from < end && begin < to;
  };
  for (const [i, one] of all.entries())
    for (const a of one.list) {
      if (!a.isWrite) continue;
      for (const [j, other] of all.entries()) {
        if (i === j) continue;
        for (const b of other.list) {
          if (!overlap(a, b, one.axes, other.axes)) continue;
          if (a.buffer !== b.buffer && plan.buffers[a.buffer]!.offset !== plan.buffers[b.buffer]!.offset) return false;
          const stride = strideOf(a, one.unit, one.axes);
          if (stride === null || stride !== strideOf(b, other.unit, other.axes)) return false;
        }
      }
    }
  return true;
}

const namedAxes = (m: Member, k: number): ReadonlyMap<string, Poly> =>
  new Map([...m.axes].map(([a, p]) => [axisName(a, k), p] as const));

// ---------------------------------------------------------------------------------------------------------------------------- the kernel

function built(
  plan: Plan,
  members: readonly Member[],
  first: number,
  { count, own: internal, units, axes }: Run,
  ones: ReadonlyMap<string, Poly>,
): MergedCalls {
  const table = new ExprTable();
  const buffers: number[] = [];
  const parameters: BufferParameter[] = [];
  const extents = new Map<string, Poly>();
  const stages: Stage[] = [];
  if (units > 1) extents.set('unit', num(units));
  for (const [i, m] of members.entries()) {
    const { kernel, step } = m;
    const map = new Map(m.map);
    for (const a of m.axes.keys()) map.set(a, name(a === axes[i] ? 'unit' : axisName(a, i)));
    const named = (axis: string): string => (axis === axes[i] ? 'unit' : axisName(axis, i));
    for (const [a, p] of m.axes) extents.set(named(a), p);
    const at = step.buffers.map((b, k) => {
      const own = kernel.buffers[k]!;
      const known = buffers.indexOf(b);
      if (known >= 0) {
        const before = parameters[known]!;
        const access = before.access === own.access ? own.access : 'readwrite';
        parameters[known] = { ...before, access };
        return known;
      }
      buffers.push(b);
      // Names of the kernels' own, so that equal runs are equal kernels.
      let text = own.name;
      for (let n = 2; parameters.some((p) => p.name === text); n++) text = `${own.name}_${n}`;
      parameters.push({ ...own, name: text, sizes: own.sizes.map((p) => substitute(p, m.map)) });
      return buffers.length - 1;
    });
    for (const [k, b] of kernel.buffers.entries())
      if (b.scale !== undefined)
        parameters[at[k]!] = { ...parameters[at[k]!]!, scale: { ...b.scale, buffer: at[b.scale.buffer]! } };
    const value = (text: string): string => `${text} ${i}`;
    const copier = new Copier(
      table,
      (p, renamed) => substitute(p, renamed.size === 0 ? map : new Map([...map, ...renamed])),
      (e, own) => {
        if (e.kind === 'value') return table.value(value(e.name), e.dtype);
        if (e.kind !== 'read') return null;
        const { at: place, guards, otherwise } = own.access(e);
        return table.read(at[e.buffer]!, e.dtype, place, guards, otherwise);
      },
    );
    const copied = (e: Expr): Expr => copier.copy(e);
    const written = (w: Write): Write => {
      const { at: place, guards, dynamic } = copier.access({ at: w.at, guards: w.guards, dynamic: w.dynamic });
      return { ...w, buffer: at[w.buffer]!, at: place, guards, dynamic, value: copied(w.value) };
    };
    const left = (list: readonly string[]): string[] => list.filter((a) => m.axes.has(a)).map(named);
    for (const s of kernel.stages)
      stages.push({
        ...s,
        name: value(s.name),
        axes: left(s.axes),
        over: left(s.over),
        defs: new Map([...s.defs].map(([n, d]) => [value(n), definition(d, copied)] as const)),
        each: s.each.map(written),
        writes: s.writes.map(written),
      });
  }
  const sizes = [...new Set(members.flatMap((m) => [...m.map.values()].flatMap((p) => [...names(p)])))].filter((s) =>
    plan.sizes.some((own) => own.name === s),
  );
  const kernel: Kernel = {
    name: `${members[0]!.kernel.name}_to_${members.at(-1)!.kernel.name}`,
    sizes,
    buffers: parameters,
    axes: extents,
    ...(units > 1 ? { rows: ['unit'] } : {}),
    stages,
    origin: members[0]!.kernel.origin,
    reasons: new Map(),
  };
  const rows = units > 1 ? ['unit'] : [];
  const forms = new Map<string, SharedForm>();
  for (const s of stages) {
    const form = shareForm(kernel, s, rows, THREADS);
    if (form !== null) forms.set(s.name, form);
  }
  let scratch = 0;
  const bounds = new Map(plan.sizes.map((s) => [s.name, s.bound]));
  const own = buffers.map((b, k) => {
    if (!internal.has(b)) return null;
    const begin = scratch;
    // Whole rows of memory, at the bounds of what stays a size.
    const elements = parameters[k]!.sizes.reduce((n, p) => n * evaluate(p, (s) => bounds.get(s) ?? 1), 1);
    // Nothing at all where an input may not be so short.
    scratch += Math.max(1, Math.ceil(elements / 64)) * 64;
    return begin;
  });
  const work = members.reduce<Poly>((n, m) => add(n, m.work), num(0));
  const used = new Set(members.flatMap((m) => m.step.sizes.flatMap((e) => [...names(sizePoly(e))])));
  const single = [...ones.keys()].filter((s) => used.has(s));
  return {
    first,
    count,
    kernel,
    schedule: {
      passes: [{ kind: 'rows', rows, stages: stages.map((s) => s.name), threads: THREADS, shared: forms }],
    },
    buffers,
    own,
    scratch,
    within: [
      ...(single.length === 0 ? [] : [{ value: single.reduce((n, s) => mul(n, name(s)), num(1)), most: 1 }]),
      ...(asConst(work) === null ? [{ value: work, most: units === 1 ? ALONE : UNIT * units }] : []),
    ],
  };
}

function definition(d: Def, copied: (e: Expr) => Expr): Def {
  if (d.op === null || d.op === 'argmax') return { ...d, value: copied(d.value) };
  return { ...d, init: d.init === null ? null : copied(d.init), value: copied(d.value) };
}
