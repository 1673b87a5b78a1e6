/**
 * The only maker of graph nodes. Gives every node its type (by the op's record), an origin, and a place; equal nodes are made once.
 *
 * Nodes are hash-consed by (op, inputs, attributes), except named leaves. A builder with a parent makes a body (of a scan): a node of an
 * enclosing builder used inside becomes a leaf of the body, remembered in `captured`, so that whoever closes the body passes it as a constant.
 * Constants are made anew inside instead. An illegal node is a bug of the compiler and throws; nothing a user wrote may get here unchecked.
 *
 * It does not simplify, except that a movement which moves nothing is its input.
 */
import { attributesNumber, typeNumber } from './identity.ts';
import type { OriginId, Origins } from './origin.ts';
import type {
  DType,
  ElementwiseOp,
  Graph,
  LeafKind,
  Node,
  NodeOf,
  OpAttributes,
  OpName,
  Output,
  Source,
  TensorType,
  Window,
} from './types.ts';
import { num, ONE, sub as subSizes, ZERO, type Poly } from '../sizes/poly.ts';
import type { Inferred } from '../ops/record.ts';
import { inferNode, recordOf } from '../ops/registry.ts';
import { sameSizes, showTypes } from '../ops/shapes.ts';

/** What a loop's body gives back for each round. */
export interface Round {
  readonly carries: readonly Node[];
  readonly yields: readonly Node[];
  /** Of a loop with `until`: a bool scalar that is true where no other round shall run. */
  readonly until?: Node | null;
}

export interface LoopSpec {
  /** Values before the first round. */
  readonly carries: readonly Node[];
  /** Scanned axis first, of size `length`. */
  readonly sequences: readonly Node[];
  readonly length: Poly;
  readonly reversed: boolean;
  readonly name?: string;
  /** The body says after each round whether to stop. */
  readonly until?: boolean;
  /** An i32 scalar: no more rounds than this. */
  readonly limit?: Node | null;
  /** Nothing is computed for several rounds at once. */
  readonly apart?: boolean;
}

export interface Loop {
  readonly carries: readonly Node[];
  readonly yields: readonly Node[];
  readonly scan: Node;
  /** How many rounds ran, an i32 scalar; null where all do. */
  readonly rounds: Node | null;
}

/** Attributes of operations that have none. */
const NONE = {};

/** What operations with these attributes give for operands of these types. */
const inferences = new Map<string, Inferred>();

export class GraphBuilder {
  readonly name: string;
  readonly origins: Origins;
  readonly parent: GraphBuilder | null;
  /** Every node made here, in order. */
  readonly nodes: Node[] = [];
  readonly inputs: NodeOf<'input'>[] = [];
  /** Node of the parent → the `body` leaf that stands for it here, in order of first use. */
  readonly captured = new Map<Node, Node>();
  private readonly known = new Map<string, Node>();
  private current: OriginId | null = null;

  constructor(name: string, origins: Origins, parent?: GraphBuilder) {
    this.name = name;
    this.origins = origins;
    this.parent = parent ?? null;
    if (parent !== undefined) this.current = parent.current;
  }

  // ------------------------------------------------------------------------------------------------------------------- origins

  /** Origin of the nodes made from here on. Throws when none was set. */
  get origin(): OriginId {
    if (this.current === null) throw new Error(`graph ${this.name}: a node needs an origin`);
    return this.current;
  }

  set origin(origin: OriginId) {
    this.current = origin;
  }

  /** Runs `f` with this origin current. */
  at<T>(origin: OriginId, f: () => T): T {
    const before = this.current;
    this.current = origin;
    try {
      return f();
    } finally {
      this.current = before;
    }
  }

  // --------------------------------------------------------------------------------------------------------------------- nodes

