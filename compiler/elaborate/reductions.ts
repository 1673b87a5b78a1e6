/**
 * Reductions of index equations. A sum of a product becomes a contraction, a guard `data == n` a scatter, a guard `s <= t` that the operand does
 * not otherwise know of a prefix reduction; what fits none of these is compiled as written.
 */
import type { Expr, ReduceExpr, Span } from '../../grammar/ast.ts';
import type { Node, Source } from '../graph/types.ts';
import { name, names, num, sub, ZERO, mul, ONE, type Poly } from '../sizes/poly.ts';
import { binary, lift, logical, polyNode, real, select, wrap } from './arithmetic.ts';
import { refuse, type Elaboration } from './elaboration.ts';
import type { Equation } from './equation.ts';
import { evaluate } from './expressions.ts';
import type { Scope } from './scope.ts';
import { boolean, float, integer, type LabelledValue, type Value } from './values.ts';

type Labelled = { readonly node: Node; readonly labels: readonly string[] };

export function evaluateReduce(cx: Elaboration, eq: Equation, e: ReduceExpr, outer: Scope): Value {
  const scope = eq.scopes.get(e) ?? outer;
  const over: string[] = [];
  for (const i of e.indices) {
    const value = scope.get(i.name.text);
    if (value?.kind === 'run') for (const p of value.sizes) over.push(...names(p));
    else if (value?.kind === 'integer') over.push(...names(value.poly));
  }
  const { masks, guard: outerGuard } = cx;
  cx.masks = null;
  try {
    return reduceOver(cx, eq, e, scope, over, masks);
  } finally {
    cx.masks = masks;
    cx.guard = outerGuard;
  }
}

function reduceOver(
  cx: Elaboration,
  eq: Equation,
  e: ReduceExpr,
  scope: Scope,
  over: readonly string[],
  outerMasks: Value[] | null,
): Value {
  // The guard first: its conjuncts may be a scatter or a prefix.
  const conjuncts = e.guard === null ? [] : conjunctsOf(e.guard);
  const scatters: { letter: string; index: Labelled }[] = [];
  const conditions: Value[] = [];
  for (const c of conjuncts) {
    const scatter = e.operator === 'sum' || e.operator === 'max' ? scatterOf(cx, eq, c, scope, over) : null;
    if (scatter !== null && !scatters.some((s) => s.letter === scatter.letter)) scatters.push(scatter);
    else conditions.push(evaluate(cx, c, scope, eq));
  }
  let mask: Value = boolean(true);
  for (const c of conditions) mask = logical(cx, eq, 'and', mask, c, e.span);

  if (scatters.length > 0) {
    const scattered = scatter(cx, eq, e, scope, over, scatters, mask, outerMasks);
    if (scattered !== null) return scattered;
    for (const s of scatters) {
      const hit = binary(cx, eq, '==', wrap(eq, s.index.node, s.index.labels), integer(name(s.letter)), e.span);
      mask = logical(cx, eq, 'and', mask, hit, e.span);
    }
  }
  const guarded = mask.kind !== 'boolean';
  if (mask.kind === 'boolean' && !mask.value)
    return refuse('NN802', e.span, { what: 'a reduction whose guard is never true' });
  if (guarded) cx.guard = cx.guard === null ? mask : logical(cx, eq, 'and', cx.guard, mask, e.span);

  switch (e.operator) {
    case 'sum':
    case 'mean': {
      const prefix = guarded && e.operator === 'sum' ? prefixReduction(cx, eq, e, scope, over, conjuncts) : null;
      if (prefix !== null) return prefix;
      const total = sumOfProduct(cx, eq, e.operand, scope, over, guarded ? mask : null, e.operator === 'mean', e.span);
      if (e.operator === 'sum') return total;
      const count = countOf(cx, eq, over, mask, e.span, outerMasks);
      return binary(cx, eq, '/', total, count, e.span);
    }
    case 'max':
    case 'min':
    case 'prod': {
      const prefix = guarded ? prefixReduction(cx, eq, e, scope, over, conjuncts) : null;
      if (prefix !== null) return prefix;
      const identity = e.operator === 'prod' ? 1 : e.operator === 'max' ? -Infinity : Infinity;
      let x = operand(cx, eq, e.operand, scope);
      if (x.node.type.dtype === 'bool') x = { node: cx.builder.cast(x.node, 'i32'), labels: x.labels };
      if (guarded && e.operator !== 'prod') outerMasks?.push(anyOf(cx, eq, over, mask, e.span));
      const fill =
        x.node.type.dtype === 'i32' && Number.isFinite(identity) === false
          ? identity > 0
            ? 2147483647
            : -2147483648
          : identity;
      if (guarded) x = masked(cx, eq, mask, x, fill, e.span);
      return remove(cx, eq, e.operator, x, over);
    }
    case 'any':
    case 'all': {
      let x = operand(cx, eq, e.operand, scope);
      if (guarded) x = masked(cx, eq, mask, x, e.operator === 'all' ? 1 : 0, e.span);
      return remove(cx, eq, e.operator, x, over);
    }
    case 'argmax': {
      let x = operand(cx, eq, e.operand, scope);
      x = { node: real(cx, x.node), labels: x.labels };
      if (guarded) x = masked(cx, eq, mask, x, -Infinity, e.span);
      if (over.length !== 1) return refuse('NN802', e.span, { what: 'argmax over several indices at once' });
      const full = include(cx, eq, x, over);
      const node = cx.builder.argmax(full.node, full.labels.indexOf(over[0]!));
      return { kind: 'labelled', node, labels: full.labels.filter((l) => l !== over[0]) };
    }
    case 'softmax':
    case 'logsumexp':
      return exponentials(cx, eq, e, scope, over, guarded ? mask : null);
  }
}

