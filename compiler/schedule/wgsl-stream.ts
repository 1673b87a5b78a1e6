/**
 * Kernels with buffers of the row (attention, forward and backward) on a GPU: a workgroup takes a block of rows, and the wide matrix passes by in blocks of columns,
 * which live in registers. What a row's sums and maxima need of other sums and maxima of the row is there only when those are finished, so the matrix passes
 * by once for each such level (a *phase*), its blocks computed anew from their small operands each time. Blocks that the mask leaves out are not visited.
 *
 * Not here: which matrices are streamed (fuse/stream.ts), and the text (targets/wgsl/stream.ts).
 */
import { asConst, evaluate, name as nameOf, names } from '../sizes/poly.ts';
import { operands, polysOf, walk } from '../kernel/expr.ts';
import { partsOf } from '../kernel/parts.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';
import { operandLoad, type OperandLoad } from './wgsl-product.ts';
import type { ProductSide } from './wasm.ts';
import type { SizeOf } from './wgsl.ts';

/** A product whose results are a block of the wide matrix (`scores`), or one that sums the wide matrix away (`result`). */
export interface StreamProduct {
  readonly left: ProductSide;
  readonly right: ProductSide;
  readonly over: readonly string[];
  readonly load: { readonly rows: OperandLoad; readonly columns: OperandLoad };
}

export type StreamStage =
  | { readonly kind: 'scores'; readonly stage: string; readonly product: StreamProduct }
  /** At every point of the block. */
  | { readonly kind: 'each'; readonly stage: string }
  /** Sums and maxima along the row. */
  | { readonly kind: 'reduce'; readonly stage: string }
  | { readonly kind: 'result'; readonly stage: string; readonly product: StreamProduct };

export interface WgslStream {
  readonly kind: 'stream';
  /** Rows outside of the blocks, the rows of a block, and the axis that passes by. */
  readonly outer: readonly string[];
  readonly block: string;
  readonly wide: string;
  readonly tile: readonly [rows: number, columns: number, depth: number];
  readonly threads: readonly [rows: number, columns: number];
  readonly stages: readonly StreamStage[];
  /** What is computed while the matrix passes by once: positions in `stages`, and which of them are finished by it. */
  readonly phases: readonly StreamPhase[];
}

export interface StreamPhase {
  readonly computed: readonly number[];
  readonly finished: readonly number[];
  /** Sums (of a stage) of exponentials of distances from a maximum (another stage's value) that is not finished: they are scaled whenever it rises. */
  readonly scaled: ReadonlyMap<number, Scaled>;
}

export interface Scaled {
  readonly greatest: number;
  readonly value: string;
}

/**
 * Blocks: rows and columns, best first. A thread of the larger ones has a rectangle of 8 by 4 or 4 by 8, which reads least from workgroup memory for each product; on an H200, fewer rows and more columns
 * take a sixth to a quarter less time.
 */
export const BLOCKS: readonly (readonly [rows: number, columns: number])[] = [
  [32, 64],
  [64, 32],
  [32, 32],
];
const DEPTH = 16;
const THREADS: WgslStream['threads'] = [8, 8];
/** Numbers that a thread may hold, beside what it computes with. */
const REGISTERS = 192;
/** Workgroup memory that every device has. */
const MEMORY = 16_384;
/** Workgroups that keep a device busy. */
const ENOUGH = 128;

/** The longest side of a result besides the rows: sums of all of it lie in the registers of a workgroup. */
export const NARROW = 128;

/** Null: not of this form. */
export function streamPass(kernel: Kernel, of: SizeOf = () => 64): WgslStream | null {
  const rows = kernel.rows ?? [];
  const local = new Set([...kernel.buffers.keys()].filter((k) => kernel.buffers[k]!.row));
  if (rows.length === 0 || local.size === 0) return null;
  const wide = wideAxis(kernel, local);
  if (wide === null || !isSimple(kernel, local, wide)) return null;
  for (const block of [...rows].reverse()) {
    const stages = kernel.stages.map((s) => stageOf(kernel, s, block, wide, local));
    if (stages.some((s) => s === null) || !stages.some((s) => s!.kind === 'scores')) continue;
    const found = stages as StreamStage[];
    const phases = phasesOf(kernel, found, local);
    if (phases === null) continue;
    const outer = rows.filter((r) => r !== block);
    const pass = { kind: 'stream', outer, block, wide, threads: THREADS, stages: found, phases } as const;
    const passes = BLOCKS.map(([r, c]): WgslStream => ({ ...pass, tile: [r, c, DEPTH] }));
    return passes.find((p) => fits(kernel, p, of)) ?? passes.at(-1)!;
  }
  return null;
}

