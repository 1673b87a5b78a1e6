/**
 * Lifetimes over a program's step tree. Every step gets a tick, a loop one tick before and one after its body; a buffer lives from its first
 * tick to its last, both included. A loop in which a buffer is used keeps it alive throughout, unless every round defines it before it reads
 * it and nothing outside the loop needs it (then it lives within the round).
 */
import type { KernelProgram, KernelStep } from '../kernel/types.ts';
import { usage } from './usage.ts';

export interface Access {
  readonly tick: number;
  readonly buffer: number;
  readonly reads: boolean;
  readonly defines: boolean;
  readonly writes: boolean;
}

interface LoopSpan {
  readonly begin: number;
  readonly end: number;
}

export interface Timeline {
  readonly accesses: readonly Access[];
  /** Innermost first among nested ones. */
  readonly loops: readonly LoopSpan[];
  /** Tick of every step (a loop: of its begin). */
  readonly ticks: ReadonlyMap<KernelStep, number>;
  /** One past the last tick. */
  readonly end: number;
}

export interface Range {
  first: number;
  last: number;
}

/** Accesses of one step by buffer id; a buffer passed twice to a kernel counts as one access. */
export function accessesOf(step: KernelStep): { buffer: number; reads: boolean; defines: boolean; writes: boolean }[] {
  if (step.kind === 'copy') {
    return [
      { buffer: step.from, reads: true, defines: false, writes: false },
      { buffer: step.to, reads: false, defines: true, writes: true },
    ];
  }
  if (step.kind === 'loop') return [];
  const merged = new Map<number, { buffer: number; reads: boolean; defines: boolean; writes: boolean }>();
  for (const [k, used] of usage(step.kernel).entries()) {
    const buffer = step.buffers[k]!;
    const entry = merged.get(buffer) ?? { buffer, reads: false, defines: false, writes: false };
    entry.reads ||= used.readsOld || !used.writes;
    entry.writes ||= used.writes;
    entry.defines ||= used.defines;
    merged.set(buffer, entry);
  }
  for (const entry of merged.values()) if (entry.reads) entry.defines = false;
  return [...merged.values()];
}

export function timeline(program: KernelProgram): Timeline {
  const accesses: Access[] = [];
  const loops: LoopSpan[] = [];
  const ticks = new Map<KernelStep, number>();
  let tick = 0;
  const go = (steps: readonly KernelStep[]): void => {
    for (const step of steps) {
      ticks.set(step, tick);
      if (step.kind === 'loop') {
        const begin = tick++;
        const looks = (buffer: number, at: number): void =>
          void accesses.push({ tick: at, buffer, reads: true, defines: false, writes: false });
        if (step.limit !== null) looks(step.limit, begin);
        go(step.body);
        if (step.until !== null) looks(step.until, tick++);
        loops.push({ begin, end: tick++ });
      } else {
        for (const access of accessesOf(step)) accesses.push({ tick, ...access });
        tick++;
      }
    }
  };
  go(program.steps);
  return { accesses, loops, ticks, end: tick };
}

/** By buffer id, for everything that is not persistent and is used. Inputs live from before the first step (tick −1), outputs to the end. */
export function lifetimes(program: KernelProgram, line: Timeline): Map<number, Range> {
  const results = new Set(program.outputs.filter((o) => o.updates === null).map((o) => o.buffer));
  const ranges = new Map<number, Range>();
  const byBuffer = new Map<number, Access[]>();
  for (const access of line.accesses) {
    const list = byBuffer.get(access.buffer);
    if (list === undefined) byBuffer.set(access.buffer, [access]);
    else list.push(access);
  }
  for (const buffer of program.buffers) {
    if (buffer.kind === 'persistent') continue;
    const accesses = byBuffer.get(buffer.id) ?? [];
    const given = buffer.kind === 'data' || buffer.kind === 'scalar';
    if (accesses.length === 0 && !given && !results.has(buffer.id)) continue;
    const range: Range = { first: accesses[0]?.tick ?? line.end, last: accesses.at(-1)?.tick ?? -1 };
    if (given) range.first = -1;
    if (results.has(buffer.id)) range.last = line.end;
    for (const loop of line.loops) {
      const within = accesses.filter((a) => a.tick > loop.begin && a.tick < loop.end);
      if (within.length === 0) continue;
      // A round that begins by writing everything needs nothing from the round before.
      if (within[0]!.defines) continue;
      range.first = Math.min(range.first, loop.begin);
      range.last = Math.max(range.last, loop.end);
    }
    if (range.last < range.first) range.last = range.first;
    ranges.set(buffer.id, range);
  }
  return ranges;
}
