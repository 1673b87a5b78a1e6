/** Softmaxes: over one value, over the batch, and weights summed along another axis than they add up to 1 along. */
import type { Expr, IndexName, ReduceExpr } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import { mul, ONE } from '../sizes/poly.ts';
import { formatSize } from '../check/types.ts';
import type { Letter } from '../check/scope.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { batchSizes } from './batch.ts';
import { factors, type Application, type Body, type Context } from './context.ts';
import type { Lint } from './record.ts';

const LAST_AXIS = new Set([
  'softmax',
  'log_softmax',
  'cross_entropy',
  'soft_cross_entropy',
  'categorical_cross_entropy',
]);

const lettersOf = (c: Context, e: ReduceExpr): Letter[] => e.indices.flatMap((i) => c.letter(i) ?? []);

export const softmaxOfOne: Lint = {
  code: 'NN305',
  name: 'softmax-of-one',
  level: 'warn',
  looksFor: 'a softmax (or a cross-entropy) over an axis of one value: it is always 1, and its gradient 0',
  avoids: 'axes whose size is not known to be 1',
  run(c) {
    for (const body of c.bodies) {
      for (const e of body.reduces) {
        if (e.operator !== 'softmax' && e.operator !== 'logsumexp') continue;
        const letters = lettersOf(c, e);
        if (letters.length === 0 || letters.length < e.indices.length) continue;
        let size = ONE;
        let known = true;
        for (const l of letters) {
          if (l.extent?.kind === 'size') size = mul(size, l.extent.size);
          else known = false;
        }
        if (known && c.constant(size) === 1)
          c.report('NN305', e.operatorSpan, { what: e.operator, axis: letters.map((l) => l.name).join(', ') });
      }
      for (const a of body.applications) {
        if (!c.isLibrary(a, LAST_AXIS)) continue;
        const [x] = a.inputs;
        const type = x === undefined ? null : c.type(x);
        if (type?.kind !== 'tensor') continue;
        const last = type.shape.at(-1);
        if (c.axisConstant(last) === 1)
          c.report('NN305', a.stage, { what: a.name, axis: 'the last axis' }, withoutStage(a));
      }
    }
  },
};

/** A stage that does nothing is one too many; else one value is squashed by `sigmoid`. */
function withoutStage(a: Application): Fix[] {
  if (a.node.kind !== 'pipe') return [];
  const { value, stage } = a.node;
  return [
    {
      title: `leave \`${a.name}\` out`,
      edits: [{ span: { file: stage.span.file, start: value.span.end, end: stage.span.end }, text: '' }],
      applicability: 'maybe',
    },
    { title: 'write `sigmoid`', edits: [{ span: stage.span, text: 'sigmoid' }], applicability: 'maybe' },
  ];
}

/** The letters that stand in a read or anywhere below an expression. */
function atomsIn(c: Context, e: Expr): Set<string> {
  const out = new Set<string>();
  walk(e, (n) => {
    const l = c.letter(n as IndexName);
    if (l !== null) out.add(l.atom);
    return undefined;
  });
  return out;
}

export const softmaxAxis: Lint = {
  code: 'NN306',
  name: 'softmax-axis',
  level: 'warn',
  looksFor:
    'weights that add up to 1 along one axis and are then used as weights along another: `softmax[t] score` summed over s, or the argmax over classes of probabilities over time',
  avoids:
    'mixtures of distributions by weights that add up to 1, weights that were normalised again along the summed axis (slot attention), sums of the probabilities themselves (marginals, loads of experts), means',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.reduces) {
        if (e.operator !== 'sum' && e.operator !== 'argmax') continue;
        const summed = lettersOf(c, e);
        const atoms = new Set(summed.map((l) => l.atom));
        const { above } = factors(e.operand);
        // A mixture: other weights add up to 1 along what is summed, so the sum is one of distributions.
        const mixes = above.some((f) => {
          const t = c.type(f);
          return (
            t?.kind === 'tensor' && t.role.kind === 'probs' && typeof t.role.axis === 'string' && atoms.has(t.role.axis)
          );
        });
        if (mixes) continue;
        for (const f of above) {
          const type = c.type(f);
          if (type?.kind !== 'tensor' || type.role.kind !== 'probs' || typeof type.role.axis !== 'string') continue;
          if (atoms.has(type.role.axis)) continue;
          const own = atomsIn(c, f);
          if (!summed.some((l) => own.has(l.atom))) continue;
          const partner = above.some((g) => g !== f && summed.some((l) => atomsIn(c, g).has(l.atom)));
          if (e.operator === 'sum' && !partner) continue;
          const normalised = nameOf(c, f, type.role.axis);
          if (normalised === null) continue;
          const wrong = summed.find((l) => own.has(l.atom))!;
          const index = softmaxIndex(c, body, f, normalised);
          c.report(
            'NN306',
            index?.span ?? f.span,
            {
              operator: e.operator,
              normalised,
              summed: wrong.name,
              other: index === null ? type.role.from : f.span,
              atSoftmax: index !== null,
            },
            index === null
              ? []
              : [
                  {
                    title: `normalise over \`${wrong.name}\``,
                    edits: [{ span: index.name.span, text: wrong.name }],
                    applicability: 'maybe',
                  },
                ],
          );
        }
      }
  },
};

