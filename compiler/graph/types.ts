/**
 * The graph: tensors, pure, in SSA form. The second of the four representations.
 *
 * Nodes are created by a `GraphBuilder` only (hash-consed: equal op, inputs and attributes are one node; named leaves are never merged), stand in
 * topological order, and are never changed. Sizes are polynomials over size names to the end. Broadcasts are explicit: elementwise ops take
 * operands of one shape. Elementwise, movement and structured operations each have one record in `compiler/ops/`; passes ask the record
 * and never switch on an op's name. This file is types only.
 */
import type { Span } from '../../grammar/ast.ts';
import type { Poly } from '../sizes/poly.ts';
import type { OriginId } from './origin.ts';

export type DType = 'f32' | 'f16' | 'i32' | 'bool';

export interface TensorType {
  readonly dtype: DType;
  readonly sizes: readonly Poly[];
}

// ------------------------------------------------------------------------------------------------------------ operations by name

/** One row each in `compiler/ops/elementwise.ts`. Integers: `div` rounds toward minus infinity, `mod` has the divisor's sign (floats too). */
export type ElementwiseOp =
  | 'neg'
  | 'recip'
  | 'exp'
  | 'log'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'erf'
  | 'sqrt'
  | 'floor'
  | 'not'
  | 'cast'
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'max'
  | 'min'
  | 'mod'
  | 'lt'
  | 'eq'
  | 'and'
  | 'or'
  | 'select'
  | 'stop_gradient'
  | 'surrogate';

/** What persistent or per-call thing a named leaf stands for. */
export type LeafKind = 'data' | 'param' | 'state' | 'slot' | 'carry' | 'scalar' | 'body';

/** A read's axis: where its coordinate comes from, in `gather` and `scatter`. */
export type Source =
  | { readonly from: 'axis'; readonly axis: number } // an axis of the indexed side (gather: of the output; scatter: of the update)
  | { readonly from: 'index'; readonly which: number }; // the index operand with this number (0 = inputs[1])

export interface Window {
  readonly size: Poly;
  /** Any nonzero integer; −1 reverses. */
  readonly stride: Poly;
}

/** Operation → its attributes. */
export interface OpAttributes extends Record<ElementwiseOp, unknown> {
  // leaves
  /** A named leaf. Never merged with another. `param`s, data, states, optimizer slots and a scan body's inputs are all this op. */
  input: { readonly name: string; readonly kind: LeafKind; readonly type: TensorType };
  /** A scalar constant (no axes). bool: 0 or 1. May be ±Infinity, never NaN. */
  const: { readonly value: number; readonly dtype: DType };
  /** i32, value = coordinate along `axis`. */
  iota: { readonly sizes: readonly Poly[]; readonly axis: number };
  /** i32 scalar: the value of a size. */
  size: { readonly value: Poly };
  /** f32 uniform in [0, 1), 24 bits: threefry2x32(key = (seed, stream), counter = (step, linear position))[word]. inputs: [seed i32[], step i32[]]. */
  random: { readonly sizes: readonly Poly[]; readonly stream: number; readonly word: 0 | 1 };

  // elementwise (others: no attributes)
  cast: { readonly dtype: DType };