function operand(cx: Elaboration, eq: Equation, e: Expr, scope: Scope): Labelled {
  const v = evaluate(cx, e, scope, eq);
  const lifted = lift(cx, eq, v, e.span);
  return lifted.node.type.dtype === 'f16' ? { node: real(cx, lifted.node), labels: lifted.labels } : lifted;
}

const conjunctsOf = (e: Expr): Expr[] =>
  e.kind === 'binary' && e.operator === 'and' ? [...conjunctsOf(e.left), ...conjunctsOf(e.right)] : [e];

/** With these letters among its own, by repetition. */
function include(cx: Elaboration, eq: Equation, x: Labelled, letters: readonly string[]): Labelled {
  const labels = eq.order([...x.labels, ...letters]);
  return { node: eq.spread(cx, x.node, x.labels, labels), labels };
}

function masked(cx: Elaboration, eq: Equation, mask: Value, x: Labelled, fill: number, span: Span): Labelled {
  const dtype = x.node.type.dtype;
  const other: Value = dtype === 'bool' ? boolean(fill !== 0) : dtype === 'i32' ? integer(num(fill)) : float(fill);
  return lift(cx, eq, select(cx, eq, mask, { kind: 'labelled', ...x }, other, span), span);
}

function remove(
  cx: Elaboration,
  eq: Equation,
  op: 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all',
  x: Labelled,
  over: readonly string[],
): LabelledValue {
  const full = op === 'sum' || op === 'prod' ? include(cx, eq, x, over) : x;
  const axes = over.map((l) => full.labels.indexOf(l)).filter((k) => k >= 0);
  const node = cx.builder.reduce(op, full.node, axes);
  return { kind: 'labelled', node, labels: full.labels.filter((l) => !over.includes(l)) };
}

function anyOf(cx: Elaboration, eq: Equation, over: readonly string[], mask: Value, span: Span): Value {
  if (mask.kind === 'boolean') return mask;
  return remove(cx, eq, 'any', lift(cx, eq, mask, span), over);
}

