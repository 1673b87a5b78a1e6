/**
 * `scan`: a loop that stays a loop. What its body rebinds is carried: carries declared in it, and names from before it. Everything else it uses is
 * a constant of the loop.
 */
import type { LeafStatement, ScanExpr, Statement } from '../../grammar/ast.ts';
import type { Node } from '../graph/types.ts';
import type { Poly } from '../sizes/poly.ts';
import { asTensor } from './arithmetic.ts';
import { refuse, type Elaboration, type Yielded } from './elaboration.ts';
import { sizeOf, wholeTensor } from './expressions.ts';
import type { Scope } from './scope.ts';
import { execute, initialValue } from './statements.ts';
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

  // Carries: declared here, or bound outside and rebound inside.
  const own = e.body.filter((s): s is LeafStatement => s.kind === 'leaf' && s.leaf === 'carry');
  const outer = [...rebound(e.body)].filter((n) => !own.some((s) => s.name.text === n) && scope.find(n) !== null);
  for (const n of outer)
    if (scope.find(n)!.state !== null)
      refuse('NN801', e.span, {
        feature: 'a state that changes inside a scan',
        instead: 'carry the value and rebind the state after the scan',
      });
  const initial: Node[] = [
    ...own.map((s) => cx.at(s.span, () => initialValue(cx, s, scope))),
    ...outer.map((n) => asTensor(cx, scope.get(n)!, e.span, null)),
  ];

  const yielded: Yielded[] = [];
  const before = {
    builder: cx.builder,
    drawStep: cx.drawStep,
    yields: cx.yields,
    masks: cx.masks,
    guard: cx.guard,
    path: cx.path,
  };
  const count = length;
  let last: Value | null = null;
  const loop = b.loop(
    { carries: initial, sequences, length: count, reversed: e.reversed, name: `${b.name}.scan` },
    (inner, round, carries, elements) => {
      inner.origin = b.origin;
      const body = scope.child();
      own.forEach((s, k) => body.set(s.name.text, tensor(carries[k]!)));
      outer.forEach((n, k) => body.set(n, tensor(carries[own.length + k]!)));
      e.sources.forEach((source, k) => body.set(source.variable.text, tensor(elements[k]!)));
      if (e.variable !== null) body.set(e.variable.text, tensor(round));
      cx.builder = inner;
      cx.loopDepth++;
      cx.yields = yielded;
      cx.masks = null;
      cx.guard = null;
      // Every round draws its own numbers.
      const step = before.drawStep ?? (cx.initStream === null ? cx.step : inner.constant(0, 'i32'));
      cx.drawStep = inner.add(inner.mul(inner.local(step), inner.sizeValue(count)), round);
      try {
        const rest = e.body.filter((s) => !(s.kind === 'leaf' && s.leaf === 'carry'));
        last = execute(cx, rest, body).value;
        const next = [...own.map((s) => s.name.text), ...outer].map((n, k) =>
          asTensor(cx, body.get(n)!, e.span, carries[k]!.type.dtype, carries[k]!.type.sizes),
        );
        return { carries: next.map((n) => inner.local(n)), yields: yielded.map((y) => inner.local(y.node)) };
      } finally {
        cx.builder = before.builder;
        cx.loopDepth--;
        cx.drawStep = before.drawStep;
        cx.yields = before.yields;
        cx.masks = before.masks;
        cx.guard = before.guard;
      }
    },
  );
  outer.forEach((n, k) => {
    scope.find(n)!.value = tensor(loop.carries[own.length + k]!);
  });

  // Yields: the stacked axis goes to its place.
  let result: Value = last ?? { kind: 'record', fields: new Map() };
  yielded.forEach((y, k) => {
    const stacked = loop.yields[k]!;
    const rank = stacked.type.sizes.length;
    const position = Math.min(y.position ?? (e.sources.length > 0 ? place : 0), rank - 1);
    const perm = Array.from({ length: rank - 1 }, (_, j) => j + 1);
    perm.splice(position, 0, 0);
    const value = tensor(b.transpose(stacked, perm));
    if (y.name === null) result = value;
    else scope.set(y.name, value);
  });
  return result;
}
