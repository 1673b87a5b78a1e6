/** Layers in a row: two affine ones with nothing between, normalisation of one value, initialisers, logits where probabilities are due. */
import type { Callable, Expr, LeafStatement, NameExpr, ReadExpr } from '../../grammar/ast.ts';
import { walk } from '../../grammar/walk.ts';
import type { Fix } from '../diagnostics/problem.ts';
import { formatShape, type TensorType } from '../check/types.ts';
import { mul, name as nameAtom, ONE, substitute, type Poly } from '../sizes/poly.ts';
import { type Application, type Body, type Context } from './context.ts';
import type { Lint } from './record.ts';

const AFFINE = new Set(['Linear', 'Conv1d', 'Conv2d', 'Conv3d', 'ConvTranspose1d', 'ConvTranspose2d']);
/** Activations: what a body puts between affine layers. */
export const ACTIVATIONS = new Set([
  'relu',
  'tanh',
  'gelu',
  'gelu_tanh',
  'silu',
  'sigmoid',
  'leaky_relu',
  'elu',
  'selu',
  'mish',
  'softplus',
]);
/** What changes nothing of an affine layer's kind: places and copies. */
const TRANSPARENT = new Set(['Dropout', 'SpatialDropout', 'flatten', 'identity']);

/** What gave a value: follows names of `let`s that are bound once, a model's result, and layers that change nothing. */
export function producer(c: Context, body: Body, e: Expr, depth = 0): Application | null {
  if (depth > 8) return null;
  if (e.kind === 'name') {
    const binding = c.binding(e);
    if (binding?.kind !== 'value' || binding.origin !== 'let') return null;
    const made = body.lets.filter((l) => l.name.text === e.name);
    if (made.length !== 1 || body.assigns.some((a) => a.name.text === e.name)) return null;
    return made[0]!.indices === null ? producer(c, body, made[0]!.value, depth + 1) : null;
  }
  if (e.kind !== 'call' && e.kind !== 'pipe') return null;
  const a = c.application(e);
  if (a?.definition == null) return null;
  const first = a.inputs[0];
  if (c.isLibrary(a, TRANSPARENT) && first !== undefined) return producer(c, body, first, depth + 1);
  const d = a.definition.declaration as Callable;
  if (d.kind === 'model') {
    const own = c.body(d);
    const results = d.body.statements.flatMap((s) =>
      s.kind === 'return' ? (s.value ?? []) : s.kind === 'expression' ? s.value : [],
    );
    if (own !== null && results.length === 1) return producer(c, own, results[0]!, depth + 1);
    return null;
  }
  return a;
}

const lastSize = (c: Context, e: Expr | undefined, fromEnd = 1): Poly | null => {
  const t = e === undefined ? null : c.type(e);
  const axis = t?.kind === 'tensor' ? t.shape.at(-fromEnd) : undefined;
  return axis?.kind === 'size' ? axis.size : null;
};

export const linearLinear: Lint = {
  code: 'NN604',
  name: 'linear-linear',
  level: 'warn',
  looksFor: 'an affine layer directly after another: together they are one affine layer',
  avoids:
    'bottlenecks, where the width between is smaller than both others (a factorised matrix); convolutions after convolutions of other kernels, as in separable ones; a layer whose value is also used elsewhere',
  run(c) {
    for (const body of c.bodies)
      for (const second of body.applications) {
        if (!c.isLibrary(second, AFFINE)) continue;
        const value = second.inputs[0];
        if (value === undefined) continue;
        const first = producer(c, body, value);
        if (!c.isLibrary(first, AFFINE) || first.name !== second.name) continue;
        if (value.kind === 'name' && uses(c, body, value.name) > 1) continue;
        // The same layer again is a power of its matrix.
        const [head, other] = [headOf(first), headOf(second)];
        if (head !== null && other !== null && c.binding(head) !== null && c.binding(head) === c.binding(other))
          continue;
        if (first.name !== 'Linear') {
          // A spatial window after another is a larger window; grouped, strided and 1x1 convolutions are factorisations.
          const kernels = [first, second].map((a) =>
            c.number(a.config.get('kernel') ?? { kind: 'number', value: 3, text: '3', integer: true, span: a.stage }),
          );
          if (kernels.some((k) => k === null || k === 1) || [first, second].some((a) => a.config.has('groups')))
            continue;
        }
        const axis = first.name === 'Linear' ? 1 : first.name.endsWith('1d') ? 2 : first.name.endsWith('2d') ? 3 : 4;
        const [before, middle, after] = [
          lastSize(c, first.inputs[0], axis),
          lastSize(c, value, axis),
          lastSize(c, second.node, axis),
        ];
        const know = c.knowledge(body.owner);
        const smaller = (p: Poly | null, q: Poly | null): boolean => {
          if (p === null || q === null) return true;
          const [x, y] = [c.constant(p), c.constant(q)];
          if (x !== null && y !== null) return x < y;
          return !know.isEqual(p, q);
        };
        if (first.inputs.length > 0 && smaller(middle, before) && smaller(middle, after)) continue;
        c.report(
          'NN604',
          second.stage,
          { first: c.text(first.stage), second: c.text(second.stage), firstSpan: first.stage },
          second.node.kind === 'pipe'
            ? [
                ...twice(c, first, second),
                {
                  title: 'put a non-linearity between',
                  edits: [
                    {
                      span: { file: second.stage.file, start: labelStart(second), end: labelStart(second) },
                      text: `${nonLinearity(c, body)} |> `,
                    },
                  ],
                  applicability: 'maybe',
                },
              ]
            : [],
        );
      }
  },
};