/** How many positions a mean is over: a number or size, or data under a guard. */
function countOf(
  cx: Elaboration,
  eq: Equation,
  over: readonly string[],
  mask: Value,
  span: Span,
  outerMasks: Value[] | null,
): Value {
  if (mask.kind === 'boolean') {
    let product: Poly = ONE;
    for (const l of over) product = mul(product, eq.extent(l));
    return integer(product);
  }
  outerMasks?.push(anyOf(cx, eq, over, mask, span));
  const m = lift(cx, eq, mask, span);
  return remove(cx, eq, 'sum', include(cx, eq, { node: real(cx, m.node), labels: m.labels }, over), over);
}

// -------------------------------------------------------------------------------------------------------------- sums of products

interface Factor {
  readonly value: Labelled | null;
  readonly number: Value | null;
  readonly inverse: boolean;
}

function sumOfProduct(
  cx: Elaboration,
  eq: Equation,
  e: Expr,
  scope: Scope,
  over: readonly string[],
  mask: Value | null,
  toReal: boolean,
  span: Span,
): Value {
  const factors: Factor[] = [];
  const collect = (f: Expr, inverse: boolean): void => {
    if (f.kind === 'binary' && (f.operator === '*' || f.operator === '/')) {
      collect(f.left, inverse);
      collect(f.right, f.operator === '/' ? !inverse : inverse);
      return;
    }
    const v = evaluate(cx, f, scope, eq);
    if (v.kind === 'integer' && ![...names(v.poly)].some((n) => n.includes('#')))
      factors.push({ value: null, number: v, inverse });
    else if (v.kind === 'float') factors.push({ value: null, number: v, inverse });
    else factors.push({ value: lift(cx, eq, v, f.span), number: null, inverse });
  };
  collect(e, false);

  // Bools count; a lone bool or integer operand of `sum` stays an integer.
  const tensors = factors.filter((f) => f.value !== null);
  const integral =
    !toReal &&
    factors.length === tensors.length &&
    tensors.every((f) => f.value!.node.type.dtype !== 'f32' && f.value!.node.type.dtype !== 'f16' && !f.inverse);
  const typed = (x: Labelled): Labelled => ({
    node: cx.builder.cast(x.node, integral ? 'i32' : 'f32'),
    labels: x.labels,
  });

  const inner: Labelled[] = [];
  let result: Value = integer(ONE);
  const outside: Factor[] = [];
  for (const f of factors) {
    if (f.value === null || !f.value.labels.some((l) => over.includes(l))) outside.push(f);
    else {
      const x = typed(f.value);
      inner.push(f.inverse ? { node: cx.builder.recip(x.node), labels: x.labels } : x);
    }
  }
  if (mask !== null) {
    // The guard masks the factor that knows most of its letters, so that nothing grows that need not.
    const m = lift(cx, eq, mask, span);
    if (inner.length === 0) inner.push({ node: cx.builder.cast(m.node, integral ? 'i32' : 'f32'), labels: m.labels });
    else {
      const missing = (x: Labelled): number => m.labels.filter((l) => !x.labels.includes(l)).length;
      let best = 0;
      inner.forEach((x, k) => {
        if (missing(x) < missing(inner[best]!)) best = k;
      });
      inner[best] = masked(cx, eq, mask, inner[best]!, 0, span);
    }
  }
  result = inner.length === 0 ? count(eq, over) : contractAll(cx, eq, inner, over);
  for (const f of outside) {
    const v: Value = f.number ?? { kind: 'labelled', ...f.value! };
    if (result.kind === 'integer' && result.poly === ONE && !f.inverse) result = v;
    else result = binary(cx, eq, f.inverse ? '/' : '*', result, v, span);
  }
  return result;
}

function count(eq: Equation, over: readonly string[]): Value {
  let product: Poly = ONE;
  for (const l of over) product = mul(product, eq.extent(l));
  return integer(product);
}

