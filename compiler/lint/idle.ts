/**
 * What is written and does nothing: a value that is another under a new name, an extreme of one, a range that is empty, a declaration that
 * nothing uses. Each is what is left where something was forgotten.
 */
import type {
  Callable,
  ConstDeclaration,
  Declaration,
  Expr,
  Index,
  IndexName,
  LetStatement,
  NameExpr,
} from '../../grammar/ast.ts';
import { nodesOf } from '../../grammar/walk.ts';
import { formatShape } from '../check/types.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { isBare } from './axes.ts';
import type { Body, Context } from './context.ts';
import type { Lint } from './record.ts';

/** What a `let` copies, place for place; null where it does anything else. */
function copied(c: Context, s: LetStatement): NameExpr | null {
  const { value, indices } = s;
  const target = indices === null ? value : value.kind === 'read' ? value.target : null;
  if (target?.kind !== 'name') return null;
  const type = c.type(target);
  const made = c.checked.lets.get(s);
  if (type?.kind !== 'tensor' || made?.kind !== 'tensor' || type.shape.length === 0) return null;
  if (indices === null) return ROUND.test(s.name.text) ? null : target;
  if (value.kind !== 'read' || value.indices.length !== indices.length) return null;
  const same = (i: Index, k: number): boolean => {
    const j = value.indices[k]!;
    if (i.kind !== 'index' || j.kind !== 'index') return false;
    return i.run === j.run && i.name.text === j.name.text && (i.run || (isBare(j) && i.extent === null));
  };
  return indices.every(same) && formatShape(type.shape) === formatShape(made.shape) ? target : null;
}

/** What goes round a block is given a name before it: `let skip = x`. */
const ROUND = /^(skip|shortcut|identity|residual|input|before|original)/i;

/** `weight`, `attention`, `p`: what a softmax was probably meant to make. */
const SHARES = /weight|attend|attention|attn|prob|alpha|share/i;

export const copy: Lint = {
  code: 'NN618',
  name: 'copy',
  level: 'warn',
  looksFor:
    'a `let` that gives a tensor another name and does nothing to it, and one that repeats another word for word: an operation is missing, or another value was meant',
  avoids:
    'names that are given another value later, names of what goes round a block (`let skip = x`), states, values that are drawn, numbers of configuration',
  run(c) {
    for (const body of c.bodies) {
      const rebound = new Set(body.assigns.map((a) => a.name.text));
      const before = new Map<string, LetStatement>();
      for (const s of body.lets) {
        if (rebound.has(s.name.text)) continue;
        const target = copied(c, s);
        if (target !== null) {
          const binding = c.binding(target);
          const steady =
            binding?.kind === 'value' &&
            ['let', 'parameter', 'input', 'param'].includes(binding.origin) &&
            !rebound.has(target.name);
          if (!steady) continue;
          c.report(
            'NN618',
            s.value.span,
            { name: s.name.text, of: target.name, how: 'copy', other: null },
            softmaxes(c, body, s),
          );
        } else if (body.owner.kind === 'train' && s.indices !== null && isPlain(s.value)) {
          const text = c.text({ file: s.span.file, start: s.name.span.end, end: s.span.end }).replace(/\s+/g, '');
          const twin = before.get(text);
          if (twin === undefined) before.set(text, s);
          else c.report('NN618', s.span, { name: s.name.text, of: twin.name.text, how: 'same', other: twin.span }, []);
        }
      }
    }
  },
};

/** Reads and arithmetic alone: the same text is the same value. */
const isPlain = (e: Expr): boolean => {
  const nodes = nodesOf(e);
  return nodes.some((n) => n.kind === 'read') && nodes.every((n) => n.kind !== 'call' && n.kind !== 'pipe');
};

/** A softmax over the last index, with a mask that nothing applies yet. */
function softmaxes(c: Context, body: Body, s: LetStatement): Fix[] {
  const { value, indices } = s;
  const last = indices?.at(-1);
  if (indices === null || last?.kind !== 'index' || last.run || !SHARES.test(s.name.text)) return [];
  const guards = masksUnused(c, body).map((mask) => ` where ${applied(mask, indices)}`);
  return [...guards, ''].map((guard) => ({
    title: `take the softmax over \`${last.name.text}\``,
    edits: [
      {
        span: { file: value.span.file, start: value.span.start, end: value.span.start },
        text: `softmax[${last.name.text}${guard}] `,
      },
    ],
    applicability: 'maybe',
  }));
}

/** `keep(b, h, q: t, k: s)`: a mask at the places of scores `[b, h, t, s]`. */
export function applied(mask: string, indices: readonly Index[]): string {
  const letters = indices.flatMap((i) => (i.kind === 'index' ? [i.name.text] : []));
  const [q, k] = [letters.at(-2), letters.at(-1)];
  return `${mask}(${[...letters.slice(0, -2), `q: ${q ?? ''}`, `k: ${k ?? ''}`].join(', ')})`;
}