/** Whether a block of this size has its numbers in registers and its matrices in workgroup memory, and there are enough of them. */
function fits(kernel: Kernel, pass: WgslStream, of: SizeOf): boolean {
  const size = (axis: string): number => Math.max(1, evaluate(kernel.axes.get(axis)!, of));
  const [rows, columns] = pass.tile;
  const [own, wide] = [rows / pass.threads[0], columns / pass.threads[1]];
  const groups = pass.outer.reduce((n, a) => n * size(a), 1) * Math.ceil(size(pass.block) / rows);
  if (groups < ENOUGH || size(pass.wide) < 4 * columns) return false;
  const scores = pass.stages.filter((s) => s.kind === 'scores').length;
  const widths = pass.stages.reduce((n, s) => n + (s.kind === 'result' ? resultWidth(kernel, s, pass) : 0), 0);
  const held = own * wide * (scores + 1) + (own * widths) / pass.threads[1];
  return held <= REGISTERS && streamBytes(pass, kernel) <= MEMORY;
}

/** The one axis along which all buffers of the row lie. */
function wideAxis(kernel: Kernel, local: ReadonlySet<number>): string | null {
  const found = new Set<string>();
  for (const s of kernel.stages)
    for (const w of [...s.each, ...s.writes]) if (local.has(w.buffer)) found.add([...names(w.at)].join());
  const [axis] = found;
  return found.size === 1 && kernel.axes.has(axis!) ? axis! : null;
}

/** Buffers of the row are written and read at the place of the point only; nothing else is both written and read. */
function isSimple(kernel: Kernel, local: ReadonlySet<number>, wide: string): boolean {
  const at = nameOf(wide);
  const written = new Set<number>();
  const read = new Set<number>();
  let simple = true;
  for (const s of kernel.stages) {
    if (s.order !== null) return false;
    for (const w of [...s.each, ...s.writes]) {
      if (w.mode !== 'store' || w.dynamic.length > 0) return false;
      if (!local.has(w.buffer)) written.add(w.buffer);
      else if (w.at !== at || w.guards.length > 0) return false;
    }
    walk(rootsOf(s), (e) => {
      if (e.kind !== 'read') return;
      if (!local.has(e.buffer)) read.add(e.buffer);
      else if (e.at !== at || e.guards.length > 0) simple = false;
    });
    for (const d of s.defs.values()) if (d.op === 'argmax' || (d.op !== null && d.init !== null)) return false;
  }
  return simple && ![...written].some((b) => read.has(b));
}

const rootsOf = (s: Stage): Expr[] => [
  ...[...s.defs.values()].map((d) => d.value),
  ...[...s.each, ...s.writes].flatMap((w) => [w.value, ...w.dynamic.map((d) => d.value)]),
];

/** What an expression varies with; buffers of the row vary with every row. */
function variesWith(kernel: Kernel, root: Expr, local: ReadonlySet<number>): Set<string> {
  const found = new Set<string>();
  walk([root], (e) => {
    for (const p of polysOf(e)) for (const s of names(p)) found.add(s);
    if (e.kind === 'value' || (e.kind === 'read' && local.has(e.buffer)))
      for (const a of kernel.rows ?? []) found.add(a);
  });
  return found;
}

function stageOf(
  kernel: Kernel,
  stage: Stage,
  block: string,
  wide: string,
  local: ReadonlySet<number>,
): StreamStage | null {
  const rows = kernel.rows ?? [];
  const free = stage.axes.filter((a) => !rows.includes(a));
  const isInner = [...stage.each, ...stage.writes].every((w) => local.has(w.buffer));
  const { name } = stage;
  if (stage.over.length === 0) return free.join() === wide && isInner ? { kind: 'each', stage: name } : null;
  const reduced = [...stage.defs.values()].filter((d) => d.op !== null);
  if (free.length === 0) {
    // Along the row; what is left at each point stays inside.
    if (stage.over.join() !== wide || !stage.each.every((w) => local.has(w.buffer))) return null;
    return stage.writes.some((w) => local.has(w.buffer)) ? null : { kind: 'reduce', stage: name };
  }
  const [sum] = reduced;
  if (reduced.length !== 1 || sum!.op !== 'sum' || stage.each.length > 0 || sum!.value.dtype !== 'f32') return null;
  const term = sum!.value;
  if (term.kind !== 'op' || term.op !== 'mul') return null;
  const sides = term.args.map((value) => ({ value, varies: variesWith(kernel, value, local) }));
  const left = sides.find((s) => s.varies.has(block));
  const right = sides.find((s) => !s.varies.has(block));
  if (left === undefined || right === undefined || free.some((a) => left.varies.has(a))) return null;
  for (const d of stage.defs.values())
    if (d.op === null && [...variesWith(kernel, d.value, local)].some((s) => stage.over.includes(s))) return null;
  const product = (): StreamProduct => {
    const l: ProductSide = { value: left.value, axes: [block], guards: [] };
    const r: ProductSide = { value: right.value, axes: free, guards: [] };
    const load = { rows: operandLoad(kernel, l, stage.over), columns: operandLoad(kernel, r, stage.over) };
    return { left: l, right: r, over: stage.over, load };
  };
  const usesRow = (e: Expr): boolean => {
    let found = false;
    walk([e], (x) => {
      if (x.kind === 'value' || (x.kind === 'read' && local.has(x.buffer))) found = true;
    });
    return found;
  };
  if (usesRow(right.value)) return null;
  if (free.join() === wide)
    return !isInner || usesRow(left.value) ? null : { kind: 'scores', stage: name, product: product() };
  if (stage.over.join() !== wide || free.includes(wide)) return null;
  if (stage.writes.some((w) => local.has(w.buffer))) return null;
  const width = free.reduce((n, a) => n * (asConst(kernel.axes.get(a)!) ?? Infinity), 1);
  return width <= NARROW ? { kind: 'result', stage: name, product: product() } : null;
}