/** Σ over `over` of the product: pairs are multiplied until two factors are left, which contract. */
function contractAll(cx: Elaboration, eq: Equation, factors: readonly Labelled[], over: readonly string[]): Value {
  const b = cx.builder;
  let rest = [...factors];
  // A summed letter that no factor knows counts its extent.
  let scale: Poly = ONE;
  for (const l of over) if (!rest.some((f) => f.labels.includes(l))) scale = mul(scale, eq.extent(l));
  const present = over.filter((l) => rest.some((f) => f.labels.includes(l)));
  const multiply = (x: Labelled, y: Labelled): Labelled => {
    const labels = eq.order([...x.labels, ...y.labels]);
    return { node: b.mul(eq.spread(cx, x.node, x.labels, labels), eq.spread(cx, y.node, y.labels, labels)), labels };
  };
  while (rest.length > 2) {
    let best: [number, number, number] = [0, 1, Infinity];
    for (let i = 0; i < rest.length; i++)
      for (let j = i + 1; j < rest.length; j++) {
        const size = eq.order([...rest[i]!.labels, ...rest[j]!.labels]).length;
        if (size < best[2]) best = [i, j, size];
      }
    const [i, j] = best;
    const product = multiply(rest[i]!, rest[j]!);
    rest = [...rest.filter((_, k) => k !== i && k !== j), product];
  }
  let result: LabelledValue;
  if (rest.length === 1) result = remove(cx, eq, 'sum', rest[0]!, present);
  else {
    let [x, y] = rest as [Labelled, Labelled];
    if (x.node.type.dtype !== 'f32') result = remove(cx, eq, 'sum', multiply(x, y), present);
    else {
      // What only one factor knows is summed there first.
      const alone = (p: Labelled, q: Labelled): string[] =>
        present.filter((l) => p.labels.includes(l) && !q.labels.includes(l));
      const first = alone(x, y);
      const second = alone(y, x);
      if (first.length > 0) x = remove(cx, eq, 'sum', x, first);
      if (second.length > 0) y = remove(cx, eq, 'sum', y, second);
      const shared = present.filter((l) => x.labels.includes(l) && y.labels.includes(l));
      const labels = eq.order([...x.labels, ...y.labels].filter((l) => !shared.includes(l)));
      if (shared.length === 0) result = { kind: 'labelled', ...multiply(x, y) };
      else
        result = {
          kind: 'labelled',
          node: b.contract(cx.operand(x.node), cx.operand(y.node), x.labels, y.labels, labels),
          labels,
        };
    }
  }
  if (scale === ONE) return result;
  return binary(cx, eq, '*', result, integer(scale), { file: 0, start: 0, end: 0 });
}

// ------------------------------------------------------------------------------------------------------------------- scatters

/** `index[e] == n` where n is a letter of the left side and the index is data over reduced letters. */
function scatterOf(
  cx: Elaboration,
  eq: Equation,
  c: Expr,
  scope: Scope,
  over: readonly string[],
): { letter: string; index: Labelled } | null {
  if (c.kind !== 'binary' || c.operator !== '==') return null;
  for (const [a, b] of [
    [c.left, c.right],
    [c.right, c.left],
  ] as const) {
    if (b.kind !== 'name') continue;
    const place = scope.get(b.name);
    if (place?.kind !== 'integer') continue;
    const letter = [...names(place.poly)][0];
    if (letter === undefined || !eq.left.includes(letter) || place.poly !== name(letter) || over.includes(letter))
      continue;
    const index = evaluate(cx, a, scope, eq);
    const lifted =
      index.kind === 'labelled'
        ? index
        : index.kind === 'integer' && [...names(index.poly)].some((n) => over.includes(n))
          ? polyNode(cx, eq, index.poly)
          : null;
    if (lifted === null || lifted.node.type.dtype !== 'i32') continue;
    if (!lifted.labels.some((l) => over.includes(l)) || lifted.labels.includes(letter)) continue;
    return { letter, index: lifted };
  }
  return null;
}