  // structured
  /** Removes `axes` (increasing). sum max min prod on numbers, any all on bool. Empty extents do not occur (sizes are ≥ 1). */
  reduce: { readonly op: 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all'; readonly axes: readonly number[] };
  /** i32: the first position of the greatest value along `axis`, which is removed. */
  argmax: { readonly axis: number };
  /** Prefix reduction along `axis`; `exclusive` leaves out the own position (identity first). Same shape. */
  cumulate: {
    readonly op: 'sum' | 'max' | 'min' | 'prod';
    readonly axis: number;
    readonly exclusive: boolean;
    readonly reversed: boolean;
  };
  /**
   * out[…] = Σ a·b. Labels name axes; in `a` and `b` unique; every label of `out` is in `a` or `b`; labels in both but not in `out` are summed;
   * a label in one operand only must be in `out`. f32 (f16 accumulates in f32).
   */
  contract: { readonly a: readonly string[]; readonly b: readonly string[]; readonly out: readonly string[] };
  /** `axes[k]` = the output axis of input axis k (strictly increasing); other output axes repeat. */
  broadcast: { readonly sizes: readonly Poly[]; readonly axes: readonly number[] };
  /** Output axis k = input axis perm[k]. */
  transpose: { readonly perm: readonly number[] };
  /** One axis into several, row-major; the product of `sizes` is the axis's size. No sizes: the axis, of size 1, goes. */
  split: { readonly axis: number; readonly sizes: readonly Poly[] };
  /** `count` ≥ 1 axes from `axis` on into one, row-major. */
  merge: { readonly axis: number; readonly count: number };
  /** out[i] = x[start + i], 0 ≤ i < size. */
  slice: { readonly axis: number; readonly start: Poly; readonly size: Poly };
  pad: { readonly axis: number; readonly before: Poly; readonly after: Poly; readonly value: number };
  concat: { readonly axis: number };
  /** Axis → one axis a window: out[…, i…, …] = x[…, offset + Σ stride·i, …], always inside. Also strided slices and reversal (one window). */
  unfold: { readonly axis: number; readonly offset: Poly; readonly windows: readonly Window[] };
  /** The adjoint of `unfold`: axes axis … axis + windows − 1 into one of `size`; y[n] = Σ x over all i with offset + Σ stride·i = n. */
  fold: {
    readonly axis: number;
    readonly size: Poly;
    readonly offset: Poly;
    readonly windows: readonly Window[];
  };
  /**
   * inputs: [x, i32 index…]; every index has shape `on.map(k => sizes[k])`. out (shape `sizes`) at o = x[per x-axis: o[axis] or index(o[on])].
   * A coordinate outside x gives 0 (false).
   */
  gather: {
    readonly sizes: readonly Poly[];
    readonly sources: readonly Source[];
    readonly on: readonly number[];
  };
  /**
   * The adjoint of gather. inputs: [u, i32 index…]; y (shape `sizes`) starts at `initial` and takes, for every position o of u, u[o] at
   * y[per y-axis: o[axis] or index(o[on])]; positions outside y are ignored. Axes of u in no source are combined too. initial: add 0, max −∞ or given.
   */
  scatter: {
    readonly sizes: readonly Poly[];
    readonly sources: readonly Source[];
    readonly on: readonly number[];
    readonly combine: 'add' | 'max';
    readonly initial: number;
  };
  /** Tuple (values, i32 positions) of the k greatest along `axis`, descending, first position first on ties; the axis has size k. */
  topk: { readonly axis: number; readonly k: Poly };
  /**
   * A loop. inputs: [initial carries…, sequences… (scanned axis first), constants…]. The body's inputs are, in this order,
   * [round: i32 scalar, carries…, one element of each sequence…, constants…]; its outputs [next carries…, yields…].
   * Tuple (last carries…, stacked yields… with axis `length` first). `reversed` visits the rounds from length − 1 down; yields stand at their round.
   * `until`: carry 0 is a bool scalar; after a round that makes it true no other runs. Carry 1 counts the rounds that ran (i32 scalar).
   * `limited`: the last constant is an i32 scalar; only rounds below it run. Yields of rounds that do not run are unspecified: whoever
   * reads them selects by the number of rounds.
   * `apart`: the loop is there to keep memory small, so nothing of its rounds may be stacked to be computed at once.
   */
  scan: {
    readonly body: Graph;
    readonly length: Poly;
    readonly carries: number;
    readonly sequences: number;
    readonly reversed: boolean;
    readonly until?: boolean;
    readonly limited?: boolean;
    readonly apart?: boolean;
  };
  /** One member of a tuple. */
  part: { readonly index: number };
}

export type OpName = keyof OpAttributes;

export interface NodeOf<O extends OpName> {
  readonly id: number;
  readonly op: O;
  readonly inputs: readonly Node[];
  readonly attrs: OpAttributes[O];
  /** The type; for a tuple (scan, topk) of its first member: see `members`. */
  readonly type: TensorType;
  readonly members: readonly TensorType[] | null;
  readonly origin: OriginId;
  /** The graph (builder) it lives in: a scan's body is a graph of its own. */
  readonly owner: object;
}

export type Node = { [O in OpName]: NodeOf<O> }[OpName];

export interface Output {
  readonly name: string;
  readonly node: Node;
  /** Persistent leaf (param, state, slot, carry) that takes this value after the program has run; null for a plain result. */
  readonly updates: string | null;
}

export interface Graph {
  readonly name: string;
  /** Topological. Every input of a node stands before it. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly NodeOf<'input'>[];
  readonly outputs: readonly Output[];
}

// ------------------------------------------------------------------------------------------------------------------------ units

/** A named tensor that outlives a call. */
export interface Leaf {
  /** Saved name: `h.0.attn.c_attn.weight`; slots `h.0.attn.c_attn.weight/m`. */
  readonly path: string;
  readonly kind: 'param' | 'state' | 'slot' | 'carry';
  readonly type: TensorType;
  readonly origin: OriginId;
}

export interface DataInput {
  readonly name: string;
  readonly type: TensorType;
  /** `i32[B] < V`. */
  readonly below: Poly | null;
  readonly origin: OriginId;
}

/** A size known at run time only, read off the data inputs. */
export interface SizeSpec {
  readonly name: string;
  /** Declared greatest value; null where the source gives none (the build then needs one). */
  readonly bound: number | null;
}

/** A `require` left for run time: `left relation right` on the run-time sizes. */
export interface RuntimeRequirement {
  readonly left: Poly;
  readonly relation: '==' | '!=' | '<' | '<=' | 'divides';
  readonly right: Poly;
  readonly message: string;
  readonly origin: OriginId;
  /** The only program that it is required for; absent: all. */
  readonly program?: ProgramName;
}

/** Which tensor of another file a leaf is: rows over the same letters, in another order. */
export interface LeafMap {
  readonly ours: string;
  readonly theirs: string;
  /** Extents of the letters, in our order. */
  readonly extents: readonly number[];
  /** The letters in their order, as positions in ours. */
  readonly order: readonly number[];
  /** Theirs. */
  readonly shape: readonly number[];
}

export interface CheckpointMap {
  readonly name: string;
  /** Leaves that are not here have the same name and layout on both sides. */
  readonly leaves: readonly LeafMap[];
}

export type ProgramName = 'init' | 'forward' | 'stream' | 'step' | 'evaluate' | 'validated';

/**
 * What elaboration makes of one `model` or `train`: the persistent leaves and the programs over them. Scalar inputs `seed` and `step`
 * (i32, kind 'scalar') stand in a graph where it draws or counts. `init` has an output that `updates` every leaf; `forward` (eval mode) has the model's
 * results, as has `stream`, which also updates the carries of its layers; `step` has `loss`, the metrics, and updates; `evaluate` has `loss` and metrics in eval mode, updates nothing.
 * `validated`, where a schedule goes by the loss of validations, is given that and updates the schedule's states.
 */
export interface Unit {
  readonly name: string;
  readonly kind: 'model' | 'train';
  readonly leaves: readonly Leaf[];
  readonly inputs: readonly DataInput[];
  /** The data inputs that `forward` takes (for a train: those its model needs), by name. */
  readonly sizes: readonly SizeSpec[];
  readonly requirements: readonly RuntimeRequirement[];
  readonly programs: ReadonlyMap<ProgramName, Graph>;
  /** `checkpoint name for Model { … }` of its network. */
  readonly checkpoints: readonly CheckpointMap[];
  /** `storage Model { … }` of the source, as rules of the command line have it; in order. */
  readonly storage: readonly { readonly rule: string; readonly span: Span }[];
  /** How a train block wants to be run; null for a model. */
  readonly training: TrainSettings | null;
}

/** `batch B = 64`, `epochs 20`, `validate(split: 0.1, patience: 5)`. */
export interface TrainSettings {
  /** `parts`: a step goes through its batch in so many equal parts. */
  readonly batch: { readonly size: string; readonly value: number; readonly parts: number } | null;
  readonly epochs: number | null;
  readonly split: number | null;
  readonly patience: number | null;
  readonly folds: number | null;
  readonly runs: number | null;
  readonly metrics: readonly string[];
}
