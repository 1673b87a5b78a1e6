/**
 * What every schedule of the WebAssembly target satisfies: each stage once and in order, every axis of it looped exactly once, lanes along one axis
 * that may be cut into vectors, and a product's axes told apart by its operands.
 */
import { asConst, names } from '../sizes/poly.ts';
import { polysOf, walk } from '../kernel/expr.ts';
import type { Expr, Kernel, Stage } from '../kernel/types.ts';
import { CHUNK, type DotsLeaf } from './dots.ts';
import type { WasmLeaf, WasmSchedule } from './wasm.ts';

function mentions(root: Expr, axis: string): boolean {
  let found = false;
  walk([root], (e) => {
    if (polysOf(e).some((p) => names(p).has(axis))) found = true;
  });
  return found;
}

function verifyLoops(
  kernel: Kernel,
  leaf: Extract<WasmLeaf, { kind: 'loops' }>,
  stage: Stage,
  rows: readonly string[],
): string[] {
  const wrong: string[] = [];
  const same = (a: readonly string[], b: readonly string[]): boolean => [...a].sort().join() === [...b].sort().join();
  if (!same([...rows, ...leaf.free], stage.axes)) wrong.push(`${stage.name}: free loops ${leaf.free.join(' ')}`);
  if (!same(leaf.over, stage.over)) wrong.push(`${stage.name}: reduced loops ${leaf.over.join(' ')}`);
  const { vector } = leaf;
  const sequential = stage.order !== null || [...stage.defs.values()].some((d) => d.op === 'argmax');
  if (sequential && leaf.over.join() !== stage.over.join()) wrong.push(`${stage.name}: its reduced axes have an order`);
  if (vector === null) return leaf.count === 1 ? wrong : [...wrong, `${stage.name}: several vectors of none`];
  if (leaf.free.includes(vector)) {
    if (leaf.free.at(-1) !== vector) wrong.push(`${stage.name}: the vector's axis ${vector} is not innermost`);
  } else if (leaf.over.includes(vector)) {
    if (leaf.over.at(-1) !== vector) wrong.push(`${stage.name}: the vector's axis ${vector} is not innermost`);
    if (sequential) wrong.push(`${stage.name}: lanes along an axis with an order`);
  } else wrong.push(`${stage.name}: no loop over the vector's axis ${vector}`);
  if (leaf.points !== undefined) {
    const axis = leaf.free.at(-1);
    const extent = axis === undefined ? null : asConst(kernel.axes.get(axis)!);
    if (extent === null || extent < leaf.points || vector === null || !leaf.over.includes(vector))
      wrong.push(`${stage.name}: ${leaf.points} points together`);
  }
  return wrong;
}

function verifyProduct(
  kernel: Kernel,
  leaf: Extract<WasmLeaf, { kind: 'product' }>,
  stage: Stage,
  around: readonly string[],
): string[] {
  const wrong: string[] = [];
  const all = [...leaf.batch, ...leaf.rows.axes, ...leaf.columns.axes];
  if (new Set(all).size !== all.length || [...all].sort().join() !== [...stage.axes].sort().join())
    wrong.push(`${stage.name}: axes ${all.join(' ')}`);
  if (leaf.over.join() !== stage.over.join()) wrong.push(`${stage.name}: over ${leaf.over.join(' ')}`);
  for (const axis of leaf.rows.axes)
    if (mentions(leaf.columns.value, axis)) wrong.push(`${stage.name}: ${axis} is in both`);
  for (const axis of leaf.columns.axes)
    if (mentions(leaf.rows.value, axis)) wrong.push(`${stage.name}: ${axis} is in both`);
  // Accumulators, a row's vectors, one broadcast and one to spare, in fifteen registers.
  const [rows, columns] = leaf.tile;
  if (rows * (columns / 4) + columns / 4 + 2 > 15)
    wrong.push(`${stage.name}: a tile of ${rows} x ${columns} does not fit`);
  return [...wrong, ...verifyLoops(kernel, leaf.few.leaf, stage, around)];
}

function verifyDots(leaf: DotsLeaf, stage: Stage): string[] {
  const wrong: string[] = [];
  const all = [...leaf.rows.axes, ...leaf.columns.axes];
  if ([...all].sort().join() !== [...stage.axes].sort().join()) wrong.push(`${stage.name}: axes ${all.join(' ')}`);
  if ([...leaf.over].sort().join() !== [...stage.over].sort().join())
    wrong.push(`${stage.name}: over ${leaf.over.join(' ')}`);
  for (const axis of leaf.columns.axes) if (mentions(leaf.x, axis)) wrong.push(`${stage.name}: ${axis} is in both`);
  const { length, block, group } = leaf;
  if (length % block !== 0 || (group < length && group !== block) || block % CHUNK[leaf.storage] !== 0)
    wrong.push(`${stage.name}: blocks of ${block} in rows of ${length}`);
  return wrong;
}

/** Violations in words; empty when all is well. */
export function verifyWasmSchedule(kernel: Kernel, schedule: WasmSchedule): string[] {
  const wrong: string[] = [];
  if ([...schedule.rows].sort().join() !== [...(kernel.rows ?? [])].sort().join())
    wrong.push(`rows ${schedule.rows.join(' ')}`);
  if (schedule.vector !== null && schedule.rows.at(-1) !== schedule.vector)
    wrong.push(`lanes along ${schedule.vector}`);
  if (schedule.leaves.map((l) => l.stage).join() !== kernel.stages.map((s) => s.name).join())
    wrong.push(`stages ${schedule.leaves.map((l) => l.stage).join(' ')}`);
  for (const leaf of schedule.leaves) {
    const stage = kernel.stages.find((s) => s.name === leaf.stage);
    if (stage === undefined) continue;
    if (leaf.kind === 'loops') {
      wrong.push(...verifyLoops(kernel, leaf, stage, schedule.rows));
      if (schedule.vector !== null && leaf.vector !== null) wrong.push(`${stage.name}: lanes along two axes`);
    } else {
      if (leaf.kind === 'dots') {
        if (schedule.rows.length > 0) wrong.push(`${stage.name}: a product inside rows`);
        wrong.push(...verifyDots(leaf, stage));
        continue;
      }
      if (schedule.rows.length > 0 && leaf.rows.axes.join() !== schedule.block?.axis)
        wrong.push(`${stage.name}: a product inside rows`);
      wrong.push(...verifyProduct(kernel, leaf, stage, schedule.rows));
    }
  }
  return wrong;
}
