/** Kernels by hand, as fusion would make them: material for the tests of planning and of targets. */
import { add, evaluate, floorDiv, mul, name, num, ZERO, type Poly } from '../../../compiler/sizes/poly.ts';
import type {
  BufferParameter,
  Def,
  Expr,
  Guard,
  Kernel,
  Schedule,
  ScheduleNode,
  ScalarOp,
  Stage,
  Write,
} from '../../../compiler/kernel/types.ts';
import type { DType } from '../../../compiler/graph/types.ts';

export type ExprOf = Expr;
type Plain = { [K in Expr['kind']]: Omit<Extract<Expr, { kind: K }>, 'id'> }[Expr['kind']];

const table = new Map<string, Expr>();

/** Interned: equal expressions are one object. */
function intern(e: Plain): Expr {
  const key = JSON.stringify(e, (_, v: unknown) => {
    if (typeof v === 'object' && v !== null && 'key' in v && 'id' in v) return `poly ${String(v.key)}`;
    if (typeof v === 'object' && v !== null && 'id' in v && 'kind' in v) return `expr ${String(v.id)}`;
    if (typeof v === 'number' && !Number.isFinite(v)) return String(v);
    return v;
  });
  let known = table.get(key);
  if (known === undefined) table.set(key, (known = { id: table.size, ...e } as Expr));
  return known;
}

export const p = (x: Poly | number | string): Poly =>
  typeof x === 'number' ? num(x) : typeof x === 'string' ? name(x) : x;

export const quotient = floorDiv;

export const valueOf = (q: Poly, at: Record<string, number>): number => evaluate(q, (s) => at[s]!);

/** Row-major offset. */
export function offset(shape: readonly (Poly | number | string)[], at: readonly (Poly | number | string)[]): Poly {
  let sum = ZERO;
  for (const [i, c] of at.entries()) sum = add(mul(sum, p(shape[i]!)), p(c));
  return sum;
}

export const read = (
  buffer: number,
  at: Poly,
  options: {
    dtype?: DType;
    guards?: readonly Guard[];
    otherwise?: Expr;
    dynamic?: readonly { name: string; value: Expr }[];
  } = {},
): Expr =>
  intern({
    kind: 'read',
    dtype: options.dtype ?? 'f32',
    buffer,
    at,
    dynamic: options.dynamic ?? [],
    guards: options.guards ?? [],
    otherwise: options.otherwise ?? null,
  });
export const value = (valueName: string, dtype: DType = 'f32'): Expr =>
  intern({ kind: 'value', dtype, name: valueName });
export const index = (at: Poly | string): Expr => intern({ kind: 'index', dtype: 'i32', at: p(at) });
export const constant = (v: number, dtype: DType = 'f32'): Expr => intern({ kind: 'const', dtype, value: v });
export const op = (o: ScalarOp, ...args: readonly Expr[]): Expr =>
  intern({
    kind: 'op',
    dtype: o === 'lt' || o === 'eq' || o === 'not' || o === 'and' || o === 'or' ? 'bool' : args.at(-1)!.dtype,
    op: o,
    args,
  });
export const opOf = (dtype: DType, o: ScalarOp, ...args: readonly Expr[]): Expr =>
  intern({ kind: 'op', dtype, op: o, args });
export const guarded = (guards: readonly Guard[], inside: Expr, outside: Expr): Expr =>
  intern({ kind: 'guarded', dtype: inside.dtype, guards, inside, outside });
export const guard = (e: Poly, lo: Poly | number, hi: Poly | number | string): Guard => ({ e, lo: p(lo), hi: p(hi) });

export const buffer = (
  bufferName: string,
  sizes: readonly (Poly | number | string)[],
  access: BufferParameter['access'] = 'read',
  dtype: DType = 'f32',
): BufferParameter => ({ name: bufferName, dtype, access, sizes: sizes.map(p) });

export const write = (to: number, at: Poly, v: Expr, options: Partial<Write> = {}): Write => ({
  buffer: to,
  at,
  dynamic: [],
  guards: [],
  value: v,
  mode: 'store',
  ...options,
});

export const stage = (
  stageName: string,
  axes: readonly string[],
  rest: Partial<Omit<Stage, 'defs'>> & { defs?: Record<string, Def> },
): Stage => ({
  name: stageName,
  axes,
  over: rest.over ?? [],
  defs: new Map(Object.entries(rest.defs ?? {})),
  each: rest.each ?? [],
  writes: rest.writes ?? [],
  order: rest.order ?? null,
});