/** The phases: a stage's level is one more than that of any finished sum of the row that it needs. */
function phasesOf(
  kernel: Kernel,
  stages: readonly StreamStage[],
  local: ReadonlySet<number>,
): WgslStream['phases'] | null {
  const levels: number[] = [];
  /** Stages whose values at a point are needed for the stage's. */
  const needs: Set<number>[] = [];
  const named = new Map<string, number>();
  const stored = new Map<number, number>();
  const scaled = new Map<number, Scaled>();
  for (const [k, { kind, stage: name }] of stages.entries()) {
    const stage = kernel.stages.find((s) => s.name === name)!;
    const own = new Set<number>();
    let level = 0;
    walk(rootsOf(stage), (e) => {
      if (e.kind === 'value' && !stage.defs.has(e.name)) level = Math.max(level, levels[named.get(e.name)!]! + 1);
      if (e.kind === 'read' && local.has(e.buffer)) {
        const from = stored.get(e.buffer);
        // What is left at a point is known at its stage's own level, whether or not a sum there is finished.
        if (from !== undefined && from !== k) {
          own.add(from);
          level = Math.max(level, levels[from]!);
        }
      }
    });
    const by = kind === 'reduce' ? scaledBy(kernel, stages, stage, named) : null;
    if (by !== null && levels[by.greatest] === level - 1 && [...own].every((n) => levels[n]! < level)) {
      scaled.set(k, by);
      level--;
    }
    levels.push(level);
    needs.push(own);
    // Values of a point are not known to other stages; those of a row are.
    if (kind === 'reduce') for (const def of stage.defs.keys()) named.set(def, k);
    else if ([...stage.defs.keys()].some((d) => usedElsewhere(kernel, stage, d))) return null;
    for (const w of [...stage.each, ...stage.writes]) if (local.has(w.buffer)) stored.set(w.buffer, k);
  }
  const finishing = stages.flatMap((s, k) => (s.kind === 'reduce' || s.kind === 'result' ? [k] : []));
  const last = Math.max(...finishing.map((k) => levels[k]!));
  return Array.from({ length: last + 1 }, (_, level) => {
    const finished = finishing.filter((k) => levels[k] === level);
    const computed = new Set<number>();
    const add = (k: number): void => {
      if (computed.has(k)) return;
      computed.add(k);
      for (const n of needs[k]!) add(n);
    };
    for (const k of finished) add(k);
    const rising = new Map(
      [...scaled].filter(([k, { greatest }]) => finished.includes(k) && finished.includes(greatest)),
    );
    return { computed: [...computed].sort((a, b) => a - b), finished, scaled: rising };
  }).filter((p) => p.finished.length > 0);
}

/** Whether all sums of a stage are of `exp(x - m)` times something, m being another stage's value by a maximum alone; nothing else of that stage is used. */
function scaledBy(
  kernel: Kernel,
  stages: readonly StreamStage[],
  stage: Stage,
  named: ReadonlyMap<string, number>,
): Scaled | null {
  const foreign = new Set<string>();
  walk(rootsOf(stage), (e) => {
    if (e.kind === 'value' && !stage.defs.has(e.name)) foreign.add(e.name);
  });
  const [value] = foreign;
  const sums = [...stage.defs.values()].filter((d) => d.op !== null);
  if (foreign.size !== 1 || sums.some((d) => d.op !== 'sum')) return null;
  const greatest = named.get(value!)!;
  const from = kernel.stages.find((s) => s.name === stages[greatest]!.stage)!;
  const reduced = [...from.defs.values()].filter((d) => d.op !== null);
  if (stages[greatest]!.kind !== 'reduce' || reduced.length !== 1 || reduced[0]!.op !== 'max') return null;
  // The value must be there from the maximum alone, at any time.
  const { before, inside, after } = partsOf(from);
  if (before.length > 0 || inside.length > 0 || !after.includes(value!)) return null;
  return sums.every((d) => isScaled(d.value, value!, stage.defs, new Map())) ? { greatest, value: value! } : null;
}

