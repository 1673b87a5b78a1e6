/** Bodies: statements in order, rebinding, leaves, compile-time branches and rounds. Loops that stay loops are in `loops.ts`. */
import type {
  AssignStatement,
  Expr,
  Index,
  LeafStatement,
  LetStatement,
  RepeatStatement,
  Span,
  Statement,
} from '../../grammar/ast.ts';
import type { Node } from '../graph/types.ts';
import {
  asConst,
  coefficientOf,
  divideExact,
  evaluate as evaluateSize,
  floorDiv,
  format,
  mul,
  names,
  num,
  ONE,
  type Poly,
} from '../sizes/poly.ts';
import { asTensor, binary, constantOf, decide, hasLetters, lift } from './arithmetic.ts';
import { evaluateCall } from './calls.ts';
import { carryCell, writeCell } from './cells.ts';
import { joinPath, refuse, type Elaboration } from './elaboration.ts';
import { Equation, resolveExtents } from './equation.ts';
import { evaluate, sizeOf } from './expressions.ts';
import { leafType, persistentLeaf } from './instances.ts';
import { evaluateWith, seenLeaf } from './records.ts';
import type { Binding, Scope } from './scope.ts';
import { float, integer, tensor, type Value } from './values.ts';

export interface Outcome {
  readonly value: Value | null;
  readonly returned: boolean;
}

const NOTHING: Outcome = { value: null, returned: false };

export function execute(cx: Elaboration, statements: readonly Statement[], scope: Scope): Outcome {
  let last: Value | null = null;
  for (const s of statements) {
    const outcome = cx.at(s.span, () => statement(cx, s, scope, statements));
    if (outcome.returned) return outcome;
    last = outcome.value;
  }
  return { value: last, returned: false };
}

function statement(cx: Elaboration, s: Statement, scope: Scope, all: readonly Statement[]): Outcome {
  switch (s.kind) {
    case 'let':
      letStatement(cx, s, scope, all);
      return NOTHING;
    case 'assign':
      assign(cx, s, scope);
      return NOTHING;
    case 'leaf':
      leaf(cx, s, scope);
      return NOTHING;
    case 'require':
      requireCondition(cx, s.condition, scope, s.message, s.span);
      return NOTHING;
    case 'if': {
      const c = evaluate(cx, s.condition, scope, null);
      const known = constantOf(c);
      if (known === null)
        return refuse('NN802', s.condition.span, {
          what: 'a condition on sizes or values known only at run time: use `where … else`',
        });
      const branch = known !== 0 ? s.then : s.otherwise;
      return branch === null ? NOTHING : execute(cx, branch, scope.child());
    }
    case 'return': {
      if (s.fields !== null) {
        const fields = new Map(s.fields.map((f) => [f.name?.text ?? '', evaluate(cx, f.value, scope, null)] as const));
        return { value: { kind: 'record', fields }, returned: true };
      }
      return { value: s.value === null ? null : evaluate(cx, s.value, scope, null), returned: true };
    }
    case 'repeat':
      repeat(cx, s, scope);
      return NOTHING;
    case 'yield': {
      if (cx.yields === null) return refuse('NN802', s.span, { what: '`yield` outside a scan' });
      if (s.indices === null)
        cx.yields.push({
          name: s.name?.text ?? null,
          node: asTensor(cx, evaluate(cx, s.value, scope, null), s.span, null),
          position: null,
          fill: s.value.kind === 'else' ? { value: s.value.right, indices: null } : null,
        });
      else {
        // The scan's own variable among the indices says where the scanned axis stands.
        const round = s.indices.findIndex((i) => i.kind === 'index' && scope.get(i.name.text)?.kind === 'tensor');
        const rest = s.indices.filter((_, k) => k !== round);
        cx.yields.push({
          name: s.name?.text ?? null,
          node: equationTensor(cx, scope, rest, s.value, null),
          position: round < 0 ? null : round,
          fill: s.value.kind === 'else' ? { value: s.value.right, indices: s.indices } : null,
        });
      }
      return NOTHING;
    }
    case 'until':
      if (cx.stops === null) return refuse('NN802', s.span, { what: '`until` outside a scan' });
      cx.stops.push(asTensor(cx, evaluate(cx, s.condition, scope, null), s.condition.span, 'bool'));
      return NOTHING;
    case 'expression':
      return { value: evaluate(cx, s.value, scope, null), returned: false };
    case 'bad':
      return refuse('NN802', s.span, { what: 'a damaged statement' });
  }
}