/** Masks that a body is given and does not name. */
export function masksUnused(c: Context, body: Body): string[] {
  const { owner } = body;
  if (owner.kind === 'train') return [];
  const named = new Set(nodesOf(owner.body).flatMap((n) => (n.kind === 'name' ? [(n as NameExpr).name] : [])));
  return [...(owner.config ?? []), ...owner.parameters].flatMap((p) =>
    p.type?.shape === null && p.type.dtype.text === 'mask' && !named.has(p.name.text) ? [p.name.text] : [],
  );
}

export const extremeOfOne: Lint = {
  code: 'NN619',
  name: 'extreme-of-one',
  level: 'warn',
  looksFor: '`max(x)` and `min(x)` of one number: they are that number, and what it was to be held against is missing',
  avoids: 'tensors, of which it is the greatest element, and indices (`max[c] x[c]`)',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        if (a.definition !== null || (a.name !== 'max' && a.name !== 'min') || a.node.kind !== 'call') continue;
        const [only, second] = a.node.arguments;
        if (only === undefined || second !== undefined || only.name !== null) continue;
        const type = c.type(only.value);
        const isOne = type?.kind === 'number' || (type?.kind === 'tensor' && type.shape.length === 0);
        if (!isOne) continue;
        c.report('NN619', a.node.span, { function: a.name, of: c.text(only.span) }, [
          {
            title: `leave \`${a.name}\` out`,
            edits: [{ span: a.node.span, text: `(${c.text(only.span)})` }],
            applicability: 'maybe',
          },
        ]);
      }
  },
};

export const emptyRange: Lint = {
  code: 'NN620',
  name: 'empty-range',
  level: 'warn',
  looksFor: '`uniform(1, -1)`: the lower end is not below the upper one',
  avoids: 'ends that are not known in the text',
  run(c) {
    for (const body of c.bodies)
      for (const n of nodesOf(body.owner)) {
        if (n.kind !== 'call') continue;
        const { callee, arguments: given, span } = n as Extract<Expr, { kind: 'call' }>;
        const [low, high] = given;
        if (callee.kind !== 'name' || callee.name !== 'uniform' || c.checked.references.get(callee)?.kind !== 'builtin')
          continue;
        if (low === undefined || high === undefined || low.name !== null || high.name !== null) continue;
        const [x, y] = [c.number(low.value), c.number(high.value)];
        if (x === null || y === null || x < y) continue;
        c.report(
          'NN620',
          span,
          { low: c.text(low.span), high: c.text(high.span) },
          x === y
            ? []
            : [
                {
                  title: 'exchange the ends',
                  edits: [
                    { span: low.span, text: c.text(high.span) },
                    { span: high.span, text: c.text(low.span) },
                  ],
                  applicability: 'maybe',
                },
              ],
        );
      }
  },
};

type Unused = ConstDeclaration | Callable;

const known = new WeakMap<object, ReadonlySet<string> | null>();

/** What a declaration mentions, remembered, as trees do not change; null where some of it could not be read. */
function namesIn(d: Declaration): ReadonlySet<string> | null {
  let names = known.get(d);
  if (names === undefined) {
    const nodes = nodesOf(d);
    const isDamaged = d.kind === 'bad' || ('damaged' in d && d.damaged) || nodes.some((n) => n.kind === 'bad');
    names = isDamaged
      ? null
      : new Set(
          nodes.flatMap((n) =>
            n.kind === 'name'
              ? [(n as NameExpr).name]
              : n.kind === 'index'
                ? [(n as unknown as IndexName).name.text]
                : [],
          ),
        );
    known.set(d, names);
  }
  return names;
}

export const unusedDeclaration: Lint = {
  code: 'NN622',
  name: 'unused-declaration',
  level: 'warn',
  looksFor:
    'the one const or block that nothing in a file uses, where the file has a model or a `train` block and uses all others',
  avoids:
    'files without a network, which are there to be imported; several blocks without a use; names that begin with `_`; models, losses and functions',
  whole: true,
  run(c) {
    const { ast } = c.program.entry;
    if (!ast.declarations.some((d) => d.kind === 'model' || d.kind === 'train')) return;
    // What could not be read may have been what uses a name. Bodies are not asked: those that are as before are not looked at again.
    const named = ast.declarations.map(namesIn);
    if (named.some((n) => n === null)) return;
    const used = { has: (name: string): boolean => named.some((n) => n!.has(name)) };
    const unused = ast.declarations.filter(
      (d): d is Unused =>
        (d.kind === 'const' || d.kind === 'block') && !used.has(d.name.text) && !d.name.text.startsWith('_'),
    );
    // Several are a collection, of which the network shows one or the other.
    for (const kind of ['const', 'block'] as const) {
      const [only, ...more] = unused.filter((d) => d.kind === kind);
      if (only !== undefined && more.length === 0)
        c.report('NN622', only.name.span, { name: only.name.text, what: kind });
    }
  },
};
