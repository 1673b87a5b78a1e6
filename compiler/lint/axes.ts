/**
 * Axes that are taken for one another where sizes alone allow it: two indices that each run over what the other should, a part of an axis that
 * stands for all of it, an image whose axes change places while it is made flat.
 *
 * Names are the evidence: a size that has a name, a letter that elsewhere runs over another axis, a group that elsewhere takes the axis apart.
 */
import type { Callable, Expr, Index, IndexGroup, IndexName, NameExpr, ReadExpr, Span } from '../../grammar/ast.ts';
import { nodesOf, walk } from '../../grammar/walk.ts';
import { formatSize, type Axis } from '../check/types.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { names, type Poly } from '../sizes/poly.ts';
import type { Body, Context, Equation } from './context.ts';
import type { Lint } from './record.ts';

export const isBare = (i: Index): i is IndexName => i.kind === 'index' && !i.run && i.extent === null;

const exchange = (c: Context, a: Index, b: Index): Fix => ({
  title: `exchange \`${c.text(a.span)}\` and \`${c.text(b.span)}\``,
  edits: [
    { span: a.span, text: c.text(b.span) },
    { span: b.span, text: c.text(a.span) },
  ],
  applicability: 'maybe',
});

/** The sizes that bound an index: the extents of its letters, what an index of data is below. */
function reach(c: Context, i: Index): ReadonlySet<string> {
  const out = new Set<string>();
  const add = (p: Poly | null): void => {
    for (const n of p === null ? [] : names(p)) if (/^\p{Lu}/u.test(n)) out.add(n);
  };
  walk(i, (n) => {
    const letter = c.letter(n as IndexName);
    if (letter !== null && letter.extent?.kind === 'size') add(letter.extent.size);
    const own =
      n.kind === 'index' ? (n as unknown as IndexName).name.text : n.kind === 'name' ? (n as NameExpr).name : null;
    for (const round of letter === null && own !== null ? rounds(c, i, own) : []) out.add(round);
    if (n.kind !== 'name' && n.kind !== 'read') return undefined;
    const type = c.type(n as Expr);
    if (type?.kind === 'tensor') add(type.below);
    // What an index of data is read at does not bound it.
    return n.kind !== 'read';
  });
  return out;
}

/** `T` for `t` of `scan t in T`. */
function rounds(c: Context, at: object, name: string): string[] {
  for (let up = c.enclosing(at, 'scan'); up !== null; up = c.enclosing(up, 'scan')) {
    const { variable, count } = up as unknown as Extract<Expr, { kind: 'scan' }>;
    if (variable?.text !== name || count === null) continue;
    return nodesOf(count).flatMap((n) =>
      n.kind === 'name' && /^\p{Lu}/u.test((n as NameExpr).name) ? [(n as NameExpr).name] : [],
    );
  }
  return [];
}

const sizesOf = (a: Axis | undefined): ReadonlySet<string> =>
  a?.kind === 'size' ? new Set([...names(a.size)].filter((n) => /^\p{Lu}/u.test(n))) : new Set();