// ------------------------------------------------------------------------------------------------------------------------- let

const differentiated = new WeakMap<readonly Statement[], Set<string>>();

/** Names in `grad(…, wrt: name)` anywhere in these statements. */
function gradientNames(statements: readonly Statement[]): Set<string> {
  let found = differentiated.get(statements);
  if (found === undefined) {
    found = new Set();
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) for (const v of value) visit(v);
      else if (value !== null && typeof value === 'object') {
        const a = value as { name?: { text?: string }; value?: { kind?: string; name?: string } };
        if (a.name?.text === 'wrt' && a.value?.kind === 'name') found!.add(a.value.name!);
        for (const v of Object.values(value)) if (typeof v === 'object') visit(v);
      }
    };
    visit(statements);
    differentiated.set(statements, found);
  }
  return found;
}

function letStatement(cx: Elaboration, s: LetStatement, scope: Scope, all: readonly Statement[]): void {
  let value: Value;
  if (s.indices !== null) value = tensor(equationTensor(cx, scope, s.indices, s.value, null));
  // `let tokens = Embedding(V, D)`: the instance bears the let's name.
  else if (s.value.kind === 'call')
    value = cx.at(s.value.span, () =>
      evaluateCall(cx, s.value as Extract<Expr, { kind: 'call' }>, scope, null, s.name.text),
    );
  else if (s.value.kind === 'with') {
    const { value: made } = s;
    value = cx.at(made.span, () => evaluateWith(cx, made, scope, s.name.text));
  } else value = evaluate(cx, s.value, scope, null);
  // What is differentiated by must be itself and nothing that happens to be equal (a constant, say): it gets a node of its own.
  if (value.kind === 'tensor' && value.node.op !== 'input' && gradientNames(all).has(s.name.text)) {
    let node: Node = value.node;
    if (node.type.dtype !== 'f32') node = cx.builder.cast(node, 'f32');
    cx.identities++;
    for (let k = 0; k < cx.identities; k++) node = cx.builder.mul(node, cx.builder.constantOf(1, node.type));
    value = tensor(node);
  }
  scope.set(s.name.text, value);
  cx.note(s.name.text, value);
}

/** What is rebound keeps its shape: letters that nothing else measures take the extents of its axes. */
function extentsFromHint(eq: Equation, indices: readonly Index[], hint: readonly Poly[]): void {
  const labelOf = (part: Index): string | null => {
    const v = part.kind === 'index' && !part.run ? eq.scope.get(part.name.text) : null;
    return v?.kind === 'integer' ? ([...names(v.poly)][0] ?? null) : null;
  };
  if (hint.length !== indices.length || indices.some((i) => i.kind === 'index' && i.run)) return;
  indices.forEach((index, axis) => {
    if (index.kind !== 'group') {
      const label = labelOf(index);
      if (label !== null) eq.setExtent(label, hint[axis]!);
      return;
    }
    const labels = index.parts.map(labelOf);
    const open = labels.filter((l) => l !== null && eq.known(l) === null);
    let known: Poly = ONE;
    for (const l of labels) if (l !== null && eq.known(l) !== null) known = mul(known, eq.known(l)!);
    if (open.length === 1) eq.setExtent(open[0]!, divideExact(hint[axis]!, known) ?? floorDiv(hint[axis]!, known));
  });
}

/** `name[indices] = value` as a whole tensor; groups on the left merge. `hint`: sizes of what is rebound. */
export function equationTensor(
  cx: Elaboration,
  scope: Scope,
  indices: readonly Index[],
  value: Expr,
  hint: readonly Poly[] | null,
): Node {
  const eq = new Equation(scope);
  resolveExtents(cx, eq, indices, [value]);
  if (hint !== null) extentsFromHint(eq, indices, hint);
  let v = evaluate(cx, value, eq.scope, eq);
  // A number without positions in it is a float, as it would be next to one.
  if (v.kind === 'integer' && !hasLetters(v.poly)) {
    const c = asConst(v.poly);
    v =
      c === null
        ? { kind: 'labelled', node: cx.builder.cast(cx.builder.sizeValue(v.poly), 'f32'), labels: [] }
        : float(c);
  }
  const lifted = lift(cx, eq, v, value.span);
  const extra = lifted.labels.filter((l) => !eq.left.includes(l));
  if (extra.length > 0)
    return refuse('NN802', value.span, { what: `the index \`${extra[0]!.split('#')[0]!}\`, which is not on the left` });
  let node = eq.spread(cx, lifted.node, lifted.labels, eq.left);
  let axis = 0;
  for (const index of indices) {
    const parts = index.kind === 'group' ? index.parts : [index];
    let count = 0;
    for (const part of parts) {
      if (part.kind !== 'index') continue;
      const run = part.run ? eq.scope.get(part.name.text) : null;
      count += run?.kind === 'run' ? run.sizes.length : 1;
    }
    if (index.kind === 'group') {
      node = cx.builder.merge(node, axis, count);
      axis += 1;
    } else axis += count;
  }
  return node;
}

