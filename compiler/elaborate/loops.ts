/**
 * `scan`: a loop that stays a loop. What its body rebinds is carried: carries declared in it, and names from before it. Everything else it uses is
 * a constant of the loop.
 */
import type { LeafStatement, ScanExpr, Statement } from '../../grammar/ast.ts';
import type { GraphBuilder, Loop, Round } from '../graph/builder.ts';
import type { Node } from '../graph/types.ts';
import type { Poly } from '../sizes/poly.ts';
import { asTensor } from './arithmetic.ts';
import { Restart, type LoopFrame } from './cells.ts';
import { refuse, type Elaboration, type Yielded } from './elaboration.ts';
import { evaluate, sizeOf, wholeTensor } from './expressions.ts';
import type { Scope } from './scope.ts';
import { equationTensor, execute, initialValue } from './statements.ts';
import { tensor, type Value } from './values.ts';

/** Names that these statements rebind and do not declare themselves. */
function rebound(
  statements: readonly Statement[],
  into = new Set<string>(),
  declared = new Set<string>(),
): Set<string> {
  for (const s of statements) {
    if (s.kind === 'let' || s.kind === 'leaf') {
      if (s.kind === 'let' && s.value.kind === 'scan') rebound(s.value.body, into, new Set(declared));
      declared.add(s.name.text);
    } else if (s.kind === 'assign' && !declared.has(s.name.text)) into.add(s.name.text);
    else if (s.kind === 'if') {
      rebound(s.then, into, new Set(declared));
      rebound(s.otherwise ?? [], into, new Set(declared));
    } else if (s.kind === 'repeat') rebound(s.body, into, new Set(declared));
    else if (s.kind === 'expression' && s.value.kind === 'scan') rebound(s.value.body, into, new Set(declared));
  }
  return into;
}

export function evaluateScan(cx: Elaboration, e: ScanExpr, scope: Scope): Value {
  const b = cx.builder;
  // Sequences, scanned axis first.
  let length: Poly | null = e.count === null ? null : sizeOf(cx, e.count, scope, null);
  let place = 0;
  const axes = cx.scanAxes.get(e);
  const sequences = e.sources.map((source, k) => {
    const node = b.local(wholeTensor(cx, source.sequence, scope));
    const rank = node.type.sizes.length;
    let axis = axes?.[k] === undefined ? -1 : rank - 1 - axes[k];
    if (axis < 0 && e.along !== null) {
      const along = scope.get(e.along.text);
      if (along?.kind === 'integer') axis = node.type.sizes.indexOf(along.poly);
    }
    if (axis < 0 || axis >= rank)
      return refuse('NN802', source.sequence.span, { what: 'the axis along which to scan' });
    length ??= node.type.sizes[axis]!;
    if (k === 0) place = axis;
    const rest = node.type.sizes.map((_, j) => j).filter((j) => j !== axis);
    return b.transpose(node, [axis, ...rest]);
  });
  if (length === null) return refuse('NN802', e.span, { what: 'a scan without a length' });

  // Carries: declared here, or bound outside and rebound inside (as a cell where it is one), or cells that what is called inside changes.
  const own = e.body.filter((s): s is LeafStatement => s.kind === 'leaf' && s.leaf === 'carry');
  const named = [...rebound(e.body)].filter((n) => !own.some((s) => s.name.text === n) && scope.find(n) !== null);
  const outer = named.filter((n) => scope.find(n)!.cell === null);
  const cells = named.filter((n) => scope.find(n)!.cell !== null);
  const initial: Node[] = [
    ...own.map((s) => cx.at(s.span, () => initialValue(cx, s, scope))),
    ...outer.map((n) => asTensor(cx, scope.get(n)!, e.span, null)),
  ];
  const frame: LoopFrame = { outer: b, body: cx.bodyRun, id: cx.fresh(), held: new Map() };
  for (const n of cells) {
    const { cell, value } = scope.find(n)!;
    for (const around of cx.loops.slice(cell!.depth))
      if (!around.held.has(cell!.key)) throw new Restart(around, cell!.key, cx.current.get(cell!.key)!);
    frame.held.set(cell!.key, asTensor(cx, value, e.span, null));
  }

  const ends = mayEnd(e.body);
  if (ends && e.reversed) return refuse('NN802', e.span, { what: '`until` in a reversed scan' });
  const count = length;
  const before = { drawCount: new Map(cx.drawCount), current: new Map(cx.current), identities: cx.identities };
  let yielded: Yielded[] = [];
  let last: Value | null = null;
  const round = (inner: GraphBuilder, index: Node, carries: readonly Node[], elements: readonly Node[]): Round => {
    inner.origin = b.origin;
    const body = scope.child();
    own.forEach((s, k) => body.set(s.name.text, tensor(carries[k]!)));
    outer.forEach((n, k) => body.set(n, tensor(carries[own.length + k]!)));
    const keys = [...frame.held.keys()];
    keys.forEach((key, k) => cx.current.set(key, carries[own.length + outer.length + k]!));
    for (const n of cells) {
      const { cell } = scope.find(n)!;
      body.set(n, tensor(cx.current.get(cell!.key)!), cell);
    }
    e.sources.forEach((source, k) => body.set(source.variable.text, tensor(elements[k]!)));
    if (e.variable !== null) body.set(e.variable.text, tensor(index));
    return insideLoop(cx, inner, frame, () => {
      cx.yields = yielded;
      cx.stops = ends ? [] : null;
      // Every round draws its own numbers.
      const step = cx.drawStep ?? (cx.initStream === null ? cx.step : inner.constant(0, 'i32'));
      cx.drawStep = inner.add(inner.mul(inner.local(step), inner.sizeValue(count)), index);
      const rest = e.body.filter((s) => !(s.kind === 'leaf' && s.leaf === 'carry'));
      last = execute(cx, rest, body).value;
      const next = [...own.map((s) => s.name.text), ...outer].map((n, k) =>
        asTensor(cx, body.get(n)!, e.span, carries[k]!.type.dtype, carries[k]!.type.sizes),
      );
      return {
        carries: [...next, ...keys.map((key) => cx.current.get(key)!)].map((n) => inner.local(n)),
        yields: yielded.map((y) => inner.local(y.node)),
        until: (cx.stops ?? []).reduce<Node | null>((any, s) => (any === null ? s : inner.or(any, s)), null),
      };
    });
  };
  let loop: Loop | null = null;
  while (loop === null) {
    try {
      const carries = [...initial, ...frame.held.values()];
      loop = b.loop(
        { carries, sequences, length: count, reversed: e.reversed, until: ends, name: `${b.name}.scan` },
        round,
      );
    } catch (error) {
      if (!(error instanceof Restart) || error.frame !== frame) throw error;
      frame.held.set(error.key, error.initial);
      restore(cx, before);
      yielded = [];
    }
  }
  restore(cx, { ...before, drawCount: cx.drawCount, identities: cx.identities });
  outer.forEach((n, k) => {
    scope.find(n)!.value = tensor(loop.carries[own.length + k]!);
  });
  [...frame.held.keys()].forEach((key, k) => {
    if (key.startsWith(`~loop ${frame.id} `)) cx.current.delete(key);
    else cx.current.set(key, loop.carries[initial.length + k]!);
  });
  for (const n of cells) scope.find(n)!.value = tensor(cx.current.get(scope.find(n)!.cell!.key)!);

  // Yields: the stacked axis goes to its place.
  let result: Value = last ?? { kind: 'record', fields: new Map() };
  yielded.forEach((y, k) => {
    const stacked = loop.yields[k]!;
    const rank = stacked.type.sizes.length;
    const position = Math.min(y.position ?? (e.sources.length > 0 ? place : 0), rank - 1);
    const perm = unstack(rank, position);
    const all = b.transpose(stacked, perm);
    const value = tensor(loop.rounds === null ? all : ranOrElse(cx, e, scope, y, all, position, loop.rounds));
    if (y.name === null) result = value;
    else scope.set(y.name, value);
  });
  return result;
}