  /** The node, new or known. Throws on a violated constraint: whoever calls this has checked before. */
  node<O extends OpName>(op: O, inputs: readonly Node[], attrs: OpAttributes[O], origin?: OriginId): NodeOf<O> {
    const from = origin ?? this.origin;
    const local = inputs.map((n) => this.local(n));
    const named = op === 'input';
    const key = named ? '' : `${op}(${local.map((n) => n.id).join()})${attributesNumber(attrs as object)}`;
    if (!named) {
      const known = this.known.get(key);
      if (known !== undefined) return known as unknown as NodeOf<O>;
    }
    const inferred = this.inferred(op, local, attrs);
    if (!inferred.ok) {
      const rule = recordOf(op).constraints[inferred.constraint] ?? 'a tuple is only read by `part`';
      throw new Error(
        `${op} violates ${inferred.constraint} (${rule}): ${inferred.detail}; operands ${showTypes(local)}, graph ${this.name}`,
      );
    }
    const made: NodeOf<O> = {
      id: this.nodes.length,
      op,
      inputs: local,
      attrs,
      type: inferred.type,
      members: inferred.members,
      origin: from,
      owner: this,
    };
    const asNode = made as unknown as Node; // a generic NodeOf<O> is one of the union, which tsc cannot see
    this.nodes.push(asNode);
    if (named) this.inputs.push(made as unknown as NodeOf<'input'>);
    else this.known.set(key, asNode);
    return made;
  }

  private inferred<O extends OpName>(op: O, inputs: readonly Node[], attrs: OpAttributes[O]): Inferred {
    // The type of a part is one of its tuple's, a tuple is only read by `part`.
    if (op === 'input' || op === 'part' || inputs.some((n) => n.members !== null)) return inferNode(op, inputs, attrs);
    const key = `${op}${attributesNumber(attrs as object)}(${inputs.map((n) => typeNumber(n.type)).join()})`;
    let found = inferences.get(key);
    if (found === undefined) {
      found = inferNode(op, inputs, attrs);
      if (found.ok) inferences.set(key, found);
    }
    return found;
  }

  /** The node as seen in this builder: itself, or the leaf that stands for a node of an enclosing builder. */
  local(node: Node): Node {
    if (node.owner === this) return node;
    if (this.parent === null) throw new Error(`graph ${this.name}: a ${node.op} node of another graph`);
    if (node.op === 'const' || node.op === 'size' || node.op === 'iota')
      return this.node<OpName>(node.op, [], node.attrs, node.origin) as Node;
    if (node.op === 'broadcast' && node.inputs[0]!.op === 'const')
      return this.node(node.op, node.inputs, node.attrs, node.origin);
    const outer = this.parent.local(node);
    const known = this.captured.get(outer);
    if (known !== undefined) return known;
    if (outer.members !== null) throw new Error(`graph ${this.name}: a tuple cannot be captured, only its parts`);
    const leaf = this.input(`captured${this.captured.size}`, 'body', outer.type, node.origin);
    this.captured.set(outer, leaf);
    return leaf;
  }

  // -------------------------------------------------------------------------------------------------------------------- leaves

  input(name: string, kind: LeafKind, type: TensorType, origin?: OriginId): NodeOf<'input'> {
    return this.node('input', [], { name, kind, type: { dtype: type.dtype, sizes: type.sizes } }, origin);
  }

  /** A scalar. */
  constant(value: number, dtype: DType): Node {
    return this.node('const', [], { value, dtype });
  }

  /** A constant of this type. */
  constantOf(value: number, type: TensorType): Node {
    return this.broadcast(this.constant(value, type.dtype), type.sizes, []);
  }

  zeros(type: TensorType): Node {
    return this.constantOf(0, type);
  }

  iota(sizes: readonly Poly[], axis: number): Node {
    return this.node('iota', [], { sizes, axis });
  }

  /** i32 scalar. */
  sizeValue(value: Poly): Node {
    return this.node('size', [], { value });
  }

  /** f32 uniform in [0, 1). seed, step: i32 scalars. */
  random(seed: Node, step: Node, sizes: readonly Poly[], stream: number, word: 0 | 1): Node {
    return this.node('random', [seed, step], { sizes, stream, word });
  }