// ------------------------------------------------------------------------------------------------------------------- rebinding

function assign(cx: Elaboration, s: AssignStatement, scope: Scope): void {
  const binding = scope.find(s.name.text);
  if (binding === null)
    return refuse('NN802', s.name.span, { what: `the rebinding of the unknown name \`${s.name.text}\`` });
  const before = binding.value;
  const hint = before.kind === 'tensor' ? before.node.type.sizes : null;
  let value: Value =
    s.indices === null
      ? evaluate(cx, s.value, scope, null)
      : tensor(equationTensor(cx, scope, s.indices, s.value, hint));
  if (s.operator !== '=') value = binary(cx, null, s.operator[0] as '+' | '-' | '*' | '/', before, value, s.span);
  rebind(cx, binding, value, s.span);
  cx.note(s.name.text, binding.value);
}

export function rebind(cx: Elaboration, binding: Binding, value: Value, span: Span): void {
  const before = binding.value;
  if (before.kind === 'leaves' && before.saved !== undefined) {
    // A record that is a state: each of its leaves is one.
    if (value.kind !== 'leaves') return refuse('NN802', span, { what: 'a record of leaves rebound to something else' });
    const record = value;
    const next = before.paths().map((path) => [path, record.get(path, null)] as const);
    for (const [path, node] of next)
      if (node !== null) writeCell(cx, { key: before.saved(path), depth: 0 }, cx.builder.local(node));
    return;
  }
  if (
    before.kind === 'tensor' &&
    (value.kind === 'tensor' || value.kind === 'integer' || value.kind === 'float' || value.kind === 'boolean')
  ) {
    const rank = before.node.type.sizes.length;
    const own = value.kind === 'tensor' ? value.node.type.sizes.length : 0;
    value = tensor(asTensor(cx, value, span, before.node.type.dtype, own < rank ? before.node.type.sizes : null));
  }
  if (binding.cell !== null && value.kind === 'tensor') {
    writeCell(cx, binding.cell, value.node);
  }
  binding.value = value;
}

// ---------------------------------------------------------------------------------------------------------------------- leaves

function leaf(cx: Elaboration, s: LeafStatement, scope: Scope): void {
  if (s.leaf === 'carry') {
    const own = carryCell(cx, s, scope);
    const node = own?.node ?? initialValue(cx, s, scope);
    const asked = { statement: s, scope, sort: s.leaf };
    const seen =
      own === null ? node : seenLeaf(cx, cx.overrides, joinPath(cx.path, s.name.text), asked, () => node).node;
    scope.set(s.name.text, tensor(seen), own?.cell ?? null);
    return;
  }
  const slot = cx.slotOf !== null;
  const path = slot ? `${cx.slotOf!}/${s.name.text}` : joinPath(cx.path, s.name.text);
  const sort = s.leaf;
  const own = (): Node => cx.leaf(persistentLeaf(cx, s, scope, path, slot ? 'slot' : sort));
  const seen = slot
    ? { node: own(), isOwn: true }
    : seenLeaf(cx, cx.overrides, path, { statement: s, scope, sort: s.leaf }, own);
  scope.set(s.name.text, tensor(seen.node), s.leaf === 'state' && seen.isOwn ? { key: path, depth: 0 } : null);
}

/** The value that a leaf begins with, of its declared type. */
export function initialValue(cx: Elaboration, s: LeafStatement, scope: Scope): Node {
  // A carry by an equation is what the equation gives.
  if (s.indices !== null && s.leaf === 'carry') return equationTensor(cx, scope, s.indices, s.value, null);
  const type = leafType(cx, s, scope);
  if (s.indices !== null) {
    const node = equationTensor(cx, scope, s.indices, s.value, null);
    return cx.builder.cast(node, type.dtype);
  }
  const value = cx.plain(() => cx.withDrawSizes(type.sizes, () => evaluate(cx, s.value, scope, null)));
  return asTensor(cx, value, s.span, type.dtype, type.sizes);
}