const meets = (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean => [...a].some((x) => b.has(x));

export const crossedAxes: Lint = {
  code: 'NN137',
  name: 'crossed-axes',
  level: 'warn',
  looksFor:
    'a read in which one index runs over the size of another axis, and that one over the size of the first; an equation in which two letters have changed roles',
  avoids:
    'sizes without a name, indices that run over the axis they read, letters of other bodies, two of the letters i to n, which name nothing',
  run(c) {
    for (const body of c.bodies) {
      for (const read of body.reads) crossedRead(c, body, read);
      crossedLetters(c, body);
    }
  },
};

function crossedRead(c: Context, body: Body, read: ReadExpr): void {
  const type = c.type(read.target);
  if (type?.kind !== 'tensor' || type.shape.length !== read.indices.length || read.indices.length < 2) return;
  const places = read.indices.map((i, k) => ({ i, reach: reach(c, i), axis: sizesOf(type.shape[k]) }));
  for (const [k, a] of places.entries())
    for (const b of places.slice(k + 1)) {
      const isCrossed =
        meets(a.reach, b.axis) && meets(b.reach, a.axis) && !meets(a.reach, a.axis) && !meets(b.reach, b.axis);
      if (!isCrossed) continue;
      const typed = typeOf(c, body, read, k, places.indexOf(b));
      c.report(
        'NN137',
        typed?.span ?? read.span,
        {
          read: c.text(read.span),
          first: c.text(a.i.span),
          second: c.text(b.i.span),
          firstRuns: [...a.reach].join(', '),
          secondRuns: [...b.reach].join(', '),
          elsewhere: typed === null ? null : read.span,
          how: 'axes',
        },
        typed === null ? [exchange(c, a.i, b.i)] : [typed.fix, exchange(c, a.i, b.i)],
      );
      return;
    }
}

/** The type that declares the axes, where the result has the two sizes in the other order: then it is the odd one. */
function typeOf(
  c: Context,
  body: Body,
  read: ReadExpr,
  x: number,
  y: number,
): { readonly span: Span; readonly fix: Fix } | null {
  const { owner } = body;
  if (owner.kind === 'train' || read.target.kind !== 'name') return null;
  const { name } = read.target;
  const shape = owner.parameters.find((p) => p.name.text === name)?.type?.shape;
  const [p, q] = [shape?.[x], shape?.[y]];
  const result = owner.result !== null && 'shape' in owner.result ? owner.result.shape : null;
  if (p?.kind !== 'size' || q?.kind !== 'size' || p.value.kind !== 'name' || q.value.kind !== 'name' || result === null)
    return null;
  const at = (size: string): number =>
    result.findIndex((d) => nodesOf(d).some((n) => n.kind === 'name' && (n as NameExpr).name === size));
  const [i, j] = [at(p.value.name), at(q.value.name)];
  if (i < 0 || j < 0 || i < j) return null;
  const fix: Fix = {
    title: `exchange \`${p.value.name}\` and \`${q.value.name}\``,
    edits: [
      { span: p.span, text: q.value.name },
      { span: q.span, text: p.value.name },
    ],
    applicability: 'maybe',
  };
  return { span: { file: p.span.file, start: p.span.start, end: q.span.end }, fix };
}

const equationOf = (c: Context, node: object): object | null =>
  c.enclosing(node, 'let') ?? c.enclosing(node, 'assign') ?? c.enclosing(node, 'yield') ?? c.enclosing(node, 'leaf');

interface Lettered {
  readonly sizes: ReadonlyMap<string, string>;
  readonly equation: Equation;
  readonly places: ReadonlyMap<string, IndexName>;
}

/** Letters that name places and nothing else: each equation of a page on matrices begins anew with them. */
const PLAIN = new Set(['i', 'j', 'k', 'l', 'm', 'n']);

/** `slope[d, b]` in a body where `b` runs over B and `d` over D everywhere else. */
function crossedLetters(c: Context, body: Body): void {
  const reads = new Map<object, ReadExpr[]>();
  for (const r of body.reads) {
    const equation = equationOf(c, r);
    if (equation !== null) reads.set(equation, [...(reads.get(equation) ?? []), r]);
  }
  const before: Lettered[] = [];
  for (const equation of body.equations) {
    const sizes = new Map<string, string>();
    const places = new Map<string, IndexName>();
    for (const n of nodesOf(equation)) {
      if (n.kind !== 'index') continue;
      const at = n as unknown as IndexName;
      const letter = c.letter(at);
      if (letter === null || letter.isRun || letter.extent?.kind !== 'size' || sizes.has(letter.name)) continue;
      sizes.set(letter.name, formatSize(letter.extent.size));
      places.set(letter.name, at);
    }
    const own: Lettered = { sizes, places, equation };
    const list = [...sizes];
    for (const [k, [x, a]] of list.entries())
      for (const [y, b] of list.slice(k + 1)) {
        if (a === b || (PLAIN.has(x) && PLAIN.has(y))) continue;
        const contrary = before.find((o) => o.sizes.get(x) === b && o.sizes.get(y) === a);
        if (contrary === undefined) continue;
        const pair = (i: Index): boolean => i.kind === 'index' && !i.run && (i.name.text === x || i.name.text === y);
        const guilty = reads.get(equation)?.find((r) => r.indices.filter(pair).length === 2);
        if (guilty === undefined) continue;
        // What the earlier equation put down in an order that nothing else has is the odd one.
        const { target } = guilty;
        const made =
          contrary.equation.kind !== 'yield' && target.kind === 'name' && contrary.equation.name.text === target.name;
        const left = made ? (contrary.equation.indices as readonly Index[]).filter(pair) : [];
        const [first, second] = left.length === 2 ? left : guilty.indices.filter(pair);
        const at =
          left.length === 2 ? { file: first!.span.file, start: first!.span.start, end: second!.span.end } : guilty.span;
        c.report(
          'NN137',
          at,
          {
            read: c.text(guilty.span),
            first: x,
            second: y,
            firstRuns: a,
            secondRuns: b,
            how: 'letters',
            elsewhere: left.length === 2 ? guilty.span : contrary.places.get(x)!.span,
          },
          [exchange(c, first!, second!)],
        );
      }
    before.push(own);
  }
}

export const partOfAxis: Lint = {
  code: 'NN138',
  name: 'part-of-axis',
  level: 'warn',
  looksFor:
    'an axis read by one letter, where the same two letters take it apart (or put it together) as `(h e)` elsewhere in the body, and the other letter is read nowhere: every head then holds the same',
  avoids: 'letters that the right side reads, and pairs that no group of the body has',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.equations) {
        const left = (e.indices as readonly Index[]).filter((i): i is IndexName => i.kind === 'index' && !i.run);
        const unread = left.filter((i) => !mentioned(e, i));
        if (unread.length === 0) continue;
        const known = (e.indices as readonly Index[]).flatMap((i) => (i.kind === 'index' ? [i.name.text] : []));
        for (const r of body.reads) {
          if (equationOf(c, r) !== e) continue;
          const i = r.indices.find((x) => isBare(x) && groupWith(c, body, e, x.name.text, unread, known) !== null);
          if (i?.kind !== 'index') continue;
          const group = groupWith(c, body, e, i.name.text, unread, known)!;
          const text = `(${group.parts.map((p) => p.name.text).join(' ')})`;
          const idle = group.parts.map((p) => p.name.text).filter((p) => unread.some((u) => u.name.text === p));
          c.report(
            'NN138',
            i.span,
            { letter: i.name.text, group: text, idle: idle.join(', '), elsewhere: group.span },
            [{ title: `write \`${text}\``, edits: [{ span: i.span, text }], applicability: 'maybe' }],
          );
          break;
        }
      }
  },
};

