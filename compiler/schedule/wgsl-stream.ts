/**
 * Kernels with buffers of the row (attention, forward and backward) on a GPU: a workgroup takes a block of rows, and the wide matrix passes by in blocks of columns,
 * which live in registers. What a row's sums and maxima need of other sums and maxima of the row is there only when those are finished, so the matrix passes
 * by once for each such level (a *phase*), its blocks computed anew from their small operands each time. Blocks that the mask leaves out are not visited.
 *
 * Not here: which matrices are streamed (fuse/stream.ts), and the text (targets/wgsl/stream.ts).
 */
import { asConst, coefficientOf, evaluate, name as nameOf, names, num, type Poly } from '../sizes/poly.ts';
import { polysOf, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';
import { operandLoad, SOME_DEVICE, type Device, type OperandLoad, type Traffic } from './wgsl-product.ts';
import type { ProductSide } from './wasm.ts';
import { ridingOn, scaledBy, type Before, type Riding, type Scaled } from './wgsl-online.ts';
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
  /** Columns that lie in workgroup memory at a time where a result sums over them. */
  readonly summed: number;
  /** Which rows have most columns, where a mask makes some shorter: blocks that take longest are begun first. */
  readonly longest: 'first' | 'last' | null;
  readonly stages: readonly StreamStage[];
  /** What is computed while the matrix passes by once: positions in `stages`, and which of them are finished by it. */
  readonly phases: readonly StreamPhase[];
}

export interface StreamPhase {
  readonly computed: readonly number[];
  readonly finished: readonly number[];
  /** Sums (of a stage) of exponentials of distances from a maximum (another stage's value) that is not finished: they are scaled whenever it rises. */
  readonly scaled: ReadonlyMap<number, Scaled>;
  /** Results that are scaled with them, and divided by finished sums at the end. */
  readonly riding: ReadonlyMap<number, Riding>;
}

/** How a block is shared out: its rows, columns and steps of the sum of scores at a time; threads along rows and columns; columns at a time in a sum over them. */
type Block = Pick<WgslStream, 'tile' | 'threads' | 'summed'>;

/** Best first, as measured on an H200 over 4096 places. */
export const BLOCKS: readonly Block[] = [
  { tile: [64, 64, 32], threads: [16, 8], summed: 32 },
  { tile: [64, 64, 16], threads: [16, 8], summed: 16 },
  { tile: [64, 64, 16], threads: [16, 8], summed: 4 },
  { tile: [32, 64, 16], threads: [8, 8], summed: 16 },
  { tile: [32, 64, 16], threads: [8, 8], summed: 8 },
  { tile: [32, 32, 16], threads: [8, 8], summed: 8 },
  { tile: [32, 32, 16], threads: [8, 8], summed: 4 },
];
/** Numbers that a thread may hold, beside what it computes with. */
const REGISTERS = 224;
/** Workgroups that keep a device busy. */
const ENOUGH = 128;

/** The longest side of a result besides the rows: sums of all of it lie in the registers of a workgroup. */
export const NARROW = 256;

/** Null: not of this form. */
export function streamPass(kernel: Kernel, of: SizeOf = () => 64, device: Device = SOME_DEVICE): WgslStream | null {
  const rows = kernel.rows ?? [];
  const local = new Set([...kernel.buffers.keys()].filter((k) => kernel.buffers[k]!.row));
  if (rows.length === 0 || local.size === 0) return null;
  const wide = wideAxis(kernel, local);
  if (wide === null || !isSimple(kernel, local, wide)) return null;
  for (const block of [...rows].reverse()) {
    const stages = kernel.stages.map((s) => stageOf(kernel, s, block, wide, local));
    if (stages.some((s) => s === null) || !stages.some((s) => s!.kind === 'scores')) continue;
    const found = stages as StreamStage[];
    const phases = phasesOf(kernel, found, local, wide);
    if (phases === null) continue;
    const outer = rows.filter((r) => r !== block);
    const longest = longestRow(kernel, block, wide);
    const pass = { kind: 'stream', outer, block, wide, longest, stages: found, phases } as const;
    const passes = BLOCKS.map((b): WgslStream => ({ ...pass, ...b }));
    return passes.find((p) => fits(kernel, p, of, device.workgroup)) ?? passes.at(-1)!;
  }
  return null;
}

