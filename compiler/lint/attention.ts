/**
 * Attention: masks applied the wrong way round or meant the other way round, rows that a mask empties, and the scale of the scores.
 *
 * A mask is true where a query may attend. What a name says (`padding`, `causal`) is only used where the program's own text says the opposite.
 */
import type { CallExpr, Callable, Expr, IndexName, ReduceExpr } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import type { Condition } from '../check/conditions.ts';
import { conditionNames, hasOpaque, substituteCondition } from '../check/conditions.ts';
import type { Knowledge } from '../check/knowledge.ts';
import type { Letter } from '../check/scope.ts';
import { formatSize } from '../check/types.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { add, mul, name, ONE, sub, ZERO, type Poly } from '../sizes/poly.ts';
import { factors, type Body, type Context } from './context.ts';
import type { Lint } from './record.ts';

// ---------------------------------------------------------------------------------------------------------------- masks

const lettersOf = (c: Context, e: ReduceExpr): Letter[] => e.indices.flatMap((i) => c.letter(i) ?? []);

function mentions(c: Context, e: Expr, atom: string): boolean {
  let found = false;
  walk(e, (n) => {
    if (c.letter(n as IndexName)?.atom === atom) found = true;
    return !found;
  });
  return found;
}

/** Applications of masks below an expression: `keep(b, q: t, k: s)`. */
function maskCalls(c: Context, e: Expr): CallExpr[] {
  const out: CallExpr[] = [];
  walk(e, (n) => {
    if (n.kind === 'call') {
      const call = n as CallExpr;
      const callee = c.type(call.callee);
      const isMask =
        callee?.kind === 'mask' ||
        (callee?.kind === 'callable' && (callee.definition.declaration as Callable).kind === 'mask');
      if (isMask) out.push(call);
    }
    return undefined;
  });
  return out;
}

/** The parameters of the mask that a call applies, where it is a declared one. */
function positionsOf(c: Context, call: CallExpr): readonly string[] | null {
  const t = c.type(call.callee);
  const definition = t?.kind === 'mask' ? t.definition : t?.kind === 'callable' ? t.definition : null;
  const d = definition?.declaration;
  return d?.kind === 'mask' ? d.parameters.map((p) => p.name.text) : null;
}

export const maskAxis: Lint = {
  code: 'NN403',
  name: 'mask-axis',
  level: 'warn',
  looksFor:
    'a mask in the guard of a softmax whose key position is not what the softmax runs over, or whose query position is',
  avoids: 'masks outside of a softmax, and positions that are computed from both',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.reduces) {
        if (e.operator !== 'softmax' || e.guard === null || e.indices.length !== 1) continue;
        const [letter] = lettersOf(c, e);
        if (letter === undefined) continue;
        for (const call of maskCalls(c, e.guard)) {
          const declared = positionsOf(c, call);
          const at = (position: 'q' | 'k'): Expr | null =>
            call.arguments.find(
              (a, n) => (a.name?.text ?? declared?.[n] ?? (a.value.kind === 'name' ? a.value.name : null)) === position,
            )?.value ?? null;
          const [q, k] = [at('q'), at('k')];
          if (q === null || !mentions(c, q, letter.atom) || (k !== null && mentions(c, k, letter.atom))) continue;
          const fixes =
            k === null
              ? []
              : [
                  {
                    title: 'exchange query and key',
                    edits: [
                      { span: q.span, text: c.text(k.span) },
                      { span: k.span, text: c.text(q.span) },
                    ],
                    applicability: 'maybe' as const,
                  },
                ];
          c.report(
            'NN403',
            q.span,
            { mask: c.text(call.callee.span), position: 'q', given: c.text(q.span), index: letter.name },
            fixes,
          );
        }
      }
  },
};

const DROPS =
  /(^|_)(pad|pads|padding|padded|ignore|ignored|masked|drop|dropped|invalid|absent|missing|blank|hidden_keys)(_|$)/i;
const KEEPS = /(^|_)(valid|keep|kept|real|present|attend|visible|allowed)(_|$)/i;