const mentioned = (e: Equation, i: IndexName): boolean =>
  nodesOf(e.value).some((n) => {
    const name =
      n.kind === 'index'
        ? (n as unknown as IndexName).name.text
        : n.kind === 'name'
          ? (n as { name: string }).name
          : null;
    return name === i.name.text;
  });

/** A group of another equation, of letters that this one has on its left: the one that it reads, and some that it does not. */
function groupWith(
  c: Context,
  body: Body,
  e: Equation,
  letter: string,
  unread: readonly IndexName[],
  known: readonly string[],
): IndexGroup | null {
  const found = body.groups.find((g) => {
    const parts = g.parts.map((p) => p.name.text);
    return (
      equationOf(c, g) !== e &&
      parts.length > 1 &&
      parts.includes(letter) &&
      parts.every((p) => p === letter || unread.some((u) => u.name.text === p)) &&
      parts.every((p) => known.includes(p))
    );
  });
  return found ?? null;
}

export const flattenOrder: Lint = {
  code: 'NN139',
  name: 'flatten-order',
  level: 'warn',
  looksFor:
    "neighbouring axes of a network's own input made flat in the reverse of their order: `(j i)` of `image[b, i, j]`, which transposes on the way",
  avoids: 'values made in the body, whose axes may have been ordered for this (a shuffle of channels)',
  run(c) {
    for (const body of c.bodies) {
      if (body.owner.kind !== 'model' && body.owner.kind !== 'train') continue;
      for (const e of body.equations) {
        const own = body.reads.filter((r) => equationOf(c, r) === e);
        const [read] = own;
        if (own.length !== 1 || read?.target.kind !== 'name') continue;
        const binding = c.binding(read.target);
        if (binding?.kind !== 'value' || (binding.origin !== 'parameter' && binding.origin !== 'input')) continue;
        for (const g of e.indices as readonly Index[]) {
          if (g.kind !== 'group' || g.parts.length !== 2) continue;
          const [x, y] = g.parts.map((p) => read.indices.findIndex((i) => isBare(i) && i.name.text === p.name.text));
          if (x === undefined || y === undefined || y < 0 || x !== y + 1) continue;
          const [p, q] = [c.text(g.parts[0]!.span), c.text(g.parts[1]!.span)];
          const facts = { group: c.text(g.span), read: c.text(read.span) };
          const grouped: Fix = {
            title: `write \`(${q} ${p})\``,
            edits: [{ span: g.span, text: `(${q} ${p})` }],
            applicability: 'maybe',
          };
          const turned = exchange(c, read.indices[y]!, read.indices[x]!);
          // Letters mostly go by the alphabet: what has them the other way round is the odd one.
          if (p < q) c.report('NN139', read.span, { ...facts, other: g.span, at: 'read' }, [turned, grouped]);
          else c.report('NN139', g.span, { ...facts, other: read.span, at: 'group' }, [grouped, turned]);
        }
      }
    }
  },
};