/** Runs `f` with the state of a loop's body. */
function insideLoop<T>(cx: Elaboration, inner: GraphBuilder, frame: LoopFrame, f: () => T): T {
  const { builder, drawStep, yields, stops, masks, guard, path, bodyRun } = cx;
  cx.builder = inner;
  cx.loops.push(frame);
  cx.masks = null;
  cx.guard = null;
  try {
    return f();
  } finally {
    cx.loops.pop();
    Object.assign(cx, { builder, drawStep, yields, stops, masks, guard, path, bodyRun });
  }
}

/** As before the loop, but for the leaves first seen in it. */
function restore(
  cx: Elaboration,
  before: {
    readonly drawCount: ReadonlyMap<string, number>;
    readonly current: ReadonlyMap<string, Node>;
    readonly identities: number;
  },
): void {
  cx.drawCount = new Map(before.drawCount);
  cx.identities = before.identities;
  cx.current.clear();
  for (const [key, node] of [...cx.initial, ...before.current]) cx.current.set(key, node);
}

/** Whether a scan with this body may end before its last round. */
function mayEnd(statements: readonly Statement[]): boolean {
  return statements.some((s) => {
    if (s.kind === 'until') return true;
    if (s.kind === 'if') return mayEnd(s.then) || mayEnd(s.otherwise ?? []);
    return s.kind === 'repeat' && mayEnd(s.body);
  });
}

/** What a loop that may have ended early yielded, and its `else` in the rounds that did not run. */
function ranOrElse(
  cx: Elaboration,
  e: ScanExpr,
  scope: Scope,
  y: Yielded,
  stacked: Node,
  axis: number,
  rounds: Node,
): Node {
  const b = cx.builder;
  const { dtype, sizes } = stacked.type;
  if (y.fill === null)
    return refuse('NN802', e.span, { what: 'a yield without `else` in a scan with `until`: some rounds may not run' });
  const { value, indices } = y.fill;
  const fill =
    indices === null
      ? b.transpose(
          asTensor(cx, evaluate(cx, value, scope, null), value.span, dtype, [
            sizes[axis]!,
            ...sizes.toSpliced(axis, 1),
          ]),
          unstack(sizes.length, axis),
        )
      : b.cast(equationTensor(cx, scope, indices, value, sizes), dtype);
  const ran = b.lt(b.iota(sizes, axis), b.broadcast(rounds, sizes, []));
  return b.select(ran, stacked, fill);
}

/** From the scanned axis first to the scanned axis at its place. */
function unstack(rank: number, axis: number): number[] {
  const perm = Array.from({ length: rank - 1 }, (_, j) => j + 1);
  perm.splice(axis, 0, 0);
  return perm;
}