/** The conjuncts of a guard with their sign: `a and not b`. */
function conjuncts(e: Expr, positive = true): { readonly e: Expr; readonly positive: boolean }[] {
  if (e.kind === 'binary' && e.operator === (positive ? 'and' : 'or'))
    return [...conjuncts(e.left, positive), ...conjuncts(e.right, positive)];
  if (e.kind === 'unary' && e.operator === 'not') return conjuncts(e.operand, !positive);
  return [{ e, positive }];
}

/** What says who may attend: guards of softmaxes, and the bodies of masks. */
function guards(
  c: Context,
  body: Body,
): { readonly guard: Expr; readonly key: string | null; readonly query: string | null }[] {
  const { owner } = body;
  if (owner.kind === 'mask') {
    const [only] = owner.body.statements;
    const value = only?.kind === 'expression' || only?.kind === 'return' ? only.value : null;
    if (value === null || value === undefined) return [];
    const has = (p: string): string | null => (owner.parameters.some((x) => x.name.text === p) ? p : null);
    return [{ guard: value, key: has('k'), query: has('q') }];
  }
  return body.reduces.flatMap((e) => {
    if (e.operator !== 'softmax' || e.guard === null || e.indices.length !== 1) return [];
    const [letter] = lettersOf(c, e);
    return letter === undefined ? [] : [{ guard: e.guard, key: letter.atom, query: null }];
  });
}

function conditionOf(c: Context, e: Expr): Condition | null {
  const t = c.type(e);
  return t?.kind === 'tensor' || t?.kind === 'number' ? t.condition : null;
}

/** Knows the positions that a condition speaks of: from 0, below their extents where these are known. */
function positionsKnown(
  c: Context,
  body: Body,
  guard: Expr,
): { readonly know: Knowledge; readonly extents: Map<string, Poly | null> } {
  const know = c.knowledge(body.owner);
  const extents = new Map<string, Poly | null>();
  if (body.owner.kind === 'mask') for (const p of body.owner.parameters) extents.set(p.name.text, null);
  walk(guard, (n) => {
    const l = c.letter(n as IndexName);
    if (l !== null) extents.set(l.atom, l.extent?.kind === 'size' ? l.extent.size : null);
    return undefined;
  });
  for (const [atom, extent] of extents) know.position(atom, extent);
  return { know, extents };
}

export const maskPolarity: Lint = {
  code: 'NN404',
  name: 'mask-polarity',
  level: 'warn',
  looksFor:
    'a mask that says the opposite: padding named as such and not negated, what is valid negated, a mask that shows a query only the future (in nnc true means attend)',
  avoids: 'names that say nothing, masks that show both past and future',
  run(c) {
    for (const body of c.bodies)
      for (const { guard, key } of guards(c, body)) {
        for (const { e, positive } of conjuncts(guard)) {
          const target = e.kind === 'read' ? e.target : e;
          const text = target.kind === 'name' ? target.name : target.kind === 'member' ? target.name.text : null;
          const type = c.type(e);
          if (text !== null && type?.kind === 'tensor' && type.dtype === 'bool') {
            const not = c.enclosing(e, 'unary');
            if (positive && DROPS.test(text) && !KEEPS.test(text))
              c.report('NN404', e.span, { name: text, why: 'drop', condition: c.text(e.span) }, [
                {
                  title: 'negate it: true means attend',
                  edits: [{ span: e.span, text: `not ${c.text(e.span)}` }],
                  applicability: 'maybe',
                },
              ]);
            else if (!positive && KEEPS.test(text) && !DROPS.test(text) && not?.span !== undefined)
              c.report('NN404', not.span, { name: text, why: 'keep', condition: c.text(not.span) }, [
                {
                  title: 'leave `not` out: true means attend',
                  edits: [{ span: not.span, text: c.text(e.span) }],
                  applicability: 'maybe',
                },
              ]);
          }
        }
        if (key !== null) future(c, body, guard, key);
      }
    for (const body of c.bodies) {
      for (const { guard } of guards(c, body)) beyondLength(c, guard);
      for (const e of body.reduces) if (e.operator !== 'softmax' && e.guard !== null) beyondLength(c, e.guard);
    }
  },
};

