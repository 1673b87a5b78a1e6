/**
 * Rows that a workgroup's threads keep in registers, as data: softmax, normalisations, their gradients. Every thread has some elements of a row, the same in every stage; what one
 * stage read or wrote there the next finds in a register, so memory is read once and written once. Short rows lie several in a workgroup.
 *
 * Not here: rows too long for that (rows of wgsl.ts), and the text (targets/wgsl/row.ts).
 */
import { asConst, evaluate, mul, names, num, terms, type Poly } from '../sizes/poly.ts';
import { stageRoots, walk } from '../kernel/expr.ts';
import type { Kernel, Stage } from '../kernel/types.ts';
import type { SizeOf } from './wgsl.ts';

export interface HeldRows {
  readonly kind: 'held';
  readonly rows: readonly string[];
  readonly stages: readonly string[];
  /** Threads of a row; a power of two. */
  readonly threads: number;
  /** Elements of a row that a thread has. */
  readonly held: number;
  /** Rows of a workgroup. */
  readonly side: number;
}

/** Below that a row is one thread's work. */
const SHORT = 48;
const THREADS = 256;
/** Elements that a thread has, before threads are added. */
const EACH = 16;
/** Registers that are kept from stage to stage. */
const REGISTERS = 64;
/** Expressions of all stages times elements: what is written out for each of them; a quarter of it where the length is only bounded. */
const TEXT = 4000;
/** So few rows have the device to themselves. */
const FEW_ROWS = 1024;

/** The axes of a stage along its row: those it is computed for, or those it reduces. */
export const along = (stage: Stage, rows: readonly string[]): readonly string[] => {
  const inner = stage.axes.filter((a) => !rows.includes(a));
  return inner.length > 0 ? inner : stage.over;
};

/** Null: a stage is of another form, or rows are too long, too short, or of a length that is told later; `most`: of sizes in that length. */
export function heldPass(kernel: Kernel, rows: readonly string[], of: SizeOf, most?: SizeOf): HeldRows | null {
  let extent: Poly | null = null;
  let nodes = 0;
  const points = (axes: readonly string[]): Poly => axes.reduce((n, a) => mul(n, kernel.axes.get(a)!), num(1));
  if (kernel.spans !== undefined && kernel.spans.size > 0) return null;
  for (const stage of kernel.stages) {
    const inner = stage.axes.filter((a) => !rows.includes(a));
    if (stage.order !== null || (inner.length > 0 && stage.over.length > 0)) return null;
    if ([...stage.each, ...stage.writes].some((w) => w.mode !== 'store')) return null;
    walk(stageRoots(stage), () => nodes++);
    const own = along(stage, rows);
    if (own.length === 0) continue;
    const n = points(own);
    if (extent !== null && n !== extent) return null;
    extent = n;
  }
  if (extent === null) return null;
  const length = longestOf(extent, most);
  if (length === null || length < SHORT) return null;
  const count = evaluate(points(rows), of);
  const few = count <= FEW_ROWS;
  const threads = Math.min(THREADS, Math.max(32, 2 ** Math.ceil(Math.log2(length / (few ? 2 : EACH)))));
  const held = Math.ceil(length / threads);
  if (held * Math.max(1, crossing(kernel, rows)) > REGISTERS) return null;
  if (held * nodes > (asConst(extent) === null ? TEXT / 4 : TEXT)) return null;
  const side = few || threads === THREADS ? 1 : Math.max(2, 128 / threads);
  return { kind: 'held', rows, stages: kernel.stages.map((s) => s.name), threads, held, side };
}

/** Null: not known. */
function longestOf(p: Poly, most: SizeOf | undefined): number | null {
  const known = asConst(p);
  if (known !== null || most === undefined) return known;
  // It rises with every size.
  const rises = terms(p).every((t) => t.coefficient >= 0 && t.factors.every((f) => f.atom.kind === 'name'));
  const longest = rises ? evaluate(p, most) : Infinity;
  return Number.isFinite(longest) ? longest : null;
}

/** The most buffers whose elements wait between two stages. */
function crossing(kernel: Kernel, rows: readonly string[]): number {
  const spans = new Map<number, readonly [number, number]>();
  for (const [k, stage] of kernel.stages.entries()) {
    const own = along(stage, rows);
    const note = (buffer: number, at: Poly): void => {
      if (!own.some((a) => names(at).has(a))) return;
      spans.set(buffer, [spans.get(buffer)?.[0] ?? k, k]);
    };
    walk(stageRoots(stage), (e) => {
      if (e.kind === 'read') note(e.buffer, e.at);
    });
    for (const w of [...stage.each, ...stage.writes]) note(w.buffer, w.at);
  }
  const between = kernel.stages.map((_s, k) => [...spans.values()].filter(([from, to]) => from <= k && to > k).length);
  return Math.max(0, ...between);
}

/*
 * Measured on an H200, microseconds, by hand: 8192 layers of 768, by loops 34 to 50, in registers 21 by 64 threads (36 by 256 with three elements each), backward 44 and 28; softmax of 98304 x 1024, by loops 460 to 770, in
 * registers 203, two rows a workgroup (258 to 285 one). Loads of four elements gained 0 to 10 %, operations of subgroups instead of a tree 0 to 5 % and nothing beside the loads: neither is done. Cross entropy over 8192 x 50257 took 1077 by hand
 * with 197 elements in each of 256 threads, but 4900 as it was emitted so (registers were spilled) and 4600 by loops: rows of that length stay in memory.
 */

export const printHeld = ({ rows, stages, threads, held, side }: HeldRows): string =>
  `${stages.join(' ')}: rows [${rows.join(' ')}] kept in registers, ${held} ${held === 1 ? 'element' : 'elements'} in each of ${threads} threads${side > 1 ? `, ${side} rows a workgroup` : ''}`;