/** What the body itself puts between its layers, most often. */
function nonLinearity(c: Context, body: Body): string {
  const counts = new Map<string, number>();
  for (const a of body.applications) if (c.isLibrary(a, ACTIVATIONS)) counts.set(a.name, (counts.get(a.name) ?? 0) + 1);
  return [...counts].sort((x, y) => y[1] - x[1])[0]?.[0] ?? 'relu';
}

/** The same stage written twice in a row: one of them is too many. */
function twice(c: Context, first: Application, second: Application): Fix[] {
  if (second.node.kind !== 'pipe' || c.text(first.stage) !== c.text(second.stage)) return [];
  const { value, stage } = second.node;
  return [
    {
      title: 'leave the second one out',
      edits: [{ span: { file: stage.span.file, start: value.span.end, end: stage.span.end }, text: '' }],
      applicability: 'maybe',
    },
  ];
}

const labelStart = (a: Application): number =>
  a.node.kind === 'pipe' && a.node.label !== null ? a.node.label.span.start : a.stage.start;

function uses(c: Context, body: Body, name: string): number {
  let count = 0;
  walk(body.owner, (n) => {
    if (n.kind === 'name' && (n as { name?: string }).name === name && c.binding(n)?.kind === 'value') count++;
    return undefined;
  });
  return count;
}

/** How many values a layer of the library normalises over, from the shape of what it gets. */
export const NORMS: Readonly<
  Record<string, (t: TensorType, groups: Poly | null) => { over: string; axes: readonly number[]; divide: Poly | null }>
> = {
  LayerNorm: (t) => ({ over: 'the last axis', axes: [t.shape.length - 1], divide: null }),
  RMSNorm: (t) => ({ over: 'the last axis', axes: [t.shape.length - 1], divide: null }),
  InstanceNorm: (t) => ({ over: 'the places', axes: t.shape.map((_, k) => k).slice(2), divide: null }),
  GroupNorm: (t, groups) => ({
    over: 'the channels of a group and all places',
    axes: t.shape.map((_, k) => k).slice(1),
    divide: groups,
  }),
  BatchNorm: (t) => ({
    over: 'the batch and all places',
    axes: t.shape.map((_, k) => k).filter((k) => k !== 1),
    divide: null,
  }),
};