/** How many places of a row are real: `target_length`. */
const LENGTH = /(^|_)(length|lengths|len|lens)$/i;

/** `t > length[b]` shows what is behind the end and leaves out what is real; `not keep(…)` turns a mask round that was given as one. */
function beyondLength(c: Context, guard: Expr): void {
  for (const { e, positive } of conjuncts(guard)) {
    const not = c.enclosing(e, 'unary');
    if (e.kind === 'call' && !positive && not?.span !== undefined) {
      const callee = c.type(e.callee);
      const binding = c.binding(e.callee);
      if (callee?.kind !== 'mask' || binding?.kind !== 'value') continue;
      c.report('NN404', not.span, { name: c.text(e.callee.span), why: 'given', condition: c.text(not.span) }, [
        {
          title: 'leave `not` out: true means attend',
          edits: [{ span: not.span, text: c.text(e.span) }],
          applicability: 'maybe',
        },
      ]);
    }
    if (e.kind !== 'binary' || !(e.operator in FLIPPED)) continue;
    const isLength = (x: Expr): boolean => {
      const target = x.kind === 'read' ? x.target : x;
      const type = c.type(x);
      return target.kind === 'name' && LENGTH.test(target.name) && type?.kind === 'tensor' && type.dtype === 'i32';
    };
    const isPlace = (x: Expr): boolean => x.kind === 'name' && (c.letter(x) !== null || c.binding(x)?.kind === 'value');
    const after =
      isPlace(e.left) && isLength(e.right)
        ? e.operator[0] === '>'
        : isLength(e.left) && isPlace(e.right)
          ? e.operator[0] === '<'
          : null;
    if (after === null || after !== positive) continue;
    const length = after === (e.operator[0] === '>') ? e.right : e.left;
    const place = length === e.right ? e.left : e.right;
    const whole = positive || not?.span === undefined ? e.span : not.span;
    c.report('NN404', whole, { name: c.text(length.span), why: 'length', condition: c.text(whole) }, [
      {
        title: 'take what is before the end',
        edits: [{ span: whole, text: `${c.text(place.span)} < ${c.text(length.span)}` }],
        applicability: 'maybe',
      },
    ]);
  }
}

const FLIPPED: Readonly<Record<string, string>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=' };

/** `k >= q`: the next position is seen and the one before is not. */
function future(c: Context, body: Body, guard: Expr, key: string): void {
  for (const { e, positive } of conjuncts(guard)) {
    if (e.kind !== 'binary' || !(e.operator in FLIPPED) || !positive) continue;
    const condition = conditionOf(c, e);
    if (condition === null || hasOpaque(condition)) continue;
    const atoms = [...conditionNames(condition)];
    const others = atoms.filter((n) => n !== key && (body.owner.kind === 'mask' ? n === 'q' : n.includes('#')));
    if (!atoms.includes(key) || others.length !== 1) continue;
    const q = name(others[0]!);
    const { know } = positionsKnown(c, body, e);
    const at = (distance: number): string => {
      let place = q;
      for (let n = 0; n < Math.abs(distance); n++) place = distance > 0 ? add(place, ONE) : sub(place, ONE);
      return know.decide(substituteCondition(condition, new Map([[key, place]]))).kind;
    };
    if (at(1) !== 'proved' || at(2) !== 'proved' || at(-1) !== 'refuted' || at(-2) !== 'refuted') continue;
    c.report('NN404', e.span, { name: c.text(guard.span), why: 'future', condition: c.text(e.span) }, [
      {
        title: 'show the past',
        edits: [{ span: e.operatorSpan, text: FLIPPED[e.operator]! }],
        applicability: 'maybe',
      },
    ]);
  }
}