  // --------------------------------------------------------------------------------------------------------------- elementwise

  private elementwise(op: Exclude<ElementwiseOp, 'cast'>, ...inputs: readonly Node[]): Node {
    return this.node(op, inputs, NONE) as unknown as Node; // one of the union, which tsc cannot see
  }

  neg = (x: Node): Node => this.elementwise('neg', x);
  recip = (x: Node): Node => this.elementwise('recip', x);
  exp = (x: Node): Node => this.elementwise('exp', x);
  log = (x: Node): Node => this.elementwise('log', x);
  sin = (x: Node): Node => this.elementwise('sin', x);
  cos = (x: Node): Node => this.elementwise('cos', x);
  tanh = (x: Node): Node => this.elementwise('tanh', x);
  erf = (x: Node): Node => this.elementwise('erf', x);
  sqrt = (x: Node): Node => this.elementwise('sqrt', x);
  floor = (x: Node): Node => this.elementwise('floor', x);
  not = (x: Node): Node => this.elementwise('not', x);
  stopGradient = (x: Node): Node => this.elementwise('stop_gradient', x);
  surrogate = (x: Node, y: Node): Node => this.elementwise('surrogate', x, y);
  add = (a: Node, b: Node): Node => this.elementwise('add', a, b);
  sub = (a: Node, b: Node): Node => this.elementwise('sub', a, b);
  mul = (a: Node, b: Node): Node => this.elementwise('mul', a, b);
  div = (a: Node, b: Node): Node => this.elementwise('div', a, b);
  pow = (a: Node, b: Node): Node => this.elementwise('pow', a, b);
  max = (a: Node, b: Node): Node => this.elementwise('max', a, b);
  min = (a: Node, b: Node): Node => this.elementwise('min', a, b);
  mod = (a: Node, b: Node): Node => this.elementwise('mod', a, b);
  lt = (a: Node, b: Node): Node => this.elementwise('lt', a, b);
  eq = (a: Node, b: Node): Node => this.elementwise('eq', a, b);
  and = (a: Node, b: Node): Node => this.elementwise('and', a, b);
  or = (a: Node, b: Node): Node => this.elementwise('or', a, b);
  /** condition ? a : b, elementwise; one shape. */
  select = (condition: Node, a: Node, b: Node): Node => this.elementwise('select', condition, a, b);

  cast(x: Node, dtype: DType): Node {
    return x.type.dtype === dtype ? this.local(x) : this.node('cast', [x], { dtype });
  }

  // ---------------------------------------------------------------------------------------------------------------- structured

  reduce(op: OpAttributes['reduce']['op'], x: Node, axes: readonly number[]): Node {
    if (axes.length === 0) return this.local(x);
    return this.node('reduce', [x], { op, axes: [...axes].sort((a, b) => a - b) });
  }

  argmax(x: Node, axis: number): Node {
    return this.node('argmax', [x], { axis });
  }

  cumulate(
    op: OpAttributes['cumulate']['op'],
    x: Node,
    axis: number,
    how: { readonly exclusive?: boolean; readonly reversed?: boolean } = {},
  ): Node {
    return this.node('cumulate', [x], { op, axis, exclusive: how.exclusive ?? false, reversed: how.reversed ?? false });
  }

  /** Labels are renamed by first appearance, so that equal contractions are one node whatever they were called. */
  contract(a: Node, b: Node, aLabels: readonly string[], bLabels: readonly string[], out: readonly string[]): Node {
    const names = new Map<string, string>();
    const rename = (labels: readonly string[]): string[] =>
      labels.map((label) => {
        let known = names.get(label);
        if (known === undefined) names.set(label, (known = labelName(names.size)));
        return known;
      });
    return this.node('contract', [a, b], { a: rename(aLabels), b: rename(bLabels), out: rename(out) });
  }

  broadcast(x: Node, sizes: readonly Poly[], axes: readonly number[]): Node {
    if (sameSizes(x.type.sizes, sizes) && axes.every((a, k) => a === k)) return this.local(x);
    return this.node('broadcast', [x], { sizes, axes });
  }

