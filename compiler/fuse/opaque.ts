/**
 * Operations with a lowering of their own.
 *
 * cumulate: a stage whose reduced axis runs in order and writes the running value at each point; an exclusive one reads its operand one
 * step back. topk: k rounds, each the greatest element after the one found before in the order (value descending, position ascending), which needs no
 * mask: a candidate is smaller than the last value, or equal and further on.
 */
import { ONE, ZERO, add, name, names, num, type Poly } from '../sizes/poly.ts';
import type { ExprTable } from '../kernel/expr.ts';
import type { Combine, Def, Expr, Guard, Stage } from '../kernel/types.ts';
import type { DType, NodeOf } from '../graph/types.ts';
import { FREE_NAMES, letter, OVER_NAMES, type Draft, type Location } from './assemble.ts';
import { offset, type Lowerer, type Unit } from './lower.ts';

export function identity(op: Combine, dtype: DType): number {
  switch (op) {
    case 'sum':
    case 'any':
      return 0;
    case 'prod':
    case 'all':
      return 1;
    case 'max':
      return dtype === 'i32' ? -(2 ** 31) : -Infinity;
    case 'min':
      return dtype === 'i32' ? 2 ** 31 - 1 : Infinity;
  }
}

export function cumulateUnit(lowerer: Lowerer, node: NodeOf<'cumulate'>): Unit {
  const { op, axis, exclusive, reversed } = node.attrs;
  const frame = lowerer.frame(node.type.sizes);
  const dim = frame.dims[axis]!;
  const neutral = lowerer.table.constant(identity(op, node.type.dtype), node.type.dtype);
  const cx = frame.context(node as never);
  let value: Expr;
  if (exclusive && dim === null) value = neutral;
  else if (!exclusive) value = cx.read(0, frame.at);
  else {
    const size = node.type.sizes[axis]!;
    const before = add(frame.at[axis]!, num(reversed ? 1 : -1));
    const at = frame.at.map((p, k) => (k === axis ? before : p));
    value = cx.guarded(0, at, [{ e: before, lo: ZERO, hi: size }], neutral);
  }
  const unit = frame.unit(node as never, 'opaque', null, value, null);
  if (dim === null) return unit;
  const axes = unit.axes.filter((a) => a !== dim);
  return { ...unit, axes, over: [dim], op, order: reversed ? 'backward' : 'forward' };
}

export function topkDraft(
  table: ExprTable,
  node: NodeOf<'topk'>,
  variable: string,
  x: Location,
  values: Location,
  positions: Location,
): Draft {
  const { axis } = node.attrs;
  const { dtype, sizes } = node.inputs[0]!.type;
  const results = node.members![0]!.sizes;
  const taken = new Set<string>([variable]);
  for (const p of [...sizes, ...results, x.offset, values.offset, positions.offset])
    for (const n of names(p)) taken.add(n);
  const reduced = letter(OVER_NAMES, taken);
  const axes = new Map<string, Poly>();
  const point = sizes.map((size, k): Poly => {
    if (size === ONE) return ZERO;
    const s = k === axis ? reduced : letter(FREE_NAMES, taken);
    axes.set(s, size);
    return name(s);
  });
  const round = name(variable);
  const at = (p: Poly): readonly Poly[] => point.map((q, k) => (k === axis ? p : q));
  const [xBuffer, vBuffer, pBuffer] = [0, 1, 2];
  const element = table.read(xBuffer, dtype, add(x.offset, offset(sizes, point)));
  const before = add(round, num(-1));
  const started: readonly Guard[] = [{ e: round, lo: ONE, hi: node.attrs.k }];
  const lastOffset = offset(results, at(before));
  const last = table.read(vBuffer, dtype, add(values.offset, lastOffset));
  const lastAt = table.read(pBuffer, 'i32', add(positions.offset, lastOffset));
  const position = table.index(point[axis]!);
  const further = table.op(
    'and',
    'bool',
    table.op('eq', 'bool', element, last),
    table.op('lt', 'bool', lastAt, position),
  );
  const candidate = table.op('or', 'bool', table.op('lt', 'bool', element, last), further);
  const open = table.guarded(started, candidate, table.constant(1, 'bool'));
  const least = table.constant(identity('max', dtype), dtype);
  const greatest = table.value('greatest', dtype);
  const size = table.index(sizes[axis]!);
  const matches = table.op('and', 'bool', open, table.op('eq', 'bool', element, greatest));
  const free = [...axes.keys()].filter((a) => a !== reduced);
  const over = axes.has(reduced) ? [reduced] : [];
  const to = offset(results, at(round));
  const stage = (stageName: string, defs: ReadonlyMap<string, Def>, writes: Stage['writes']): Stage => ({
    name: stageName,
    axes: free,
    over,
    defs,
    each: [],
    writes,
    order: null,
  });
  const store = (buffer: number, place: Location, value: Expr): Stage['writes'][number] => ({
    buffer,
    at: add(place.offset, to),
    dynamic: [],
    guards: [],
    value,
    mode: 'store',
  });
  return {
    axes,
    rows: free,
    stages: [
      stage(
        'max',
        new Map([['greatest', { op: 'max', init: null, value: table.op('select', dtype, open, element, least) }]]),
        [],
      ),
      stage(
        'min',
        new Map([['first', { op: 'min', init: null, value: table.op('select', 'i32', matches, position, size) }]]),
        [store(vBuffer, values, greatest), store(pBuffer, positions, table.value('first', 'i32'))],
      ),
    ],
    buffers: [x.buffer, values.buffer, positions.buffer],
    access: ['read', 'readwrite', 'readwrite'],
    numbers: new Map(),
    local: new Set(),
    reasons: new Map([
      [1, 'opaque'],
      [2, 'opaque'],
    ]),
  };
}
