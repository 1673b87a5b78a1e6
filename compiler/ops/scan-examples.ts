/**
 * Example loops. Bodies are graphs, and the builder stands above the records; so they are put together here by the shape rules alone.
 */
import type { Graph, Node, NodeOf, OpAttributes, OpName, TensorType } from '../graph/types.ts';
import { name, num, type Poly } from '../sizes/poly.ts';
import { inferElementwise } from './elementwise-rules.ts';
import type { Example, Inferred } from './record.ts';
import { contractRule, reduceRule, scanRule } from './rules.ts';

class Body {
  private readonly nodes: Node[] = [];
  private readonly leaves: NodeOf<'input'>[] = [];

  private add<O extends OpName>(op: O, inputs: readonly Node[], attrs: OpAttributes[O], inferred: Inferred): Node {
    if (!inferred.ok) throw new Error(`example body: ${op} violates ${inferred.constraint}, ${inferred.detail}`);
    const { type, members } = inferred;
    const made: NodeOf<O> = { id: this.nodes.length, op, inputs, attrs, type, members, origin: 0, owner: this };
    this.nodes.push(made as unknown as Node); // a generic NodeOf<O> is one of the union, which tsc cannot see
    return made as unknown as Node;
  }

  leaf(type: TensorType): Node {
    const attrs = { name: `leaf${this.leaves.length}`, kind: 'body', type } as const;
    const made = this.add('input', [], attrs, { ok: true, type, members: null });
    this.leaves.push(made as NodeOf<'input'>);
    return made;
  }

  apply(op: 'add' | 'mul' | 'tanh' | 'select' | 'lt' | 'sin', ...inputs: Node[]): Node {
    return this.add(op, inputs, {}, inferElementwise(op)(inputs, {}));
  }

  constant(value: number, dtype: OpAttributes['const']['dtype']): Node {
    return this.add('const', [], { value, dtype }, { ok: true, type: { dtype, sizes: [] }, members: null });
  }

  cast(x: Node, dtype: OpAttributes['cast']['dtype']): Node {
    return this.add('cast', [x], { dtype }, inferElementwise('cast')([x], { dtype }));
  }

  contract(x: Node, y: Node, attrs: OpAttributes['contract']): Node {
    return this.add('contract', [x, y], attrs, contractRule.infer([x, y], attrs));
  }

  sum(x: Node, axes: readonly number[]): Node {
    const attrs = { op: 'sum', axes } as const;
    return this.add('reduce', [x], attrs, reduceRule.infer([x], attrs));
  }

  /** One member of a loop inside. */
  loop(inputs: readonly Node[], attrs: OpAttributes['scan'], index: number): Node {
    const inferred = scanRule.infer(inputs, attrs);
    const tuple = this.add('scan', inputs, attrs, inferred);
    const type = tuple.members![index]!;
    return this.add('part', [tuple], { index }, { ok: true, type, members: null });
  }

  done(...outputs: Node[]): Graph {
    return {
      name: 'body',
      nodes: this.nodes,
      inputs: this.leaves,
      outputs: outputs.map((node, k) => ({ name: `out${k}`, node, updates: null })),
    };
  }
}

const F = (...sizes: Poly[]): TensorType => ({ dtype: 'f32', sizes });
const ROUND: TensorType = { dtype: 'i32', sizes: [] };
const BOOL: TensorType = { dtype: 'bool', sizes: [] };
const T = name('T');
const H = num(2);

/** h ← tanh(W h + x[t]), yields h. */
function recurrent(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  const h = b.leaf(F(H));
  const x = b.leaf(F(H));
  const w = b.leaf(F(H, H));
  const next = b.apply('tanh', b.apply('add', b.contract(w, h, { a: ['o', 'i'], b: ['i'], out: ['o'] }), x));
  return b.done(next, next);
}

/** Two carries, two sequences, two constants; the first carry is not in its own next value. */
function crossed(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  const p = b.leaf(F(H));
  const q = b.leaf(F());
  const x = b.leaf(F(H));
  const y = b.leaf(F());
  const u = b.leaf(F(H));
  const v = b.leaf(F());
  const nextP = b.apply('sin', b.apply('mul', x, u));
  const nextQ = b.apply('add', b.apply('mul', q, v), b.apply('mul', y, b.sum(b.apply('mul', p, u), [0])));
  return b.done(nextP, nextQ, b.apply('mul', p, x));
}

/** No carries: a map over the rounds. */
function map(): Graph {
  const b = new Body();
  const round = b.leaf(ROUND);
  const x = b.leaf(F());
  const k = b.leaf(F());
  return b.done(b.apply('mul', b.apply('mul', x, x), b.apply('add', k, b.cast(round, 'f32'))));
}