export function kernel(
  kernelName: string,
  sizes: readonly string[],
  buffers: readonly BufferParameter[],
  axes: Record<string, Poly | number | string>,
  ...stages: readonly Stage[]
): Kernel {
  return {
    name: kernelName,
    sizes,
    buffers,
    axes: new Map(Object.entries(axes).map(([a, e]) => [a, p(e)])),
    stages,
    origin: 0,
    reasons: new Map(),
  };
}

export const leaf = (
  stageName: string,
  order: readonly string[],
  tile: Record<string, number> = {},
  unroll = 1,
): ScheduleNode => ({ kind: 'stage', stage: stageName, order, tile: new Map(Object.entries(tile)), unroll });
export const loop = (axis: string, body: readonly ScheduleNode[], step = 1): ScheduleNode => ({
  kind: 'loop',
  axis,
  step,
  body,
});
export const schedule = (...body: readonly ScheduleNode[]): Schedule => ({ parallel: null, body });

// ------------------------------------------------------------------------------------------------------------------------ examples

/** y[b, o] = relu(Σ_d x[b, d] · w[o, d] + bias[o]) */
export const linearRelu = (D: number | string = 'D', O: number | string = 'O'): Kernel =>
  kernel(
    'linear_relu',
    ['B', ...[D, O].filter((s) => typeof s === 'string')],
    [buffer('x', ['B', D]), buffer('weight', [O, D]), buffer('bias', [O]), buffer('y', ['B', O], 'write')],
    { b: 'B', o: O, d: D },
    stage('dot', ['b', 'o'], {
      over: ['d'],
      defs: {
        dot: {
          op: 'sum',
          init: null,
          value: op('mul', read(0, offset(['B', D], ['b', 'd'])), read(1, offset([O, D], ['o', 'd']))),
        },
      },
      writes: [
        write(3, offset(['B', O], ['b', 'o']), op('max', op('add', value('dot'), read(2, p('o'))), constant(0))),
      ],
    }),
  );
export const linearReluSchedule = (b = 4, o = 4, unroll = 1): Schedule =>
  schedule(leaf('dot', ['b', 'o', 'd'], { b, o }, unroll));

/** c[i, j] = Σ_k a[i, k] · b[k, j] */
export const matmul = (): Kernel =>
  kernel(
    'matmul',
    ['M', 'N', 'K'],
    [buffer('a', ['M', 'K']), buffer('b', ['K', 'N']), buffer('c', ['M', 'N'], 'write')],
    { i: 'M', j: 'N', k: 'K' },
    stage('dot', ['i', 'j'], {
      over: ['k'],
      defs: {
        dot: {
          op: 'sum',
          init: null,
          value: op('mul', read(0, offset(['M', 'K'], ['i', 'k'])), read(1, offset(['K', 'N'], ['k', 'j']))),
        },
      },
      writes: [write(2, offset(['M', 'N'], ['i', 'j']), value('dot'))],
    }),
  );

/** y[b, c] = softmax over c; keeps exp(x − m) in y while it sums. */
export function softmax(): Kernel {
  const at = (c: string): Poly => offset(['B', 'C'], ['b', c]);
  const e = op('exp', op('sub', read(0, at('s')), value('m')));
  return kernel(
    'softmax',
    ['B', 'C'],
    [buffer('x', ['B', 'C']), buffer('y', ['B', 'C'], 'write')],
    { b: 'B', c: 'C', r: 'C', s: 'C' },
    stage('greatest', ['b'], { over: ['r'], defs: { m: { op: 'max', init: null, value: read(0, at('r')) } } }),
    stage('total', ['b'], {
      over: ['s'],
      defs: { z: { op: 'sum', init: null, value: e } },
      each: [write(1, at('s'), e)],
    }),
    stage('scale', ['b', 'c'], { writes: [write(1, at('c'), op('div', read(1, at('c')), value('z')))] }),
  );
}
export const softmaxSchedule = (): Schedule =>
  schedule(loop('b', [leaf('greatest', ['r']), leaf('total', ['s']), leaf('scale', ['c'])]));