function scatter(
  cx: Elaboration,
  eq: Equation,
  e: ReduceExpr,
  scope: Scope,
  over: readonly string[],
  scatters: readonly { letter: string; index: Labelled }[],
  mask: Value,
  outerMasks: Value[] | null,
): Value | null {
  const b = cx.builder;
  const letters = scatters.map((s) => s.letter);
  const max = e.operator === 'max';
  const before = cx.guard;
  if (mask.kind !== 'boolean') cx.guard = before === null ? mask : logical(cx, eq, 'and', before, mask, e.span);
  let update = operand(cx, eq, e.operand, scope);
  cx.guard = before;
  if (update.labels.some((l) => letters.includes(l))) return null; // the operand depends on the target: no plain scatter
  const dtype = update.node.type.dtype;
  if (dtype !== 'f32') update = { node: real(cx, update.node), labels: update.labels };
  if (mask.kind !== 'boolean') update = masked(cx, eq, mask, update, max ? -Infinity : 0, e.span);
  update = include(cx, eq, update, [...over, ...scatters.flatMap((s) => s.index.labels)]);
  const run = (u: Labelled, combine: 'add' | 'max', initial: number): LabelledValue => {
    const on = eq.order(scatters.flatMap((s) => s.index.labels));
    const kept = u.labels.filter((l) => !over.includes(l));
    const out = eq.order([...kept, ...letters]);
    const sources = out.map((l): Source => {
      const which = letters.indexOf(l);
      return which >= 0 ? { from: 'index', which } : { from: 'axis', axis: u.labels.indexOf(l) };
    });
    const node = b.scatter(
      u.node,
      scatters.map((s) => eq.spread(cx, s.index.node, s.index.labels, on)),
      {
        sizes: out.map((l) => eq.extent(l)),
        sources,
        on: on.map((l) => u.labels.indexOf(l)),
        combine,
        initial,
      },
    );
    return { kind: 'labelled', node, labels: out };
  };
  if (max && outerMasks !== null) {
    const hits =
      mask.kind === 'boolean'
        ? { node: b.constantOf(1, { dtype: 'f32', sizes: update.node.type.sizes }), labels: update.labels }
        : (() => {
            const m = lift(cx, eq, mask, e.span);
            return include(cx, eq, { node: real(cx, m.node), labels: m.labels }, update.labels);
          })();
    outerMasks.push(binary(cx, eq, '>', run(hits, 'add', 0), integer(ZERO), e.span));
  }
  const result = run(update, max ? 'max' : 'add', max ? -Infinity : 0);
  return dtype === 'f32' ? result : { kind: 'labelled', node: b.cast(result.node, 'i32'), labels: result.labels };
}

// ------------------------------------------------------------------------------------------------------------------- prefixes