// --------------------------------------------------------------------------------------------------------------------- require

/** Decided now if it can be; otherwise checked against the data. `T <= 1024` also bounds T. */
function requireCondition(cx: Elaboration, e: Expr, scope: Scope, message: string | null, span: Span): void {
  if (e.kind === 'binary' && e.operator === 'and') {
    requireCondition(cx, e.left, scope, message, span);
    requireCondition(cx, e.right, scope, message, span);
    return;
  }
  const comparison = e.kind === 'binary' && ['<', '<=', '>', '>=', '==', '!='].includes(e.operator) ? e : null;
  if (comparison !== null) {
    const left = evaluate(cx, comparison.left, scope, null);
    const right = evaluate(cx, comparison.right, scope, null);
    if (left.kind === 'integer' && right.kind === 'integer') {
      const known = decide(null, comparison.operator, left.poly, right.poly);
      if (known === true) return;
      if (known === false) failed(cx, e, message, [left.poly, right.poly]);
      runtimeRequirement(cx, comparison.operator, left.poly, right.poly, message ?? describe(cx, e), span);
      return;
    }
  }
  const v = evaluate(cx, e, scope, null);
  const c = constantOf(v);
  if (c === 0) failed(cx, e, message, []);
  if (c === null)
    refuse('NN802', e.span, { what: 'a `require` on values: only sizes and configuration can be required' });
}

const describe = (cx: Elaboration, e: Expr): string => cx.program.sources.text(e.span);

function failed(cx: Elaboration, e: Expr, message: string | null, values: readonly Poly[]): never {
  return refuse('NN150', e.span, { condition: describe(cx, e), message, values: values.map((p) => format(p)) });
}

function runtimeRequirement(
  cx: Elaboration,
  operator: string,
  left: Poly,
  right: Poly,
  message: string,
  span: Span,
): void {
  const swap = operator === '>' || operator === '>=';
  const relation = operator === '>' ? '<' : operator === '>=' ? '<=' : (operator as '==' | '!=' | '<' | '<=');
  const [a, b] = swap ? [right, left] : [left, right];
  const key = `${a.key} ${relation} ${b.key}`;
  if (!cx.unit.requirements.has(key))
    cx.unit.requirements.set(key, {
      left: a,
      relation,
      right: b,
      message,
      origin: cx.origins.add(span, cx.caller, cx.via),
    });
  const bound = asConst(b);
  if (bound === null || (relation !== '<' && relation !== '<=')) return;
  // A sum of sizes below a number bounds each of them: the others are at least 1.
  const linear = [...names(a)].map((n) => ({ n, parts: coefficientOf(a, n) }));
  const coefficients = linear.map(({ parts }) => (parts === null ? null : asConst(parts.coefficient)));
  if (coefficients.some((c) => c === null || c < 1)) return;
  linear.forEach(({ n, parts }, k) => {
    const rest = evaluateSize(parts!.rest, () => 1);
    const most = Math.floor(((relation === '<' ? bound - 1 : bound) - rest) / coefficients[k]!);
    if (most >= 1) cx.unit.bounds.set(n, Math.min(most, cx.unit.bounds.get(n) ?? Infinity));
  });
}

// ---------------------------------------------------------------------------------------------------------------------- rounds

function repeat(cx: Elaboration, s: RepeatStatement, scope: Scope): void {
  let rounds: (Value | null)[];
  if (s.items !== null) rounds = s.items.map((item) => evaluate(cx, item, scope, null));
  else {
    const count = asConst(sizeOf(cx, s.count!, scope, null));
    if (count === null)
      return refuse('NN802', s.count!.span, { what: 'a repeat count that is only known at run time: use `scan`' });
    rounds = Array.from({ length: count }, (_, k) => integer(num(k)));
  }
  const base = s.label === null ? cx.path : joinPath(cx.path, cx.unit.segment(cx.path, s, s.label.text));
  rounds.forEach((value, k) => {
    const inner = scope.child();
    if (s.variable !== null && value !== null) inner.set(s.variable.text, value);
    const { via } = cx;
    cx.via = `${via === '' ? '' : `${via}, `}round ${k}`;
    try {
      cx.withPath(joinPath(base, String(k)), () => execute(cx, s.body, inner));
    } finally {
      cx.via = via;
    }
  });
}