/** One Adam step on n parameters; step counts from 1. */
export function adam(): Kernel {
  const i = p('i');
  const g = read(3, i);
  const m = op('add', op('mul', constant(0.9), read(1, i)), op('mul', constant(0.1), g));
  const v = op('add', op('mul', constant(0.999), read(2, i)), op('mul', constant(0.001), op('mul', g, g)));
  const t = opOf('f32', 'cast', read(4, ZERO, { dtype: 'i32' }));
  const corrected = (x: Expr, beta: number): Expr => op('div', x, op('sub', constant(1), op('pow', constant(beta), t)));
  const next = op(
    'sub',
    read(0, i),
    op('div', op('mul', constant(0.01), corrected(m, 0.9)), op('add', op('sqrt', corrected(v, 0.999)), constant(1e-8))),
  );
  return kernel(
    'adam',
    ['n'],
    [
      buffer('w', ['n'], 'readwrite'),
      buffer('m', ['n'], 'readwrite'),
      buffer('v', ['n'], 'readwrite'),
      buffer('g', ['n']),
      buffer('step', [], 'read', 'i32'),
    ],
    { i: 'n' },
    stage('update', ['i'], { writes: [write(0, i, next), write(1, i, m), write(2, i, v)] }),
  );
}

/** dtable[id[b], d] += g[b, d]; ids outside [0, V) are ignored. */
export function scatterAdd(): Kernel {
  const id = { name: 'id0', value: read(0, p('b'), { dtype: 'i32' }) };
  return kernel(
    'embedding_gradient',
    ['B', 'D', 'V'],
    [buffer('id', ['B'], 'read', 'i32'), buffer('g', ['B', 'D']), buffer('dtable', ['V', 'D'], 'write')],
    { b: 'B', d: 'D', v: 'V', e: 'D' },
    stage('zero', ['v', 'e'], { writes: [write(2, offset(['V', 'D'], ['v', 'e']), constant(0))] }),
    stage('scatter', ['b', 'd'], {
      writes: [
        write(2, offset(['V', 'D'], ['id0', 'd']), read(1, offset(['B', 'D'], ['b', 'd'])), {
          dynamic: [id],
          guards: [guard(p('id0'), 0, 'V')],
          mode: 'add',
        }),
      ],
    }),
  );
}
export const scatterAddSchedule = (): Schedule => schedule(leaf('zero', ['v', 'e']), leaf('scatter', ['b', 'd']));

/** y[b, t] = Σ_{s ≤ t} x[b, s], or from the end. */
export const prefixSum = (order: 'forward' | 'backward' = 'forward'): Kernel =>
  kernel(
    'prefix_sum',
    ['B', 'T'],
    [buffer('x', ['B', 'T']), buffer('y', ['B', 'T'], 'write')],
    { b: 'B', t: 'T' },
    stage('run', ['b'], {
      over: ['t'],
      order,
      defs: { total: { op: 'sum', init: null, value: read(0, offset(['B', 'T'], ['b', 't'])) } },
      each: [write(1, offset(['B', 'T'], ['b', 't']), value('total'))],
    }),
  );

/** y[n, o, i, j] = Σ_{c, p, q} x[n, c, i + p − 1, j + q − 1] · w[o, c, p, q], x being 0 outside. */
export function convolution(): Kernel {
  const X = ['N', 'C', 'H', 'W'];
  const row = add(name('i'), name('p'), num(-1));
  const column = add(name('j'), name('q'), num(-1));
  const x = read(0, offset(X, ['n', 'c', row, column]), {
    guards: [guard(row, 0, 'H'), guard(column, 0, 'W')],
    otherwise: constant(0),
  });
  const w = read(1, offset(['O', 'C', 3, 3], ['o', 'c', 'p', 'q']));
  return kernel(
    'convolution',
    ['N', 'C', 'O', 'H', 'W'],
    [buffer('x', X), buffer('weight', ['O', 'C', 3, 3]), buffer('y', ['N', 'O', 'H', 'W'], 'write')],
    { n: 'N', o: 'O', i: 'H', j: 'W', c: 'C', p: 3, q: 3 },
    stage('conv', ['n', 'o', 'i', 'j'], {
      over: ['c', 'p', 'q'],
      defs: { conv: { op: 'sum', init: null, value: op('mul', x, w) } },
      writes: [write(2, offset(['N', 'O', 'H', 'W'], ['n', 'o', 'i', 'j']), value('conv'))],
    }),
  );
}
