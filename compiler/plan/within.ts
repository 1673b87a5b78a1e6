/**
 * A program within a bound on its memory: tries of recompute.ts with less and less room until what the planner makes of one fits. More room is tried first,
 * because it costs less time; the room of a try is a sum of bytes, the planner's answer has gaps and what is written in place.
 *
 * Pure, and the same for the same program and bound: whether it fits does not depend on the machine, only which of several ways is thought quickest.
 */
import type { OriginId } from '../graph/origin.ts';
import type { Buffer, KernelProgram, KernelStep } from '../kernel/types.ts';
import { format } from '../sizes/format.ts';
import { evaluate, type Poly } from '../sizes/poly.ts';
import { kernelCost } from './cost.ts';
import type { Range } from './liveness.ts';
import { layout, WIDTH, type Layout } from './place.ts';
import { recompute, type Costs, type Recomputed, type Repeat } from './recompute.ts';
import type { Requests } from './requested.ts';

/** What became of a program that was to take less. */
export interface Recomputation {
  readonly program: string;
  /** Bytes of work buffers without and with it. */
  readonly before: number;
  readonly after: number;
  /** Of the program's work, about, what is done again: 0.3 is 30 % more. */
  readonly share: number;
  readonly repeats: readonly Repeat[];
}

/** The largest of the buffers that lie in memory at once where a program needs most. */
export interface Crowd {
  readonly bytes: number;
  readonly members: readonly {
    readonly name: string;
    readonly bytes: number;
    readonly origin: OriginId;
  }[];
}

export interface Within {
  readonly program: KernelProgram;
  readonly layout: Layout;
  readonly recomputation: Recomputation | null;
  readonly fits: boolean;
}

/** Operations a second of one core, and bytes: only their ratio matters. */
export const FLOPS = 4e10;
export const BYTES = 2e10;
/** A call takes some time whatever it does. */
export const CALL = 3e-7;

export function costsOf(bytes: (b: Buffer) => number, buffers: readonly Buffer[], of: (size: string) => number): Costs {
  const known = new Map<KernelStep, number>();
  const value = (p: Poly, variables: ReadonlyMap<string, number>): number =>
    evaluate(p, (s) => variables.get(s) ?? of(s));
  const go = (step: KernelStep, variables: ReadonlyMap<string, number>): number => {
    if (step.kind === 'copy') return CALL + (2 * bytes(buffers[step.to]!)) / BYTES;
    if (step.kind === 'call') {
      const given = new Map(step.kernel.sizes.map((s, k) => [s, value(step.sizes[k]!, variables)]));
      const room = (k: number): number => bytes(buffers[step.buffers[k]!]!) / WIDTH[step.kernel.buffers[k]!.dtype];
      const cost = kernelCost(step.kernel, (s) => given.get(s) ?? NaN, room);
      return CALL + Math.max(cost.flops / FLOPS, (cost.read + cost.written) / BYTES);
    }
    const rounds = Math.max(0, value(step.count, variables));
    // The middle round stands for all.
    const inside = new Map([...variables, [step.variable, Math.floor(rounds / 2)]]);
    return rounds * step.body.reduce((n, s) => n + go(s, inside), 0);
  };
  const rounds = new Map<string, number>();
  const seconds = (step: KernelStep): number => {
    let n = known.get(step);
    if (n === undefined) known.set(step, (n = go(step, rounds)));
    return n;
  };
  return {
    bytes,
    seconds,
    rounds: (step) => {
      if (step.kind !== 'loop') return 1;
      const n = Math.max(0, value(step.count, rounds));
      rounds.set(step.variable, Math.floor(n / 2));
      return n;
    },
  };
}

/** Parts of the bound, or of what the program takes by itself, that are tried as room. */
const TRIES = [1.3, 1.15, 1, 0.92, 0.85, 0.78, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1];

/** `bound`: bytes of work buffers; 'least': as few as there is a way to. */
export function within(
  program: KernelProgram,
  bound: number | 'least',
  bytes: (b: Buffer) => number,
  of: (size: string) => number,
  requests: Requests | null = null,
): Within {
  const whole = layout(program, bytes);
  if (bound !== 'least' && whole.bytes <= bound) return { program, layout: whole, recomputation: null, fits: true };
  const costs = costsOf(bytes, program.buffers, of);
  let best: Within = { program, layout: whole, recomputation: null, fits: bound === 'least' };
  const rooms = TRIES.map((part) => part * whole.bytes);
  // Those below the bound that is asked for first; where none fits, the report has the least of all.
  if (bound !== 'least' && bound > 0) rooms.unshift(...TRIES.map((part) => part * bound).filter((r) => r >= bound / 2));
  for (const room of rooms) {
    const tried = recompute(program, room, costs, requests);
    if (tried === null) continue;
    const placed = layout(tried.program, bytes);
    if (placed.bytes >= best.layout.bytes) continue;
    best = {
      program: tried.program,
      layout: placed,
      recomputation: recomputation(program, whole.bytes, placed.bytes, tried),
      fits: bound === 'least' || placed.bytes <= bound,
    };
    if (bound !== 'least' && best.fits) return best;
  }
  return best;
}

const recomputation = (program: KernelProgram, before: number, after: number, made: Recomputed): Recomputation => ({
  program: program.name,
  before,
  after,
  share: made.once === 0 ? 0 : made.again / made.once,
  repeats: made.repeats,
});

/** The program with what its layers ask to be computed again, and no bound; null where none asks for anything of it. */
export function asRequested(
  program: KernelProgram,
  bytes: (b: Buffer) => number,
  of: (size: string) => number,
  requests: Requests,
): Within | null {
  const made = recompute(program, Infinity, costsOf(bytes, program.buffers, of), requests);
  if (made === null || made.repeats.length === 0) return null;
  const placed = layout(made.program, bytes);
  const before = layout(program, bytes).bytes;
  return {
    program: made.program,
    layout: placed,
    recomputation: recomputation(program, before, placed.bytes, made),
    fits: true,
  };
}

/** Where a program needs most: what lies there. */
export function crowdOf(
  program: KernelProgram,
  ranges: ReadonlyMap<number, Range>,
  bytes: (b: Buffer) => number,
): Crowd {
  const all = program.buffers.flatMap((b) =>
    ranges.has(b.id) ? [{ b, range: ranges.get(b.id)!, bytes: bytes(b) }] : [],
  );
  let most = { bytes: -1, members: all };
  for (const { range } of all) {
    const members = all.filter((o) => o.range.first <= range.first && o.range.last >= range.first);
    const sum = members.reduce((n, m) => n + m.bytes, 0);
    if (sum > most.bytes) most = { bytes: sum, members };
  }
  const members = most.members.toSorted((x, y) => y.bytes - x.bytes);
  return {
    bytes: most.bytes,
    members: members.map(({ b, bytes: n }) => ({
      name: `${b.name.replace(/_again\d*$/, '')} ${b.dtype}[${b.sizes.map((s) => format(s)).join(', ')}]`,
      bytes: n,
      origin: b.origin,
    })),
  };
}