export const normOfOne: Lint = {
  code: 'NN605',
  name: 'norm-of-one',
  level: 'warn',
  looksFor:
    'a normalisation over a single value: (x - x) / sqrt(0 + eps) is 0 whatever x is. Also batch normalisation where the batch may be one row',
  avoids: 'axes whose sizes are not known; a batch is one row only where `batch` says 1',
  run(c) {
    const batches = new Map<string, number>();
    for (const { owner } of c.bodies)
      if (owner.kind === 'train')
        for (const s of owner.statements)
          if (s.kind === 'batch') {
            const n = c.number(s.value);
            if (n !== null) batches.set(s.size.text, Math.min(n, batches.get(s.size.text) ?? Infinity));
          }
    const atOne = new Map([...batches].filter(([, n]) => n === 1).map(([name]) => [nameAtom(name), ONE]));
    for (const body of c.bodies)
      for (const a of body.applications) {
        const norm = NORMS[a.name];
        if (norm === undefined || a.definition?.module.library !== true) continue;
        const t = a.inputs[0] === undefined ? null : c.type(a.inputs[0]);
        if (t?.kind !== 'tensor' || t.shape.some((x) => x.kind === 'run')) continue;
        const groups = a.config.get('groups');
        const groupType = groups === undefined ? null : c.type(groups);
        const { over, axes, divide } = norm(t, groupType?.kind === 'number' ? groupType.value : null);
        let product = ONE;
        for (const k of axes) {
          const axis = t.shape[k];
          if (axis?.kind === 'size')
            product = mul(product, [...atOne].find(([p]) => p === axis.size)?.[1] ?? axis.size);
        }
        const by = divide === null ? 1 : c.constant(divide);
        const count = c.constant(substitute(product, c.checked.constants));
        if (count === null || by === null || count / by !== 1) continue;
        c.report('NN605', a.stage, { layer: a.name, over, shape: formatShape(t.shape) });
      }
  },
};

const FOR_RECTIFIERS = new Set(['kaiming_normal', 'kaiming_uniform']);
const FAN_IN = new Set(['kaiming_normal', 'kaiming_uniform', 'xavier_normal', 'xavier_uniform', 'orthogonal']);
const SATURATING = new Set(['tanh', 'sigmoid', 'softmax', 'softsign', 'hard_tanh']);

/** Reads of a leaf in sums of its body: where its axes are contracted. */
function contractions(c: Context, body: Body, leaf: LeafStatement) {
  return body.reads.flatMap((read: ReadExpr) => {
    const binding = read.target.kind === 'name' ? c.binding(read.target) : null;
    if (binding?.kind !== 'value' || binding.name !== leaf.name.text || binding.origin !== 'param') return [];
    for (let p = c.parent(read); p !== null; p = c.parent(p))
      if (p.kind === 'reduce' && (p as { operator?: string }).operator === 'sum') return [{ read, sum: p }];
    return [];
  });
}

export const initialiserGain: Lint = {
  code: 'NN608',
  name: 'initialiser-gain',
  level: 'warn',
  looksFor:
    'a weight begun with the scale made for rectifiers (Kaiming) whose sum goes straight into a saturating activation',
  avoids: 'a gain that is given, sums that anything else is done with first',
  run(c) {
    for (const body of c.bodies)
      for (const leaf of body.leaves) {
        if (leaf.leaf !== 'param' || leaf.value.kind !== 'call') continue;
        const a = c.application(leaf.value);
        if (!c.isLibrary(a, FOR_RECTIFIERS) || leaf.value.arguments.length > 0) continue;
        for (const { sum } of contractions(c, body, leaf)) {
          const call = activationOf(c, sum);
          const into = call ?? pipedActivation(c, body, sum);
          if (into === null || !SATURATING.has(into)) continue;
          const xavier = a.name.replace('kaiming', 'xavier');
          c.report('NN608', leaf.value.span, { initialiser: a.name, activation: into, parameter: leaf.name.text }, [
            {
              title: `take ${xavier}`,
              edits: [{ span: leaf.value.span, text: `${xavier}()` }],
              applicability: 'maybe',
            },
          ]);
          break;
        }
      }
  },
};

/** `tanh(sum[d] … + bias[o])`: the activation around a sum, through additions. */
function activationOf(c: Context, sum: object): string | null {
  for (let p = c.parent(sum); p !== null; p = c.parent(p)) {
    if (p.kind === undefined) continue;
    if (p.kind === 'binary' && ['+', '-'].includes((p as unknown as { operator: string }).operator)) continue;
    if (p.kind !== 'call') return null;
    return c.application(p as never)?.name ?? null;
  }
  return null;
}

/** `let z[…] = sum …` and then `z |> tanh` or `tanh(z)`, and nothing else. */
function pipedActivation(c: Context, body: Body, sum: object): string | null {
  const equation = c.enclosing(sum, 'let');
  if (equation === null) return null;
  const made = body.lets.find((l) => l === (equation as object))!;
  const users = body.applications.filter((a) => a.inputs.some((i) => i.kind === 'name' && i.name === made.name.text));
  return users.length === 1 && uses(c, body, made.name.text) === 1 ? users[0]!.name : null;
}