export const maskEmptiesRows: Lint = {
  code: 'NN405',
  name: 'mask-empties-rows',
  level: 'warn',
  looksFor:
    'a guard of a softmax, or a mask, that leaves the first or the last position nothing to attend to: its weights are all 0',
  avoids: 'guards that read data, and rows that only some sizes empty',
  run(c) {
    for (const body of c.bodies)
      for (const { guard, key } of guards(c, body)) {
        if (key === null) continue;
        const condition = conditionOf(c, guard);
        if (condition === null) continue;
        const { know, extents } = positionsKnown(c, body, guard);
        for (const part of condition.kind === 'and' ? condition.parts : [condition]) {
          if (hasOpaque(part)) continue;
          const others = [...conditionNames(part)].filter((n) => n !== key && extents.has(n));
          if (others.length !== 1 || !conditionNames(part).has(key)) continue;
          const [row] = others as [string];
          const extent = extents.get(row) ?? null;
          const tries: [Poly, string][] = [[ZERO, 'the first']];
          const own = extents.get(key) ?? null;
          if (extent !== null && own === extent) tries.push([sub(extent, ONE), 'the last']);
          const hit = tries.find(
            ([place]) => know.decide(substituteCondition(part, new Map([[row, place]]))).kind === 'refuted',
          );
          if (hit === undefined) continue;
          // Also a mask of a mask: the guard's own comparison is what is guilty.
          const guilty = conjuncts(guard).find(({ e }) => e.kind === 'binary' && conditionOf(c, e) === part)?.e;
          const at = guilty ?? guard;
          const operator = at.kind === 'binary' && (at.operator === '<' || at.operator === '>') ? at : null;
          c.report(
            'NN405',
            at.span,
            { condition: c.text(at.span), row: hit[1] },
            operator === null
              ? unnegated(at)
              : [
                  {
                    title: 'let a position attend to itself',
                    edits: [{ span: operator.operatorSpan, text: `${operator.operator}=` }],
                    applicability: 'maybe',
                  },
                ],
          );
          break;
        }
      }
  },
};

/** `not` before a comparison turns it round. */
const unnegated = (e: Expr): Fix[] =>
  e.kind === 'unary' && e.operator === 'not'
    ? [
        {
          title: 'leave `not` out',
          edits: [{ span: { file: e.span.file, start: e.span.start, end: e.operand.span.start }, text: '' }],
          applicability: 'maybe',
        },
      ]
    : [];

export const maskOfQueries: Lint = {
  code: 'NN408',
  name: 'mask-of-queries',
  level: 'warn',
  looksFor:
    'a mask that speaks of queries and not of keys, given to a layer as its mask: padded keys stay visible, and the rows of padded queries are empty',
  avoids: 'masks that know both, and masks used outside of an argument',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        if (a.definition === null) continue;
        const declared = (a.definition.declaration as Callable).config ?? [];
        const wanted = new Set(
          [...declared, ...(a.definition.declaration as Callable).parameters]
            .filter((p) => p.type?.shape === null && p.type.dtype.text === 'mask')
            .map((p) => p.name.text),
        );
        for (const [parameter, value] of [...a.config, ...a.tensors]) {
          if (!wanted.has(parameter)) continue;
          for (const { e } of conjuncts(value)) {
            const type = c.type(e);
            const d = type?.kind === 'mask' ? type.definition?.declaration : undefined;
            if (d?.kind !== 'mask') continue;
            const names = d.parameters.map((p) => p.name.text);
            if (names.includes('q') && !names.includes('k')) c.report('NN408', e.span, { mask: d.name.text });
          }
        }
      }
  },
};

// ---------------------------------------------------------------------------------------------------------------- scale

interface Score {
  readonly reduce: ReduceExpr;
  readonly width: Poly;
  readonly letters: readonly string[];
  /** The tensors that it contracts are both data, and have head axes. */
  readonly heads: boolean;
  readonly scales: readonly Scale[];
}

interface Scale {
  /** Null where the factor is something else than a size. */
  readonly of: Poly | null;
  readonly span: Expr['span'];
  /** What stands under the root. */
  readonly inner: Expr | null;
}