/** An integer carry that counts, and selects. */
function counting(): Graph {
  const b = new Body();
  const round = b.leaf(ROUND);
  const s = b.leaf(F());
  const n = b.leaf(ROUND);
  const x = b.leaf(F());
  const isFirst = b.apply('lt', n, round);
  const next = b.apply('select', isFirst, b.apply('mul', s, x), b.apply('add', s, x));
  return b.done(next, b.apply('add', n, b.cast(isFirst, 'i32')), s);
}

/** A power by repeated multiplication: a carry and a constant, no sequence, no yield. */
function repeated(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  const s = b.leaf(F());
  const k = b.leaf(F());
  return b.done(b.apply('mul', s, k));
}

/** s ← s · x[t] · k, until s falls below a constant. */
function ending(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  b.leaf(BOOL);
  const count = b.leaf(ROUND);
  const s = b.leaf(F());
  const x = b.leaf(F());
  const k = b.leaf(F());
  const least = b.leaf(F());
  const next = b.apply('mul', b.apply('mul', s, x), k);
  const stop = b.apply('lt', next, least);
  return b.done(stop, b.apply('add', count, b.constant(1, 'i32')), next);
}

/** The power of `repeated`, in as many rounds as the last operand says. */
function limited(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  const s = b.leaf(F());
  const x = b.leaf(F());
  const k = b.leaf(F());
  b.leaf(ROUND);
  return b.done(b.apply('mul', s, b.apply('mul', x, k)));
}

/** A loop in a loop: s ← (s · k) · k, plus the element. */
function nested(): Graph {
  const b = new Body();
  b.leaf(ROUND);
  const s = b.leaf(F());
  const x = b.leaf(F());
  const k = b.leaf(F());
  const inner = b.loop([s, k], { body: repeated(), length: num(2), carries: 1, sequences: 0, reversed: false }, 0);
  return b.done(b.apply('add', inner, x));
}

const small = { sizes: { T: 3 }, domain: [-1, 1] } as const;
const recurrentInputs = [F(H), F(T, H), F(H, H)];
const crossedInputs = [F(H), F(), F(T, H), F(T), F(H), F()];

export const scanExamples: Example<'scan'>[] = [
  {
    ...small,
    title: 'a recurrence',
    inputs: recurrentInputs,
    attrs: { body: recurrent(), length: T, carries: 1, sequences: 1, reversed: false },
  },
  {
    ...small,
    title: 'a recurrence from the end',
    inputs: recurrentInputs,
    attrs: { body: recurrent(), length: T, carries: 1, sequences: 1, reversed: true },
  },
  {
    ...small,
    title: 'two carries, sequences and constants',
    inputs: crossedInputs,
    attrs: { body: crossed(), length: T, carries: 2, sequences: 2, reversed: false },
  },
  {
    ...small,
    title: 'the same from the end',
    inputs: crossedInputs,
    attrs: { body: crossed(), length: T, carries: 2, sequences: 2, reversed: true },
  },
  {
    ...small,
    title: 'a map, by the round',
    inputs: [F(T), F()],
    attrs: { body: map(), length: T, carries: 0, sequences: 1, reversed: false },
  },
  {
    ...small,
    title: 'an integer carry',
    inputs: [F(), ROUND, F(T)],
    attrs: { body: counting(), length: T, carries: 2, sequences: 1, reversed: false },
    values: { 1: [0] },
  },
  {
    ...small,
    title: 'repeated multiplication',
    inputs: [F(), F()],
    attrs: { body: repeated(), length: T, carries: 1, sequences: 0, reversed: false },
  },
  {
    title: 'a loop that ends early',
    inputs: [BOOL, ROUND, F(), F(T), F(), F()],
    attrs: { body: ending(), length: T, carries: 3, sequences: 1, reversed: false, until: true },
    sizes: { T: 5 },
    values: { 0: [0], 1: [0], 2: [1], 3: [0.9, 0.8, 0.5, 0.7, 0.6], 4: [0.9], 5: [0.4] },
    shows: ['C6'],
  },
  {
    title: 'some of the rounds',
    inputs: [F(), F(T), F(), ROUND],
    attrs: { body: limited(), length: T, carries: 1, sequences: 1, reversed: false, limited: true },
    sizes: { T: 5 },
    values: { 3: [3] },
    shows: ['C7'],
  },
  {
    title: 'some of the rounds, from the end',
    inputs: [F(), F(T), F(), ROUND],
    attrs: { body: limited(), length: T, carries: 1, sequences: 1, reversed: true, limited: true },
    sizes: { T: 5 },
    values: { 3: [2] },
  },
  {
    ...small,
    title: 'a loop in a loop',
    inputs: [F(), F(T), F()],
    attrs: { body: nested(), length: T, carries: 1, sequences: 1, reversed: false },
  },
];