/** Whether an expression is `exp(-m)` times what does not vary with m, under conditions that are known. */
function isScaled(e: Expr, m: string, defs: Stage['defs'], known: ReadonlyMap<Expr, boolean>): boolean {
  const whole = resolved(e, defs);
  const go = (x: Expr): boolean => isScaled(x, m, defs, known);
  if (whole.kind === 'const') return whole.value === 0;
  if (whole.kind !== 'op') return false;
  const [a, b, c] = whole.args;
  switch (whole.op) {
    case 'cast':
      return whole.dtype === 'f32' && a!.dtype === 'f32' && go(a!);
    case 'neg':
      return go(a!);
    case 'mul':
      return (go(a!) && isFree(b!, m, defs, known)) || (go(b!) && isFree(a!, m, defs, known));
    case 'div':
      return go(a!) && isFree(b!, m, defs, known);
    case 'select': {
      const condition = resolved(a!, defs);
      if (!isFree(condition, m, defs, known)) return false;
      return (
        isScaled(b!, m, defs, new Map([...known, [condition, true]])) &&
        isScaled(c!, m, defs, new Map([...known, [condition, false]]))
      );
    }
    case 'exp': {
      const distance = resolved(a!, defs);
      if (distance.kind !== 'op' || distance.op !== 'sub') return false;
      const [x, by] = distance.args;
      return by!.kind === 'value' && by!.name === m && isFree(x!, m, defs, known);
    }
    default:
      return false;
  }
}

function isFree(e: Expr, m: string, defs: Stage['defs'], known: ReadonlyMap<Expr, boolean>): boolean {
  const whole = resolved(e, defs);
  if (whole.kind === 'value') return whole.name !== m;
  if (whole.kind === 'op' && whole.op === 'select') {
    const chosen = known.get(resolved(whole.args[0]!, defs));
    if (chosen !== undefined) return isFree(whole.args[chosen ? 1 : 2]!, m, defs, known);
  }
  return operands(whole).every((x) => isFree(x, m, defs, known));
}

/** What a value of the stage is. */
function resolved(e: Expr, defs: Stage['defs']): Expr {
  if (e.kind !== 'value') return e;
  const def = defs.get(e.name);
  return def === undefined || def.op !== null ? e : resolved(def.value, defs);
}

function usedElsewhere(kernel: Kernel, own: Stage, value: string): boolean {
  let found = false;
  for (const s of kernel.stages) {
    if (s === own || s.defs.has(value)) continue;
    walk(rootsOf(s), (e) => {
      if (e.kind === 'value' && e.name === value) found = true;
    });
  }
  return found;
}

/** How much of the wide axis lies in workgroup memory at a time for a result of this width. */
export const resultDepth = (width: number): number => (width > 64 ? 4 : 8);

/** Workgroup memory: the left operand of scores, or the weights of a block; the right one; what weights are multiplied with; what the threads of a row add up. */
export function streamBytes(pass: WgslStream, kernel: Kernel): number {
  const [rows, columns, depth] = pass.tile;
  const widths = pass.stages.flatMap((s) => (s.kind === 'result' ? [resultWidth(kernel, s, pass)] : []));
  const summed = [...new Set(widths)].reduce((n, w) => n + w * resultDepth(w), 0);
  return 4 * (rows * columns + columns * depth + summed + rows * pass.threads[1]);
}

/** Columns of a result, up to whole vectors for all threads. */
export function resultWidth(kernel: Kernel, stage: Extract<StreamStage, { kind: 'result' }>, pass: WgslStream): number {
  const width = stage.product.right.axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, () => 1), 1);
  const unit = 4 * pass.threads[1];
  return Math.ceil(width / unit) * unit;
}

export function printStream(pass: WgslStream, kernel: Kernel): string {
  const [rows, columns] = pass.tile;
  const skipped = kernel.spans?.has(pass.wide) ? ', blocks outside of the mask left out' : '';
  const lines = pass.phases.map((p) => {
    const kindOf = (k: number): string =>
      p.scaled.has(k) ? 'reduce, scaled as the maximum rises' : pass.stages[k]!.kind;
    const parts = p.computed.map((k) => `${pass.stages[k]!.stage} (${kindOf(k)})`);
    return `  pass over ${pass.wide}: ${parts.join(', ')}`;
  });
  return [
    `stream rows [${[...pass.outer, pass.block].join(' ')}] in blocks of ${rows} ${pass.block} by ${columns} ${pass.wide}, ${pass.threads[0] * pass.threads[1]} threads in ${streamBytes(pass, kernel)} bytes${skipped}`,
    ...lines,
  ].join('\n');
}
