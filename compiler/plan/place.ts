/**
 * Where the work buffers of one program lie: lifetimes over the step tree (liveness.ts), outputs written into inputs that die in the same step (share.ts), then
 * offsets greedily, largest group first, each at the lowest place that is free throughout its life (Pisarchyk and Lee, "Efficient memory
 * management for deep neural net inference", 2020, "greedy by size"). Which steps there are is not decided here: recompute.ts may change them before.
 */
import type { Buffer, KernelProgram, KernelStep } from '../kernel/types.ts';
import type { DType } from '../graph/types.ts';
import type { Storage } from '../../runtime/plan.ts';
import { lifetimes, timeline, type Range } from './liveness.ts';
import { mayShare } from './share.ts';

export const ALIGNMENT = 64;

/** Bytes an element. f16 values are held, rounded, in f32. */
export const WIDTH: Readonly<Record<DType, number>> = { f32: 4, f16: 4, i32: 4, bool: 1 };

/** Elements of a byte, and bytes of an element, of what is kept smaller. */
export const storedBytes = (elements: number, storage: Storage): number =>
  storage === 'f16' ? 2 * elements : storage === 'i8' ? elements : Math.ceil(elements / 2);

export const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** Buffers that lie at one offset, one after the other in time. */
export interface Group {
  bytes: number;
  readonly members: Buffer[];
  readonly ranges: Range[];
  offset: number;
}

interface Joins {
  readonly groups: Group[];
  readonly groupOf: Map<number, Group>;
}

function groupsOf(
  program: KernelProgram,
  ranges: ReadonlyMap<number, Range>,
  ticks: ReadonlyMap<KernelStep, number>,
  bytesOf: (b: Buffer) => number,
): Joins {
  const groups: Group[] = [];
  const groupOf = new Map<number, Group>();
  const byId = new Map(program.buffers.map((b) => [b.id, b]));
  for (const buffer of program.buffers) {
    const range = ranges.get(buffer.id);
    if (range === undefined) continue;
    const group: Group = { bytes: bytesOf(buffer), members: [buffer], ranges: [range], offset: -1 };
    groups.push(group);
    groupOf.set(buffer.id, group);
  }
  const go = (steps: readonly KernelStep[]): void => {
    for (const step of steps) {
      if (step.kind === 'loop') go(step.body);
      if (step.kind !== 'call') continue;
      const tick = ticks.get(step)!;
      for (const [k, id] of step.buffers.entries()) {
        const range = ranges.get(id);
        if (range?.first !== tick || range.last === tick) continue;
        const output = byId.get(id)!;
        const donor = step.buffers.findIndex((other, j) => {
          const dying = ranges.get(other);
          const input = byId.get(other)!;
          return (
            dying?.last === tick &&
            dying.first < tick &&
            groupOf.get(other) !== groupOf.get(id) &&
            WIDTH[input.dtype] === WIDTH[output.dtype] &&
            groupOf.get(other)!.ranges.every((r) => r.last <= tick) &&
            step.buffers.filter((b) => b === other || b === id).length === 2 &&
            mayShare(step.kernel, step.schedule, j, k)
          );
        });
        if (donor < 0) continue;
        const into = groupOf.get(step.buffers[donor]!)!;
        const from = groupOf.get(id)!;
        into.bytes = Math.max(into.bytes, from.bytes);
        into.members.push(...from.members);
        into.ranges.push(...from.ranges);
        for (const member of from.members) groupOf.set(member.id, into);
        groups.splice(groups.indexOf(from), 1);
      }
    }
  };
  go(program.steps);
  return { groups, groupOf };
}

const meet = (a: Group, b: Group): boolean =>
  a.ranges.some((r) => b.ranges.some((s) => r.first <= s.last && s.first <= r.last));

/** Gives every group an offset; the bytes that the arena needs. */
export function place(groups: readonly Group[]): number {
  const placed: Group[] = [];
  let total = 0;
  const order = groups.toSorted((a, b) => b.bytes - a.bytes || a.ranges[0]!.first - b.ranges[0]!.first);
  for (const group of order) {
    const near = placed.filter((other) => meet(group, other)).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of near) {
      if (other.offset >= offset + group.bytes) break;
      offset = Math.max(offset, align(other.offset + other.bytes));
    }
    group.offset = offset;
    placed.push(group);
    total = Math.max(total, align(offset + group.bytes));
  }
  return total;
}

export interface Layout {
  readonly bytes: number;
  readonly groupOf: ReadonlyMap<number, Group>;
  readonly ranges: ReadonlyMap<number, Range>;
}

/** `reuse` false: every buffer has a place of its own. */
export function layout(program: KernelProgram, bytesOf: (b: Buffer) => number, reuse = true): Layout {
  const line = timeline(program);
  const needs = lifetimes(program, line);
  const always: Range = { first: 0, last: Infinity };
  const ranges = reuse ? needs : new Map([...needs.keys()].map((id) => [id, always]));
  const { groups, groupOf } = groupsOf(program, ranges, line.ticks, bytesOf);
  return { bytes: place(groups), groupOf, ranges };
}