export const initialiserFan: Lint = {
  code: 'NN609',
  name: 'initialiser-fan',
  level: 'warn',
  looksFor:
    'a fan-in initialiser (they take the last axis for the inputs) of a weight that is summed over another of its axes',
  avoids: 'weights summed over both axes somewhere, and weights that are not matrices',
  run(c) {
    for (const body of c.bodies)
      for (const leaf of body.leaves) {
        if (leaf.leaf !== 'param' || leaf.value.kind !== 'call') continue;
        const a = c.application(leaf.value);
        if (!c.isLibrary(a, FAN_IN) || a.name === 'orthogonal') continue;
        const wrong: { index: string; place: number; read: ReadExpr }[] = [];
        let right = false;
        for (const { read, sum } of contractions(c, body, leaf)) {
          if (read.indices.length !== 2) continue;
          const summed = new Set(
            (sum as unknown as { indices: readonly object[] }).indices.flatMap((i) => c.letter(i as never)?.atom ?? []),
          );
          const isSummed = read.indices.map((i) => i.kind === 'index' && summed.has(c.letter(i)?.atom ?? ''));
          const [outer] = read.indices;
          if (isSummed[1] === true) right = true;
          else if (isSummed[0] === true && outer?.kind === 'index')
            wrong.push({ index: outer.name.text, place: 0, read });
        }
        const first = wrong.at(0);
        if (right || first === undefined || a.name.startsWith('xavier')) continue;
        c.report('NN609', leaf.value.span, {
          initialiser: a.name,
          parameter: leaf.name.text,
          index: first.index,
          place: first.place,
        });
      }
  },
};

/** Losses of the library that take probabilities, and the ones that take logits in their place. */
const OF_PROBABILITIES: Readonly<Record<string, string | null>> = {
  categorical_cross_entropy: 'soft_cross_entropy',
  binary_cross_entropy_from_probs: 'binary_cross_entropy',
};

export const logitsAsProbs: Lint = {
  code: 'NN308',
  name: 'logits-as-probs',
  level: 'warn',
  looksFor: 'the plain result of an affine layer given to a function that takes probabilities or their logarithms',
  avoids: 'values whose origin is not plainly such a layer',
  run(c) {
    for (const body of c.bodies)
      for (const a of body.applications) {
        if (a.definition === null) continue;
        const d = a.definition.declaration as Callable;
        for (const p of d.parameters) {
          const role = p.type?.role?.name.text;
          const byName = a.definition.module.library && a.name in OF_PROBABILITIES && p.name.text === 'probs';
          if (role !== 'probs' && role !== 'log_probs' && !byName) continue;
          const value = a.tensors.get(p.name.text);
          if (value === undefined) continue;
          const from = producer(c, body, value);
          if (!c.isLibrary(from, AFFINE)) continue;
          const instead = a.definition.module.library ? (OF_PROBABILITIES[a.name] ?? null) : null;
          const head = headOf(a)?.span ?? null;
          const wrap =
            role === 'log_probs' ? 'log_softmax' : a.name === 'binary_cross_entropy_from_probs' ? 'sigmoid' : 'softmax';
          c.report(
            'NN308',
            value.span,
            { callee: a.name, parameter: p.name.text, layer: c.text(from.stage), from: from.stage, instead },
            [
              ...(instead !== null && head !== null
                ? [
                    {
                      title: `take ${instead}: it takes logits`,
                      edits: [{ span: head, text: instead }],
                      applicability: 'maybe' as const,
                    },
                  ]
                : []),
              {
                title: `apply ${wrap}`,
                edits: [{ span: value.span, text: `${wrap}(${c.text(value.span)})` }],
                applicability: 'maybe' as const,
              },
            ],
          );
        }
      }
  },
};

/** The name at the head of a call. */
function headOf(a: Application): NameExpr | null {
  let e: Expr = a.node.kind === 'pipe' ? a.node.stage : a.node;
  while (e.kind === 'call') e = e.callee;
  return e.kind === 'name' ? e : null;
}
