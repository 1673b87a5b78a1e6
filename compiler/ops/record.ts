/**
 * What an operation is: one record each. Passes ask the record and never switch on an op's name.
 *
 * A record says what is legal (numbered constraints), what comes out (shape rule), how to differentiate, how to compute it slowly and
 * obviously (the oracle), how to lower it to loops and scalars, and shows itself in examples, which are tests and the operation reference.
 */
import type { Expr, Guard, ScalarOp, Combine } from '../kernel/types.ts';
import type { Node, NodeOf, OpAttributes, OpName, TensorType, DType } from '../graph/types.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import type { Poly } from '../sizes/poly.ts';

/** A concrete tensor of the evaluator: row-major. f32 values are held in Float64Array so that the oracle is better than what it judges. */
export interface Tensor {
  readonly dtype: DType;
  readonly sizes: readonly number[];
  readonly data: Float64Array | Int32Array | Uint8Array;
}

export type Inferred =
  | { readonly ok: true; readonly type: TensorType; readonly members: readonly TensorType[] | null }
  | { readonly ok: false; readonly constraint: string; readonly detail: string };

export interface EvaluateContext {
  readonly sizes: (name: string) => number;
  /** Evaluates a scan's body. */
  readonly run: (body: import('../graph/types.ts').Graph, inputs: readonly Tensor[]) => readonly Tensor[];
}

/** Asks the fuser for an input's element at a position: it inlines the producer or reads its buffer. */
export interface LowerContext {
  readonly node: Node;
  /** Element of input `k` at these coordinates (one Poly an axis; may mention dynamic names). */
  readonly read: (k: number, at: readonly Poly[]) => Expr;
  /** The same, but `otherwise` where a guard fails; the read is then not evaluated. */
  readonly guarded: (k: number, at: readonly Poly[], guards: readonly Guard[], otherwise: Expr) => Expr;
  /** A fresh name standing for an integer expression inside polynomials, for data-dependent coordinates. */
  readonly dynamic: (value: Expr) => Poly;
  readonly op: (op: ScalarOp, dtype: DType, ...args: Expr[]) => Expr;
  readonly constant: (value: number, dtype: DType) => Expr;
  readonly index: (at: Poly) => Expr;
  /** A fresh reduced axis of this extent. */
  readonly axis: (extent: Poly) => Poly;
}

export type Lowering<O extends OpName> =
  /** Inlineable: the output's element at `at`, for the given member of a tuple. */
  | { readonly kind: 'scalar'; readonly lower: (cx: LowerContext, node: NodeOf<O>, at: readonly Poly[]) => Expr }
  /**
   * One reduction: axes made by `cx.axis` are reduced by `op`; with none, the value alone. The value's dtype may be wider than the node's (f16
   * contractions sum in f32): the result is then cast.
   */
  | {
      readonly kind: 'reduction';
      readonly lower: (
        cx: LowerContext,
        node: NodeOf<O>,
        at: readonly Poly[],
      ) => { readonly op: Combine | 'argmax'; readonly value: Expr };
    }
  /** Reads all and writes where the data says (scatter): loops over the update's positions. */
  | {
      readonly kind: 'scatter';
      readonly lower: (
        cx: LowerContext,
        node: NodeOf<O>,
        /** A position of the update operand. */
        at: readonly Poly[],
      ) => {
        readonly to: readonly Poly[];
        readonly guards: readonly Guard[];
        readonly value: Expr;
        readonly mode: 'add' | 'max';
        readonly initial: number;
      };
    }
  /** A leaf (input): a buffer of its own. */
  | { readonly kind: 'leaf' }
  /** Lowered by its own code in `compiler/fuse/` (scan, cumulate, topk), found by op name in one table there. */
  | { readonly kind: 'opaque' };

/** What a backward rule may use. Gradients have the type of what they are the gradient of. */
export interface VjpContext<O extends OpName> {
  readonly builder: GraphBuilder;
  readonly node: NodeOf<O>;
  /** The gradient of each member (one for a plain node); null where it is zero. */
  readonly gradients: readonly (Node | null)[];
  /** Which inputs' gradients are asked for; others may be left null. */
  readonly wanted: readonly boolean[];
  /** Reverse mode inside `builder` (a loop's backward body): the gradient of Σ ⟨node, gradient⟩ for each of `wrt`. */
  readonly pullback: Pullback;
}

export type Pullback = (
  builder: GraphBuilder,
  seeds: readonly { readonly node: Node; readonly gradient: Node }[],
  wrt: readonly Node[],
) => readonly (Node | null)[];

export interface Example<O extends OpName> {
  readonly title: string;
  readonly inputs: readonly TensorType[];
  readonly attrs: OpAttributes[O];
  /** Values of the size names. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Draw inputs from here to stay away from kinks and poles; default [−2, 2]. Integers are drawn from [0, hi). */
  readonly domain?: readonly [number, number];
  /** Literal values for some inputs (by position) instead of drawn ones. */
  readonly values?: Readonly<Record<number, readonly number[]>>;
  /** Numbers of the constraints whose distinctions this example exercises. */
  readonly shows?: readonly string[];
}

export interface OpRecord<O extends OpName> {
  readonly name: O;
  /** One sentence for the operation reference. */
  readonly summary: string;
  /** C1, C2, …: what a legal use satisfies, cited by `infer` and by the negative tests. */
  readonly constraints: Readonly<Record<string, string>>;
  readonly infer: (inputs: readonly Node[], attrs: OpAttributes[O]) => Inferred;
  /** Gradient of each input, or null (not differentiable, or zero). Built from ordinary nodes, so that any order exists. */
  readonly vjp: (cx: VjpContext<O>) => readonly (Node | null)[];
  readonly evaluate: (inputs: readonly Tensor[], node: NodeOf<O>, cx: EvaluateContext) => readonly Tensor[];
  readonly lowering: Lowering<O>;
  /** Scalar operations a produced element (a reduction counts each step); infinite for opaque ops. Guides materialisation. */
  readonly cost: (node: NodeOf<O>) => Poly | number;
  readonly examples: readonly Example<O>[];
}