/** `/ sqrt(E)`, `* E ^ -0.5`, `/ E ^ 0.5`: what the scores are scaled by. */
function scalesIn(c: Context, e: Expr): Scale[] {
  const { above, below } = factors(e);
  const size = (x: Expr): Poly | null => {
    const t = c.type(x);
    return t?.kind === 'number' || t?.kind === 'tensor' ? t.value : null;
  };
  const root = (x: Expr): Expr | null => {
    if (x.kind === 'call' && x.callee.kind === 'name' && x.callee.name === 'sqrt') return x.arguments[0]?.value ?? null;
    if (x.kind === 'binary' && x.operator === '^' && c.number(x.right) === 0.5) return x.left;
    return null;
  };
  const inverse = (x: Expr): Expr | null =>
    x.kind === 'binary' && x.operator === '^' && c.number(x.right) === -0.5 ? x.left : null;
  const isPlain = (x: Expr): boolean => {
    const t = c.type(x);
    return t?.kind === 'number' || (t?.kind === 'tensor' && x.kind === 'name');
  };
  const out: Scale[] = [];
  for (const x of below) {
    const inner = root(x);
    if (inner !== null) out.push({ of: size(inner), span: x.span, inner });
    else out.push({ of: null, span: x.span, inner: null });
  }
  for (const x of above) {
    const inner = inverse(x);
    if (inner !== null) out.push({ of: size(inner), span: x.span, inner });
    else if (x.kind !== 'reduce' && x.kind !== 'read' && isPlain(x)) out.push({ of: null, span: x.span, inner: null });
  }
  return out;
}

/** A sum over the product of two tensors that are not parameters, as scores of attention are. */
function scoreIn(c: Context, body: Body, value: Expr): Score | null {
  const outer = factors(value);
  const reduce = outer.above.find(
    (x): x is ReduceExpr => x.kind === 'reduce' && (x.operator === 'sum' || x.operator === 'mean'),
  );
  if (reduce === undefined) return null;
  const letters = lettersOf(c, reduce);
  const inner = factors(reduce.operand);
  const reads = inner.above.filter((x) => x.kind === 'read');
  if (letters.length === 0 || reads.length !== 2) return null;
  let width = ONE;
  for (const l of letters) {
    if (l.extent?.kind !== 'size') return null;
    width = mul(width, l.extent.size);
  }
  let heads = true;
  for (const r of reads) {
    if (r.kind !== 'read') continue;
    const origin = r.target.kind === 'name' ? c.binding(r.target) : null;
    if (origin?.kind === 'value' && (origin.origin === 'param' || origin.origin === 'state')) return null;
    if (
      !letters.every((l) =>
        r.indices.some(
          (i) =>
            i.kind !== 'expression' &&
            mentions(c, { kind: 'read', target: r.target, indices: [i], span: i.span }, l.atom),
        ),
      )
    )
      return null;
    const type = c.type(r.target);
    if (type?.kind !== 'tensor' || type.shape.length < 3) return null;
    if (type.shape.length < 4) heads = false;
  }
  heads ||= isPartOfHeads(body, letters, reads);
  return {
    reduce,
    width,
    letters: letters.map((l) => l.name),
    heads,
    scales: [...scalesIn(c, reduce.operand), ...scalesIn(c, value)],
  };
}

/** The summed letter is what a group leaves of an axis beside another letter that both tensors are read at: `(h e)`. */
function isPartOfHeads(body: Body, letters: readonly Letter[], reads: readonly Expr[]): boolean {
  const shared = reads
    .map((r) => new Set(r.kind === 'read' ? r.indices.flatMap((i) => (i.kind === 'index' ? [i.name.text] : [])) : []))
    .reduce((a, b) => new Set([...a].filter((x) => b.has(x))));
  return body.groups.some((g) => {
    const parts = g.parts.map((p) => p.name.text);
    return (
      letters.some((l) => parts.includes(l.name)) &&
      parts.some((p) => shared.has(p) && letters.every((l) => l.name !== p))
    );
  });
}

interface Scored extends Score {
  readonly name: string | null;
}

