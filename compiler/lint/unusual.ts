/**
 * Formulas and chains that are legal and do what nobody writes on purpose: sums of what is infinite outside, roots that may be of something
 * negative, averages whose weights add up to more than one, a stage twice in a row, outputs of a layer that nothing reads.
 */
import type { BinaryExpr, Expr, LetStatement, NameExpr, ReadExpr } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import { formatSize } from '../check/types.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { asConst, sub as less } from '../sizes/poly.ts';
import type { Application, Body, Context } from './context.ts';
import { ACTIVATIONS } from './layers.ts';
import type { Lint } from './record.ts';

const isMinusInfinity = (e: Expr): boolean =>
  e.kind === 'unary' && e.operator === '-' && e.operand.kind === 'name' && e.operand.name === 'inf';

export const sumOfInfinity: Lint = {
  code: 'NN610',
  name: 'sum-of-infinity',
  level: 'warn',
  looksFor: 'a sum or mean over places that are -inf outside of a tensor: `sum[p: 3] (x[i + p] else -inf)` is -inf',
  avoids: 'maxima and logsumexp, to which -inf adds nothing, and infinities that a function takes away before the sum',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.reduces) {
        if (e.operator !== 'sum' && e.operator !== 'mean' && e.operator !== 'prod') continue;
        const { operand } = e;
        if (operand.kind !== 'else' || !isMinusInfinity(operand.right)) continue;
        c.report('NN610', e.operatorSpan, { operator: e.operator, outside: operand.right.span }, [
          { title: 'write `max`', edits: [{ span: e.operatorSpan, text: 'max' }], applicability: 'maybe' },
          { title: 'write `0` outside', edits: [{ span: operand.right.span, text: '0' }], applicability: 'maybe' },
        ]);
      }
  },
};

/** A square, or a sum or mean of squares: 0 where all of it is 0. */
function isSquare(e: Expr): boolean {
  if (e.kind === 'reduce') return (e.operator === 'sum' || e.operator === 'mean') && isSquare(e.operand);
  if (e.kind === 'binary' && e.operator === '^') return e.right.kind === 'number' && e.right.value % 2 === 0;
  return (
    e.kind === 'call' &&
    e.callee.kind === 'name' &&
    (e.callee.name === 'sum' || e.callee.name === 'mean') &&
    e.arguments.length === 1 &&
    isSquare(e.arguments[0]!.value)
  );
}

export const rootBelowZero: Lint = {
  code: 'NN611',
  name: 'root-below-zero',
  level: 'warn',
  looksFor: 'the root (or logarithm) of squares less a small number, as in `sqrt((sum[d] x[d] ^ 2) - 1e-12)`: NaN at 0',
  avoids: 'differences of anything but squares',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.binaries) {
        if (e.operator !== '-' || !isSquare(e.left)) continue;
        const small = c.number(e.right);
        if (small === null || small <= 0 || small >= 0.1) continue;
        const call = c.parent(c.parent(e) ?? e);
        const callee = (call as { callee?: Expr } | null)?.callee;
        if (call?.kind !== 'call' || callee?.kind !== 'name' || (callee.name !== 'sqrt' && callee.name !== 'log'))
          continue;
        c.report('NN611', e.operatorSpan, { function: callee.name, small: c.text(e.right.span) }, [
          { title: 'write `+`', edits: [{ span: e.operatorSpan, text: '+' }], applicability: 'maybe' },
        ]);
      }
  },
};

/** The factors of a product, in the order of the text. */
const productOf = (e: Expr): Expr[] =>
  e.kind === 'binary' && e.operator === '*' ? [...productOf(e.left), ...productOf(e.right)] : [e];

const canonical = (c: Context, e: Expr): string => c.text(e.span).replace(/\s+/g, '');

export const weightsBeyondOne: Lint = {
  code: 'NN612',
  name: 'weights-beyond-one',
  level: 'warn',
  looksFor:
    'an average in which one weight is `a` and the other `1 + a`: `beta * v + (1 + beta) * g` grows without end',
  avoids: 'anything but a name (or a read) beside one plus the very same',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.binaries) {
        if (e.operator !== '+') continue;
        const sides = [productOf(e.left), productOf(e.right)] as const;
        for (const [one, other] of [sides, [...sides].reverse() as [Expr[], Expr[]]]) {
          const rest = one.find(
            (f): f is BinaryExpr =>
              f.kind === 'binary' && f.operator === '+' && f.left.kind === 'number' && f.left.value === 1,
          );
          if (rest === undefined || one.length < 2 || other.length < 2) continue;
          const weight = rest.right;
          if (weight.kind !== 'name' && weight.kind !== 'read') continue;
          if (!other.some((f) => canonical(c, f) === canonical(c, weight))) continue;
          c.report('NN612', rest.operatorSpan, { weight: c.text(weight.span) }, [
            { title: 'write `-`', edits: [{ span: rest.operatorSpan, text: '-' }], applicability: 'maybe' },
          ]);
        }
      }
  },
};