export const swappedArguments: Lint = {
  code: 'NN140',
  name: 'swapped-arguments',
  level: 'warn',
  looksFor:
    "two arguments without names of which each, or one that the other's place is given for, has the name of another parameter: `loss(target, logits)`",
  avoids: 'named arguments, names of one or two letters, values whose own parameter gets them too',
  run(c) {
    for (const body of c.bodies)
      for (const a of [...body.applications, ...body.configured]) {
        const d = a.definition?.declaration as Callable | undefined;
        if (d === undefined || d === body.owner) continue;
        for (const [given, parameters] of [
          [a.config, d.config ?? []],
          [a.tensors, d.parameters],
        ] as const) {
          const names = new Set(parameters.map((p) => p.name.text));
          for (const [parameter, value] of given) {
            if (value.kind !== 'name' || value.name === parameter || !names.has(value.name)) continue;
            // `x` and `y` are anybody's.
            if (value.name.length < 3) continue;
            const other = given.get(value.name);
            if (other === undefined || !isPositional(c, value) || !isPositional(c, other)) continue;
            // Only where the two are exchanged: `f(b, b)` and `f(b, c)` are something else.
            if (
              other.kind !== 'name' ||
              (names.has(other.name) && other.name !== parameter) ||
              other.name === value.name
            )
              continue;
            c.report('NN140', value.span, { callee: a.name, first: value.name, second: parameter }, [
              {
                title: `exchange \`${value.name}\` and \`${other.name}\``,
                edits: [
                  { span: value.span, text: other.name },
                  { span: other.span, text: value.name },
                ],
                applicability: 'maybe',
              },
            ]);
            break;
          }
        }
      }
  },
};

const isPositional = (c: Context, value: Expr): boolean => {
  const up = c.parent(value) as { readonly name?: unknown } | null;
  return up === null || !('name' in up) || up.name === null;
};