/** Whether a block of this size has its numbers in registers and its matrices in workgroup memory, and there are enough of them. */
function fits(kernel: Kernel, pass: WgslStream, of: SizeOf, memory: number): boolean {
  const size = (axis: string): number => Math.max(1, evaluate(kernel.axes.get(axis)!, of));
  const [rows, columns] = pass.tile;
  const [own, wide] = [rows / pass.threads[0], columns / pass.threads[1]];
  const groups = pass.outer.reduce((n, a) => n * size(a), 1) * Math.ceil(size(pass.block) / rows);
  if (groups < ENOUGH || size(pass.wide) < 4 * columns) return false;
  const scores = pass.stages.filter((s) => s.kind === 'scores').length;
  const widths = pass.stages.reduce((n, s) => n + (s.kind === 'result' ? resultWidth(kernel, s, pass) : 0), 0);
  const held = own * wide * (scores + 1) + (own * widths) / pass.threads[1];
  return held <= REGISTERS && streamBytes(pass, kernel) <= memory;
}

/** Where rows end later and later, the last are longest; where they begin later and later, the first. */
function longestRow(kernel: Kernel, block: string, wide: string): WgslStream['longest'] {
  const span = kernel.spans?.get(wide);
  const grows = (list: readonly Poly[] | undefined): boolean =>
    (list ?? []).some((p) => (asConst(coefficientOf(p, block)?.coefficient ?? num(0)) ?? 0) > 0);
  const [from, to] = [grows(span?.from), grows(span?.to)];
  return from === to ? null : to ? 'last' : 'first';
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
  wide: string,
): WgslStream['phases'] | null {
  const levels: number[] = [];
  /** Stages whose values at a point are needed for the stage's. */
  const needs: Set<number>[] = [];
  const named = new Map<string, number>();
  const stored = new Map<number, number>();
  const scaled = new Map<number, Scaled>();
  const riding = new Map<number, Riding>();
  const at = (k: number): { stage: Stage; position: number } => ({
    stage: kernel.stages.find((s) => s.name === stages[k]!.stage)!,
    position: k,
  });
  const before: Before = {
    left: (buffer) => {
      const k = local.has(buffer) ? stored.get(buffer) : undefined;
      return k === undefined ? null : { ...at(k), isEach: stages[k]!.kind === 'each' };
    },
    scaled,
    isFinished: (value, by) => levels[named.get(value)!]! < levels[by.greatest]!,
    isKnown: (k, by) => levels[k]! <= levels[by.greatest]! && !scaled.has(k),
    wide,
  };
  for (const [k, found] of stages.entries()) {
    const { kind, stage: name } = found;
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
    const by = kind === 'reduce' ? scaledBy(stage, (value) => at(named.get(value)!)) : null;
    if (by !== null && levels[by.greatest] === level - 1 && [...own].every((n) => levels[n]! < level)) {
      scaled.set(k, by);
      level--;
    }
    const rides = found.kind === 'result' ? ridingOn(found.product.left.value, before) : null;
    if (rides !== null) {
      riding.set(k, rides);
      level = levels[rides.greatest]!;
      own.clear();
      walk([rides.weights], (e) => {
        const from = e.kind === 'read' ? stored.get(e.buffer) : undefined;
        if (from !== undefined) own.add(from);
      });
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
    const here = <T extends Scaled>(all: ReadonlyMap<number, T>): Map<number, T> =>
      new Map([...all].filter(([k, { greatest }]) => finished.includes(k) && finished.includes(greatest)));
    return { computed: [...computed].sort((a, b) => a - b), finished, scaled: here(scaled), riding: here(riding) };
  }).filter((p) => p.finished.length > 0);
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

/** Tiles in workgroup memory: those of one shape lie in one place, since none is needed when another is. */
export function streamTiles(pass: WgslStream, kernel: Kernel): ReadonlyMap<string, number> {
  const [rows, columns, depth] = pass.tile;
  const right = (width: number, steps: number): [string, number] => [`${width} ${steps}`, 4 * width * steps];
  return new Map([
    // The left operand of scores in slabs, or a part of the weights of a block.
    ['left', 4 * rows * Math.max(weightColumns(pass), depth)],
    ...pass.stages.flatMap((s) => {
      if (s.kind === 'scores') return [right(columns, depth)];
      return s.kind === 'result' ? [right(resultWidth(kernel, s, pass), pass.summed)] : [];
    }),
    // What the threads of a row have, before it is combined.
    ...kernel.stages.flatMap((s) =>
      s.axes.every((a) => a === pass.block || pass.outer.includes(a))
        ? [...s.defs.values()].flatMap((d): [string, number][] =>
            d.op === null ? [] : [[`shares ${d.value.dtype}`, 4 * rows * pass.threads[1]]],
          )
        : [],
    ),
  ]);
}

export const streamBytes = (pass: WgslStream, kernel: Kernel): number =>
  [...streamTiles(pass, kernel).values()].reduce((n, bytes) => n + bytes, 0);

/** Columns of a block whose weights lie in workgroup memory at a time: four for each thread along them. */
export const weightColumns = (pass: WgslStream): number => Math.min(pass.tile[1], 4 * pass.threads[1]);

/** Columns of a result, up to whole vectors for all threads. */
export function resultWidth(kernel: Kernel, stage: Extract<StreamStage, { kind: 'result' }>, pass: WgslStream): number {
  const width = stage.product.right.axes.reduce((n, a) => n * evaluate(kernel.axes.get(a)!, () => 1), 1);
  const unit = 4 * pass.threads[1];
  return Math.ceil(width / unit) * unit;
}

/** Columns of all blocks of rows together, in whole blocks, and how many blocks of rows there are. */
function visited(kernel: Kernel, pass: WgslStream, of: SizeOf): { readonly blocks: number; readonly pairs: number } {
  const [rows, columns] = pass.tile;
  const size = (axis: string): number => Math.max(1, evaluate(kernel.axes.get(axis)!, of));
  const [R, C] = [size(pass.block), size(pass.wide)];
  const span = kernel.spans?.get(pass.wide);
  const ends = (list: readonly Poly[] | undefined, at: number): number[] =>
    (list ?? []).map((p) => evaluate(p, (s) => (s === pass.block ? at : pass.outer.includes(s) ? 0 : of(s))));
  let pairs = 0;
  for (let first = 0; first < R; first += rows) {
    const last = Math.min(first + rows, R) - 1;
    const meet = (list: readonly Poly[] | undefined, of: (...n: number[]) => number): number[] =>
      ends(list, first).map((n, k) => of(n, ends(list, last)[k]!));
    const low = Math.max(0, ...meet(span?.from, Math.min));
    const high = Math.min(C, ...meet(span?.to, Math.max));
    pairs += Math.max(0, Math.ceil((high - Math.floor(low / columns) * columns) / columns));
  }
  const outer = pass.outer.reduce((n, a) => n * size(a), 1);
  return { blocks: outer * Math.ceil(R / rows), pairs: outer * pairs };
}

export function streamTraffic(kernel: Kernel, pass: WgslStream, of: SizeOf): Traffic {
  const [rows, columns] = pass.tile;
  const { blocks, pairs } = visited(kernel, pass, of);
  let [flops, bytes] = [0, 0];
  for (const { computed } of pass.phases)
    for (const k of computed) {
      const s = pass.stages[k]!;
      if (s.kind !== 'scores' && s.kind !== 'result') continue;
      const axes = s.kind === 'scores' ? s.product.over : s.product.right.axes;
      const side = axes.reduce((n, a) => n * Math.max(1, evaluate(kernel.axes.get(a)!, of)), 1);
      flops += 2 * pairs * rows * columns * side;
      bytes += 4 * pairs * (s.kind === 'scores' ? rows + columns : columns) * side;
      if (s.kind === 'result') bytes += 4 * blocks * rows * side;
    }
  return { flops, bytes };
}

export function printStream(pass: WgslStream, kernel: Kernel): string {
  const [rows, columns] = pass.tile;
  const skipped = kernel.spans?.has(pass.wide) ? ', blocks outside of the mask left out' : '';
  const order = pass.longest === null ? '' : `, ${pass.longest} blocks first`;
  const lines = pass.phases.map((p) => {
    const kindOf = (k: number): string => {
      const isScaled = p.scaled.has(k) || p.riding.has(k);
      return `${pass.stages[k]!.kind}${isScaled ? ', scaled as the maximum rises' : ''}`;
    };
    const parts = p.computed.map((k) => `${pass.stages[k]!.stage} (${kindOf(k)})`);
    return `  pass over ${pass.wide}: ${parts.join(', ')}`;
  });
  return [
    `stream rows [${[...pass.outer, pass.block].join(' ')}] in blocks of ${rows} ${pass.block} by ${columns} ${pass.wide}, ${pass.threads[0] * pass.threads[1]} threads in ${streamBytes(pass, kernel)} bytes${skipped}${order}`,
    ...lines,
  ].join('\n');
}