/** Twice in a row they do what once does, or something that nobody means. */
const ONCE = new Set([...ACTIVATIONS, 'Dropout', 'SpatialDropout', 'LayerNorm', 'RMSNorm', 'BatchNorm']);

export const stageTwice: Lint = {
  code: 'NN613',
  name: 'stage-twice',
  level: 'warn',
  looksFor: 'the same activation, dropout or normalisation directly after itself in a chain',
  avoids: 'stages with other arguments, and the same function called twice by a formula',
  run(c) {
    const known = (a: Application): boolean => (a.definition === null ? ONCE.has(a.name) : c.isLibrary(a, ONCE));
    for (const body of c.bodies)
      for (const second of body.applications) {
        if (second.node.kind !== 'pipe' || !known(second)) continue;
        const { value, stage } = second.node;
        if (value.kind !== 'pipe') continue;
        const first = c.application(value);
        if (first === null || !known(first) || c.text(first.stage) !== c.text(second.stage)) continue;
        c.report('NN613', second.stage, { stage: c.text(second.stage), first: first.stage }, [
          {
            title: 'leave the second one out',
            edits: [{ span: { file: stage.span.file, start: value.span.end, end: stage.span.end }, text: '' }],
            applicability: 'maybe',
          },
        ]);
      }
  },
};

export const unreadOutputs: Lint = {
  code: 'NN614',
  name: 'unread-outputs',
  level: 'warn',
  looksFor: 'a `Linear` layer of which only some outputs are ever read: `(x |> Linear(2))[b, 0]`',
  avoids: 'values that are also used whole, or read at places that are not numbers',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        if (!c.isLibrary(a, LINEAR)) continue;
        const type = c.type(a.node);
        const width = type?.kind === 'tensor' ? c.axisConstant(type.shape.at(-1)) : null;
        if (width === null || width < 2) continue;
        const places = readPlaces(c, body, a);
        if (places === null || places.size === 0 || places.size >= width) continue;
        const [only, ...more] = [...places].sort((x, y) => x - y);
        const out = a.config.get('out');
        const fixes: Fix[] =
          out?.kind === 'number' && only === 0 && more.every((p, k) => p === k + 1)
            ? [
                {
                  title: `write \`${places.size}\``,
                  edits: [{ span: out.span, text: String(places.size) }],
                  applicability: 'maybe',
                },
              ]
            : [];
        c.report('NN614', a.stage, { layer: c.text(a.stage), width, read: [...places].sort((x, y) => x - y) }, fixes);
      }
  },
};

const LINEAR = new Set(['Linear']);

/** The last indices at which a layer's result is read; null where it is used in another way. */
function readPlaces(c: Context, body: Body, a: Application): ReadonlySet<number> | null {
  const out = new Set<number>();
  const add = (read: ReadExpr): boolean => {
    const last = read.indices.at(-1);
    const n = last?.kind === 'expression' ? c.number(last.value) : null;
    if (n === null) return false;
    out.add(n);
    return true;
  };
  const up = c.parent(a.node);
  if (up?.kind === 'read') return add(up as ReadExpr) ? out : null;
  if (up?.kind !== 'let' || (up as LetStatement).indices !== null) return null;
  const name = (up as LetStatement).name.text;
  if (body.lets.filter((l) => l.name.text === name).length !== 1) return null;
  if (body.assigns.some((s) => s.name.text === name)) return null;
  let whole = true;
  walk(body.owner, (n, parent) => {
    if (n.kind === 'name' && (n as NameExpr).name === name)
      whole &&= parent?.kind === 'read' && (parent as ReadExpr).target === n && add(parent as ReadExpr);
    return undefined;
  });
  return whole ? out : null;
}