  /** x's axes are the last ones of `sizes`. */
  broadcastTo(x: Node, sizes: readonly Poly[]): Node {
    const lead = sizes.length - x.type.sizes.length;
    return this.broadcast(
      x,
      sizes,
      x.type.sizes.map((_, k) => lead + k),
    );
  }

  transpose(x: Node, perm: readonly number[]): Node {
    if (perm.length === x.type.sizes.length && perm.every((p, k) => p === k)) return this.local(x);
    return this.node('transpose', [x], { perm });
  }

  split(x: Node, axis: number, sizes: readonly Poly[]): Node {
    if (sizes.length === 1 && sizes[0] === x.type.sizes[axis]) return this.local(x);
    return this.node('split', [x], { axis, sizes });
  }

  merge(x: Node, axis: number, count: number): Node {
    if (count === 1 && axis < x.type.sizes.length) return this.local(x);
    return this.node('merge', [x], { axis, count });
  }

  slice(x: Node, axis: number, start: Poly, size: Poly): Node {
    if (start === ZERO && size === x.type.sizes[axis]) return this.local(x);
    return this.node('slice', [x], { axis, start, size });
  }

  /** The element at `at` of the axis, which goes. */
  take(x: Node, axis: number, at: Poly): Node {
    return this.dropAxis(this.slice(x, axis, at, ONE), axis);
  }

  /** Without an axis of size 1. */
  dropAxis(x: Node, axis: number): Node {
    return this.split(x, axis, []);
  }

  /** With an axis of size 1 before `axis`. */
  newAxis(x: Node, axis: number): Node {
    const sizes = x.type.sizes;
    const axes = sizes.map((_, k) => (k < axis ? k : k + 1));
    return this.broadcast(x, [...sizes.slice(0, axis), ONE, ...sizes.slice(axis)], axes);
  }

  pad(x: Node, axis: number, before: Poly, after: Poly, value: number): Node {
    if (before === ZERO && after === ZERO) return this.local(x);
    return this.node('pad', [x], { axis, before, after, value });
  }

  concat(parts: readonly Node[], axis: number): Node {
    return parts.length === 1 ? this.local(parts[0]!) : this.node('concat', parts, { axis });
  }

  unfold(x: Node, axis: number, offset: Poly, windows: readonly Window[]): Node {
    return this.node('unfold', [x], { axis, offset, windows });
  }

  /** The axis from its end to its start. */
  reverse(x: Node, axis: number): Node {
    const size = x.type.sizes[axis]!;
    return this.unfold(x, axis, subSizes(size, ONE), [{ size, stride: num(-1) }]);
  }

  fold(x: Node, axis: number, size: Poly, offset: Poly, windows: readonly Window[]): Node {
    return this.node('fold', [x], { axis, size, offset, windows });
  }

  gather(
    x: Node,
    indices: readonly Node[],
    attrs: { readonly sizes: readonly Poly[]; readonly sources: readonly Source[]; readonly on: readonly number[] },
  ): Node {
    return this.node('gather', [x, ...indices], attrs);
  }

  scatter(u: Node, indices: readonly Node[], attrs: OpAttributes['scatter']): Node {
    return this.node('scatter', [u, ...indices], attrs);
  }

  topk(x: Node, axis: number, k: Poly): { values: Node; positions: Node } {
    const both = this.node('topk', [x], { axis, k });
    return { values: this.part(both, 0), positions: this.part(both, 1) };
  }

  scan(inputs: readonly Node[], attrs: OpAttributes['scan']): Node {
    return this.node('scan', inputs, attrs);
  }

  part(tuple: Node, index: number): Node {
    return this.node('part', [tuple], { index });
  }

  // --------------------------------------------------------------------------------------------------------------------- loops