/** Scores that a softmax of the same body takes, directly or by name, with every scale on the way. */
function scores(c: Context, body: Body): Scored[] {
  const out: Scored[] = [];
  for (const softmax of body.reduces) {
    if (softmax.operator !== 'softmax') continue;
    const direct = scoreIn(c, body, softmax.operand);
    if (direct !== null) {
      out.push({ ...direct, name: null });
      continue;
    }
    const { above } = factors(softmax.operand);
    const read = above.find((x) => x.kind === 'read');
    if (read?.kind !== 'read' || read.target.kind !== 'name') continue;
    const { name: text } = read.target;
    const own = body.equations.filter((e) => e.kind !== 'yield' && e.name.text === text);
    const made = own.map((e) => scoreIn(c, body, e.value)).find((s) => s !== null);
    if (made === undefined) continue;
    const later = own
      .filter((e) => e.kind !== 'let')
      .flatMap((e) => (scoreIn(c, body, e.value) === null ? scalesIn(c, e.value) : []));
    out.push({ ...made, name: text, scales: [...made.scales, ...later, ...scalesIn(c, softmax.operand)] });
  }
  return out;
}

export const attentionScale: Lint = {
  code: 'NN406',
  name: 'attention-scale',
  level: 'warn',
  looksFor:
    'scores of attention divided by the root of another width than the one they sum over: the model width in place of the width of a head',
  avoids: 'scales that are no root of a size (a learnt temperature), and widths that the requirements make equal',
  run(c) {
    for (const body of c.bodies) {
      const know = c.knowledge(body.owner);
      for (const s of scores(c, body)) {
        if (s.reduce.operator === 'mean') continue;
        for (const scale of s.scales) {
          if (scale.of === null || scale.inner === null) continue;
          if (know.isEqual(scale.of, s.width)) continue;
          const [x, y] = [c.constant(scale.of), c.constant(s.width)];
          if (x !== null && x === y) continue;
          c.report(
            'NN406',
            scale.span,
            { scale: formatSize(scale.of), width: formatSize(s.width), indices: s.letters.join(', ') },
            [
              {
                title: 'divide by the root of the width that is summed over',
                edits: [{ span: scale.inner.span, text: widthName(body, c, s.width) }],
                applicability: 'maybe',
              },
            ],
          );
        }
      }
    }
  },
};

/** How a width is written in this body: the name of a `let` that is it, or its formula. */
function widthName(body: Body, c: Context, width: Poly): string {
  const made = body.lets.find((l) => {
    const type = l.indices === null ? c.type(l.value) : null;
    return type?.kind === 'number' && type.value === width;
  });
  // An exact quotient is written as one.
  const exact = /^floor\((\w+ \/ \w+)\)$/.exec(formatSize(width));
  return made?.name.text ?? exact?.[1] ?? formatSize(width);
}

export const attentionUnscaled: Lint = {
  code: 'NN407',
  name: 'attention-unscaled',
  level: 'warn',
  looksFor:
    'scores of multi-head attention that nothing scales, or that are scaled by the root of their width twice, or that are a mean and scaled, too',
  avoids:
    'attention of one head, which older models leave unscaled (Luong et al., 2015), and scores with any other factor',
  run(c) {
    for (const body of c.bodies) {
      const know = c.knowledge(body.owner);
      for (const s of scores(c, body)) {
        const width = formatSize(s.width);
        if (s.reduce.operator === 'mean') {
          const root = s.scales.find((x) => x.of !== null && know.isEqual(x.of, s.width));
          if (root === undefined) continue;
          c.report('NN407', s.reduce.operatorSpan, { times: -1, width, first: root.span }, [
            { title: 'write `sum`', edits: [{ span: s.reduce.operatorSpan, text: 'sum' }], applicability: 'maybe' },
          ]);
          continue;
        }
        if (s.scales.length === 0) {
          if (!s.heads || c.constant(s.width) === 1) continue;
          c.report('NN407', s.reduce.span, { times: 0, width, first: null }, [
            {
              title: 'divide by the root of the width',
              edits: [{ span: s.reduce.span, text: `${c.text(s.reduce.span)} / sqrt(${widthName(body, c, s.width)})` }],
              applicability: 'maybe',
            },
          ]);
          continue;
        }
        const same = s.scales.filter((x) => x.of !== null && know.isEqual(x.of, s.width));
        if (same.length > 1) c.report('NN407', same[1]!.span, { times: same.length, width, first: same[0]!.span });
      }
    }
  },
};