/** An embedding table with rows that no index reaches. */
export const unreachedRows: Lint = {
  code: 'NN615',
  name: 'unreached-rows',
  level: 'warn',
  looksFor: 'an embedding with more rows than its index has values, used nowhere else: the last rows are never read',
  avoids: 'tables with a name, which may serve elsewhere, and indices without a bound',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        if (!c.isLibrary(a, EMBEDDING) || a.node.kind !== 'call' || a.node.callee.kind !== 'call') continue;
        const count = a.config.get('count');
        const [index] = a.inputs;
        const type = index === undefined ? null : c.type(index);
        const rows = count === undefined ? null : c.type(count);
        if (count === undefined || type?.kind !== 'tensor' || type.below === null || rows?.kind !== 'number') continue;
        const unread = rows.value === null ? null : asConst(less(rows.value, type.below));
        if (unread === null || unread <= 0) continue;
        const below = formatSize(type.below);
        c.report('NN615', count.span, { rows: c.text(count.span), below }, [
          { title: `write \`${below}\``, edits: [{ span: count.span, text: below }], applicability: 'maybe' },
        ]);
      }
  },
};

const EMBEDDING = new Set(['Embedding']);

export const activationFirst: Lint = {
  code: 'NN616',
  name: 'activation-first',
  level: 'warn',
  looksFor: 'an activation as the first thing that a model does to its input, with a layer right behind it',
  avoids:
    'blocks and functions, which may begin with one (pre-activation), and inputs that anything else was done to before',
  run(c) {
    for (const body of c.bodies) {
      if (body.owner.kind !== 'model') continue;
      for (const a of body.applications) {
        const isActivation = a.definition === null ? ACTIVATIONS.has(a.name) : c.isLibrary(a, ACTIVATIONS);
        const [x] = a.inputs;
        if (!isActivation || a.node.kind !== 'pipe' || x?.kind !== 'name') continue;
        if (!isRaw(c, body, x)) continue;
        // With a layer behind it: an activation alone may be all that a model is about.
        const next = c.parent(a.node);
        if (next?.kind !== 'pipe') continue;
        const { stage } = a.node;
        c.report('NN616', a.stage, { activation: c.text(a.stage), input: x.name }, [
          {
            title: `leave \`${c.text(a.stage)}\` out`,
            edits: [{ span: { file: stage.span.file, start: a.node.value.span.end, end: stage.span.end }, text: '' }],
            applicability: 'maybe',
          },
        ]);
      }
    }
  },
};

/** A model's input, or what only arranges or scales it. */
function isRaw(c: Context, body: Body, x: NameExpr): boolean {
  const binding = c.binding(x);
  if (binding?.kind !== 'value') return false;
  if (binding.origin === 'parameter') return true;
  const made = body.lets.filter((l) => l.name.text === x.name);
  if (made.length !== 1 || made[0]!.indices === null || body.assigns.some((s) => s.name.text === x.name)) return false;
  const { value } = made[0]!;
  const read = value.kind === 'binary' && value.right.kind === 'number' ? value.left : value;
  if (read.kind !== 'read' || read.target.kind !== 'name') return false;
  const source = c.binding(read.target);
  return source?.kind === 'value' && source.origin === 'parameter';
}

const CONVOLUTIONS = new Set(['Conv1d', 'Conv2d', 'Conv3d']);
const POOLS = new Set(['max_pool', 'avg_pool', 'max_pool1d', 'avg_pool1d', 'max_pool3d', 'avg_pool3d']);

export const windowPlacement: Lint = {
  code: 'NN617',
  name: 'window-placement',
  level: 'warn',
  looksFor:
    'windows that cannot be centred (an even kernel with padding and stride 1), and pools whose stride leaves places out between their windows',
  avoids:
    'strided convolutions, which may have even kernels, and convolutions that skip places on purpose (1x1 with a stride)',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        const at = (name: string): number | null => {
          const e = a.config.get(name) ?? a.tensors.get(name);
          return e === undefined ? null : c.number(e);
        };
        if (c.isLibrary(a, CONVOLUTIONS)) {
          const [kernel, pad] = [at('kernel'), at('pad')];
          const stride = a.config.has('stride') ? at('stride') : 1;
          if (kernel === null || pad === null || kernel % 2 !== 0 || pad <= 0 || stride !== 1) continue;
          const e = a.config.get('kernel')!;
          c.report('NN617', e.span, { layer: a.name, kernel, stride: null, pad }, [
            {
              title: `write \`${kernel - 1}\``,
              edits: [{ span: e.span, text: String(kernel - 1) }],
              applicability: 'maybe',
            },
          ]);
        } else if (c.isLibrary(a, POOLS)) {
          const [kernel, stride] = [at('size') ?? at('kernel'), at('stride')];
          if (kernel === null || stride === null || stride <= kernel) continue;
          const e = (a.config.get('stride') ?? a.tensors.get('stride'))!;
          c.report('NN617', e.span, { layer: a.name, kernel, stride, pad: 0 }, [
            { title: `write \`${kernel}\``, edits: [{ span: e.span, text: String(kernel) }], applicability: 'maybe' },
          ]);
        }
      }
  },
};