/** sum[s where s <= t] x[s]: a prefix reduction, if the operand does not know t and both letters have one extent. */
function prefixReduction(
  cx: Elaboration,
  eq: Equation,
  e: ReduceExpr,
  scope: Scope,
  over: readonly string[],
  conjuncts: readonly Expr[],
): Value | null {
  if (conjuncts.length !== 1 || over.length !== 1) return null;
  const c = conjuncts[0]!;
  if (c.kind !== 'binary' || c.left.kind !== 'name' || c.right.kind !== 'name') return null;
  const place = (v: Value | null): string | null => {
    if (v?.kind !== 'integer') return null;
    const letter = [...names(v.poly)][0];
    return letter !== undefined && v.poly === name(letter) ? letter : null;
  };
  const left = place(scope.get(c.left.name));
  const right = place(scope.get(c.right.name));
  const s = over[0]!;
  const t = left === s ? right : right === s ? left : null;
  if (t === null || t === s || sub(eq.extent(s), eq.extent(t)) !== ZERO) return null;
  const flip: Record<string, string> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };
  const relation = left === s ? c.operator : flip[c.operator];
  if (relation === undefined || !['<', '<=', '>', '>='].includes(relation)) return null;
  const before = cx.guard;
  cx.guard = null;
  const x = operand(cx, eq, e.operand, scope);
  cx.guard = before;
  if (x.labels.includes(t) || !x.labels.includes(s) || x.node.type.dtype !== 'f32') return null;
  const exclusive = relation === '<' || relation === '>';
  // The first position of an exclusive maximum is the maximum of nothing: compiled as written, where `else` knows of it.
  if (exclusive && e.operator !== 'sum' && e.operator !== 'prod') return null;
  const node = cx.builder.cumulate(e.operator as 'sum' | 'max' | 'min' | 'prod', x.node, x.labels.indexOf(s), {
    exclusive,
    reversed: relation === '>' || relation === '>=',
  });
  // Its axis s is now t: the order of letters may change.
  const renamed = x.labels.map((l) => (l === s ? t : l));
  const labels = eq.order(renamed);
  return {
    kind: 'labelled',
    node: cx.builder.transpose(
      node,
      labels.map((l) => renamed.indexOf(l)),
    ),
    labels,
  };
}

// ------------------------------------------------------------------------------------------------------------ softmax, logsumexp

/**
 * softmax = exp(x − m) / Σ exp(x − m), logsumexp = m + log Σ exp(x − m) with m the maximum, which has no part in the gradient. Ruled out positions
 * are replaced by m before the exponential, so that they neither overflow nor have a gradient. All ruled out: softmax 0, logsumexp −inf.
 */
function exponentials(
  cx: Elaboration,
  eq: Equation,
  e: ReduceExpr,
  scope: Scope,
  over: readonly string[],
  mask: Value | null,
): Value {
  const b = cx.builder;
  const span = e.span;
  let x = operand(cx, eq, e.operand, scope);
  x = include(cx, eq, { node: real(cx, x.node), labels: x.labels }, over);
  if (mask !== null) x = include(cx, eq, x, lift(cx, eq, mask, span).labels);
  const value = (l: Labelled): Value => ({ kind: 'labelled', node: l.node, labels: l.labels });
  const low = mask === null ? x : masked(cx, eq, mask, x, -Infinity, span);
  let m: Value = remove(cx, eq, 'max', { node: b.stopGradient(low.node), labels: low.labels }, over);
  // −inf everywhere (a row ruled out, or −inf as data) would make −inf − −inf: such rows take 0 as their maximum.
  if (mask !== null || e.operator === 'logsumexp')
    m = select(cx, eq, binary(cx, eq, '>', m, float(-Infinity), span), m, float(0), span);
  const safe = mask === null ? value(x) : select(cx, eq, mask, value(x), m, span);
  const shifted = lift(cx, eq, binary(cx, eq, '-', safe, m, span), span);
  let weight: Labelled = { node: b.exp(shifted.node), labels: shifted.labels };
  if (mask !== null) weight = masked(cx, eq, mask, weight, 0, span);
  const total = remove(cx, eq, 'sum', weight, over);
  if (e.operator === 'softmax') {
    if (mask === null) return binary(cx, eq, '/', value(weight), total, span);
    // A row with nothing in it has total 0: divided by 1 it stays 0.
    const some = binary(cx, eq, '>', total, float(0), span);
    const divisor = select(cx, eq, some, total, float(1), span);
    return binary(cx, eq, '/', value(weight), divisor, span);
  }
  const some = binary(cx, eq, '>', total, float(0), span);
  const safeTotal = select(cx, eq, some, total, float(1), span);
  const log = lift(cx, eq, safeTotal, span);
  const result = binary(cx, eq, '+', m, wrap(eq, b.log(log.node), log.labels), span);
  return select(cx, eq, some, result, float(-Infinity), span);
}