export const meanOfWeights: Lint = {
  code: 'NN309',
  name: 'mean-of-weights',
  level: 'warn',
  looksFor:
    'a mean along the axis on which its weights already add up to 1: `mean[s] weight[t, s] * v[s]` is an S-th of the average',
  avoids: 'means of the weights themselves, and along other axes',
  run(c) {
    for (const body of c.bodies)
      for (const e of body.reduces) {
        if (e.operator !== 'mean') continue;
        const along = lettersOf(c, e);
        const { above } = factors(e.operand);
        if (above.length < 2) continue;
        for (const f of above) {
          const type = c.type(f);
          if (type?.kind !== 'tensor' || type.role.kind !== 'probs') continue;
          const { axis } = type.role;
          const index = along.find((l) => l.atom === axis);
          if (index === undefined) continue;
          c.report('NN309', e.operatorSpan, { index: index.name, weights: c.text(f.span), from: type.role.from }, [
            { title: 'write `sum`', edits: [{ span: e.operatorSpan, text: 'sum' }], applicability: 'maybe' },
          ]);
          break;
        }
      }
  },
};

function nameOf(c: Context, e: Expr, atom: string): string | null {
  let found: string | null = null;
  walk(e, (n) => {
    const l = c.letter(n as IndexName);
    if (l?.atom === atom) found = l.name;
    return undefined;
  });
  return found;
}

/** The index of the softmax that made these weights, where it stands in this body: in place, or in the equation of the same name. */
function softmaxIndex(c: Context, body: Body, f: Expr, normalised: string): IndexName | null {
  const softmax =
    f.kind === 'reduce'
      ? f
      : body.reduces.find((r) => {
          const equation = c.enclosing(r, 'let') ?? c.enclosing(r, 'assign');
          return (
            r.operator === 'softmax' &&
            f.kind === 'read' &&
            f.target.kind === 'name' &&
            (equation as { name?: { text: string } } | null)?.name?.text === f.target.name
          );
        });
  return softmax?.indices.find((i) => i.name.text === normalised) ?? null;
}

export const softmaxOverBatch: Lint = {
  code: 'NN307',
  name: 'softmax-over-batch',
  level: 'warn',
  looksFor: 'a softmax whose index runs over the examples of the batch: what an example gets depends on its neighbours',
  avoids: 'comparisons of examples with each other (contrastive losses), where another index has the same extent',
  run(c) {
    for (const body of c.bodies) {
      const batch = batchSizes(c, body);
      if (batch.size === 0) continue;
      for (const e of body.reduces) {
        if (e.operator !== 'softmax' || e.indices.length !== 1) continue;
        const [letter] = lettersOf(c, e);
        if (letter?.extent?.kind !== 'size' || !batch.has(letter.extent.size)) continue;
        const others = new Set<string>();
        walk(e.operand, (n) => {
          const l = c.letter(n as IndexName);
          if (l?.extent?.kind === 'size' && l.atom !== letter.atom && batch.has(l.extent.size)) others.add(l.atom);
          return undefined;
        });
        if (others.size > 0) continue;
        c.report('NN307', e.indices[0]!.span, { index: letter.name, size: formatSize(letter.extent.size) });
      }
      for (const a of body.applications) {
        if (!c.isLibrary(a, LAST_AXIS)) continue;
        const [x] = a.inputs;
        const type = x === undefined ? null : c.type(x);
        const last = type?.kind === 'tensor' && type.shape.length === 1 ? type.shape[0] : undefined;
        if (last?.kind !== 'size' || !batch.has(last.size)) continue;
        c.report('NN307', a.stage, { index: a.name, size: formatSize(last.size) }, withoutStage(a).slice(0, 1));
      }
    }
  },
};