  /**
   * A builder for a body whose free nodes are captured from here. A scan's inputs are positional: make the round's, the carries' and the
   * elements' leaves (kind `body`) before the first node that may capture something. `loop` does.
   */
  child(name: string): GraphBuilder {
    return new GraphBuilder(name, this.origins, this);
  }

  /**
   * A scan whose body is written by a callback. What the body uses from outside becomes constants.
   * carries: [shape of the initial ones]; yields: [length, …shape of the round's].
   */
  loop(
    spec: LoopSpec,
    body: (inner: GraphBuilder, round: Node, carries: readonly Node[], elements: readonly Node[]) => Round,
  ): Loop {
    const inner = this.child(spec.name ?? `${this.name}.loop`);
    const round = inner.input('round', 'body', { dtype: 'i32', sizes: [] });
    // A loop that may end early carries whether it has, and how many rounds ran.
    const own = spec.until === true ? [this.constant(0, 'bool'), this.constant(0, 'i32')] : [];
    const initial = [...own, ...spec.carries];
    const held = initial.map((c, k) => inner.input(`carry${k}`, 'body', c.type));
    const carries = held.slice(own.length);
    const elements = spec.sequences.map((s, k) =>
      inner.input(`element${k}`, 'body', { dtype: s.type.dtype, sizes: s.type.sizes.slice(1) }),
    );
    const result = body(inner, round, carries, elements);
    const ending =
      spec.until === true
        ? [result.until ?? inner.constant(0, 'bool'), inner.add(held[1]!, inner.constant(1, 'i32'))]
        : [];
    const next = [...ending, ...result.carries].map((n) => inner.local(n));
    const yielded = result.yields.map((n) => inner.local(n));
    const constants = [...inner.captured.keys()];
    const limit = spec.limit ?? null;
    if (limit !== null) {
      // The limit is the last constant, whether the body reads it or not.
      inner.input('limit', 'body', limit.type);
      constants.push(this.local(limit));
    }
    const graph = inner.finish([
      ...next.map((node, k): Output => ({ name: `carry${k}`, node, updates: null })),
      ...yielded.map((node, k): Output => ({ name: `yield${k}`, node, updates: null })),
    ]);
    const scan = this.scan([...initial, ...spec.sequences, ...constants], {
      body: graph,
      length: spec.length,
      carries: initial.length,
      sequences: spec.sequences.length,
      reversed: spec.reversed,
      ...(spec.until === true ? { until: true } : {}),
      ...(limit === null ? {} : { limited: true }),
      ...(spec.apart === true ? { apart: true } : {}),
    });
    const count = initial.length;
    return {
      carries: spec.carries.map((_, k) => this.part(scan, own.length + k)),
      yields: result.yields.map((_, k) => this.part(scan, count + k)),
      scan,
      rounds: spec.until === true ? this.part(scan, 1) : limit === null ? null : this.local(limit),
    };
  }

  // -------------------------------------------------------------------------------------------------------------------- finish

  /**
   * The graph of what the outputs need, in the order of making. Leaves of kind `body` stay even if nothing reads them (a scan's inputs
   * are positional); other unread leaves go.
   */
  finish(outputs: readonly Output[]): Graph {
    const local = outputs.map((o) => ({ name: o.name, node: this.local(o.node), updates: o.updates }));
    const live = new Uint8Array(this.nodes.length);
    for (const o of local) live[o.node.id] = 1;
    for (let k = this.nodes.length - 1; k >= 0; k--) {
      if (live[k] === 1) for (const input of this.nodes[k]!.inputs) live[input.id] = 1;
    }
    const kept = (n: Node): boolean => live[n.id] === 1 || (n.op === 'input' && n.attrs.kind === 'body');
    return {
      name: this.name,
      nodes: this.nodes.filter(kept),
      inputs: this.inputs.filter((n) => kept(n)),
      outputs: local,
    };
  }
}

/** a … z, a1 … */
function labelName(k: number): string {
  const letter = String.fromCharCode(97 + (k % 26));
  return k < 26 ? letter : `${letter}${Math.floor(k / 26)}`;
}
