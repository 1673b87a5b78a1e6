/**
 * Cells: named values that a body rebinds and that outlive it. A `state` is one by its path; a `carry` of a block is one by its instance. Inside a
 * loop that changes a cell the cell is a carry of the loop, which is found out by trying: the first change in a loop that does not hold the cell
 * starts that loop again, holding it. What a loop rebinds by name only (no cell) is in `loops.ts`.
 */
import type { LeafStatement } from '../../grammar/ast.ts';
import { remake } from '../graph/copy.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Node } from '../graph/types.ts';
import { joinPath, refuse, type Elaboration } from './elaboration.ts';
import type { Cell, Scope } from './scope.ts';
import { asConst } from '../sizes/poly.ts';
import { leafType, persistentLeaf } from './instances.ts';
import { initialValue } from './statements.ts';

/** Where the carries of instances live: from the first call on, for as long as what made the instance runs. */
export interface Store {
  readonly id: number;
  /** How many loops were open where it began. */
  readonly depth: number;
}

/** A loop under construction. */
export interface LoopFrame {
  /** Where the loop stands. */
  readonly outer: GraphBuilder;
  /** The run of a body that the loop is written in. */
  readonly body: object;
  readonly id: number;
  /** Cells that are carries of this loop, with their values before it. */
  readonly held: Map<string, Node>;
}

/** Thrown while a loop's body is made: it has to hold one cell more. */
export class Restart extends Error {
  readonly frame: LoopFrame;
  readonly key: string;
  readonly initial: Node;
  constructor(frame: LoopFrame, key: string, initial: Node) {
    super(key);
    this.frame = frame;
    this.key = key;
    this.initial = initial;
  }
}

/** Gives a cell its next value. */
export function writeCell(cx: Elaboration, cell: Cell, node: Node): void {
  for (const frame of cx.loops.slice(cell.depth)) {
    if (frame.held.has(cell.key)) continue;
    throw new Restart(frame, cell.key, cx.current.get(cell.key)!);
  }
  cx.current.set(cell.key, node);
}

/** The cell of a block's or model's own `carry`, begun if this is its first sight; null where the body has no instance (a function). */
export function carryCell(cx: Elaboration, s: LeafStatement, scope: Scope): { cell: Cell; node: Node } | null {
  const loop = cx.loops.at(-1);
  const lexical = loop !== undefined && loop.body === cx.bodyRun;
  if (!lexical && cx.store === null) return null;
  // One that a scan declares in a branch or round of its own begins with the scan; others with their instance.
  const owner = lexical
    ? { name: `loop ${loop.id}`, depth: cx.loops.length - 1 }
    : { name: `store ${cx.store!.id}`, depth: cx.store!.depth };
  const cell: Cell = { key: `~${owner.name} ${joinPath(cx.path, s.name.text)}`, depth: owner.depth };
  const known = cx.current.get(cell.key);
  if (known !== undefined) return { cell, node: known };
  const node = (lexical ? null : kept(cx, s, scope, cell.key)) ?? initialValue(cx, s, scope);
  const frame = cx.loops[owner.depth];
  if (frame !== undefined) {
    const before = hoist(cx.builder, node, frame.outer);
    if (before === null) return refuse('NN803', s.value.span, { name: s.name.text });
    throw new Restart(frame, cell.key, before);
  }
  cx.current.set(cell.key, node);
  return { cell, node };
}

/** Thrown where a carry cannot be kept from call to call: its size, or what it begins with, depends on the call. */
export class NotKept extends Error {}

/** In a program that goes on from call to call a carry of an instance is a persistent leaf; null in others. */
function kept(cx: Elaboration, s: LeafStatement, scope: Scope, key: string): Node | null {
  if (cx.streamed === null) return null;
  const { sizes } = leafType(cx, s, scope);
  if (sizes.some((size) => asConst(size) === null) || dependsOnCall(initialValue(cx, s, scope))) throw new NotKept();
  const path = joinPath(cx.path, s.name.text);
  cx.streamed.set(path, key);
  return cx.builder.local(cx.leaf(persistentLeaf(cx, s, scope, path, 'carry')));
}

function dependsOnCall(node: Node): boolean {
  return node.op === 'input' || node.inputs.some(dependsOnCall);
}

/** The node made outside the loops down to `target`; null where it depends on a round. */
function hoist(builder: GraphBuilder, node: Node, target: GraphBuilder): Node | null {
  let value: Node | null = node;
  for (let b = builder; b !== target; b = b.parent!) {
    if (b.parent === null || value === null) return null;
    value = outOf(b, b.local(value), b.parent);
  }
  return value;
}

function outOf(inner: GraphBuilder, node: Node, outer: GraphBuilder): Node | null {
  for (const [from, leaf] of inner.captured) if (leaf === node) return from;
  if (node.op === 'input' || node.members !== null) return null;
  const inputs = node.inputs.map((x) => outOf(inner, x, outer));
  return inputs.includes(null) ? null : remake(outer, node, inputs as Node[]);
}
