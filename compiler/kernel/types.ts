/**
 * Kernels: loops and scalars. The third of the four representations. Types only.
 *
 * A kernel is a list of stages with named values over free and reduced axes; how it is looped is its schedule, which is plain data. Movement ops
 * have disappeared into index arithmetic: a read has one linear element offset (a polynomial over axes, size parameters and dynamic
 * indices) and guards. Scalar expressions are a hash-consed DAG.
 */
import type { DType } from '../graph/types.ts';
import type { OriginId } from '../graph/origin.ts';
import type { Poly } from '../sizes/poly.ts';
import type { Storage } from '../../runtime/plan.ts';

/** Everything a target must be able to compute on scalars; `tsc` names the missing line of a target (`satisfies Record<ScalarOp, …>`). */
export type ScalarOp =
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
  /**
   * Conversions; the expression's dtype is the target. f32→i32 truncates toward zero; to bool: ≠ 0; to f16: rounds to nearest even. f32→f32
   * rounds what a wider register holds to f32 (`Math.fround`; nothing to do where registers are f32): equal values must stay equal whether
   * they come from a buffer or a register.
   */
  | 'cast'
  /** (seed i32, stream i32, step i32, position i32, word i32) → f32 in [0, 1). */
  | 'random';

/** Inside when lo ≤ e < hi. */
export interface Guard {
  readonly e: Poly;
  readonly lo: Poly;
  readonly hi: Poly;
}

/** `id` is the interning number: equal expressions are the same object. */
export type Expr = { readonly id: number; readonly dtype: DType } & (
  | {
      readonly kind: 'read';
      /** Position in `Kernel.buffers`. */
      readonly buffer: number;
      /** Element offset. May mention `dynamic` names. */
      readonly at: Poly;
      /** Integer expressions that `at` and `guards` mention by name (data-dependent indices). */
      readonly dynamic: readonly { readonly name: string; readonly value: Expr }[];
      /** All must hold, or the read is `otherwise` (never null when there are guards). */
      readonly guards: readonly Guard[];
      readonly otherwise: Expr | null;
    }
  /** A value that a stage of this kernel defined (a reduction's result, or a shared scalar). */
  | { readonly kind: 'value'; readonly name: string }
  /** A polynomial over axes and sizes as an i32. */
  | { readonly kind: 'index'; readonly at: Poly }
  | { readonly kind: 'const'; readonly value: number }
  /** One of the branches by guards on indices only (no data): lets a target peel borders. */
  | { readonly kind: 'guarded'; readonly guards: readonly Guard[]; readonly inside: Expr; readonly outside: Expr }
  | { readonly kind: 'op'; readonly op: ScalarOp; readonly args: readonly Expr[] }
);

export type Combine = 'sum' | 'max' | 'min' | 'prod' | 'any' | 'all';

/**
 * With `op`: the reduction of `value` over the stage's `over` axes, begun at `init` or the identity. Without: a plain named value; it belongs
 * inside the reduced loops if it mentions an `over` axis (itself or through other plain values), after them if it mentions a reduced value of
 * its stage, else before them (`levels` in levels.ts tells). In a stage with an `order`, a reduced name used by a plain value inside or by
 * `each` is the running value, the current point included.
 */
export type Def =
  | { readonly op: Combine; readonly init: Expr | null; readonly value: Expr }
  /** The first position (i32, the linear position over `over`) of the greatest `value`. */
  | { readonly op: 'argmax'; readonly init: null; readonly value: Expr }
  | { readonly op: null; readonly value: Expr };

export interface Write {
  readonly buffer: number;
  readonly at: Poly;
  readonly dynamic: readonly { readonly name: string; readonly value: Expr }[];
  /** Outside: nothing is written. */
  readonly guards: readonly Guard[];
  readonly value: Expr;
  /** `store`, or combine with what is there (scatter; such a stage runs in order on one thread unless a target has atomics). */
  readonly mode: 'store' | 'add' | 'max';
}

export interface Stage {
  readonly name: string;
  /** Free axes, outermost first. */
  readonly axes: readonly string[];
  /** Reduced axes. */
  readonly over: readonly string[];
  /** Several share the loops. In order: a def may use earlier values of this stage only if it is not reduced. */
  readonly defs: ReadonlyMap<string, Def>;
  /** At every point of axes × over. */
  readonly each: readonly Write[];
  /** At every point of axes, after the reduction. */
  readonly writes: readonly Write[];
  /** A loop-carried order: the stage's `over` axes run in order (prefix scans). 'forward' or 'backward'; null: no order is asked for. */
  readonly order: 'forward' | 'backward' | null;
}

export interface BufferParameter {
  readonly name: string;
  readonly dtype: DType;
  readonly access: 'read' | 'write' | 'readwrite';
  /** Kept in fewer bytes, and only read: an element is the f32 that its bits stand for, without a scale. Absent: as `dtype` says. */
  readonly storage?: Storage;
  /** Where the scale of a stored element is: which buffer, and the elements that share one, in row-major order. */
  readonly scale?: { readonly buffer: number; readonly group: number };
  /** For comments and messages: `[B, T, D]`. */
  readonly sizes: readonly Poly[];
  /**
   * Belongs to one point of the kernel's rows: written and read at that point only, and nonsense at the next. It has room for one point; who computes
   * several points at once needs as many of it. Nobody outside the kernel reads it.
   */
  readonly row?: true;
}

/** Part of an axis that is no row, at a point of the rows: from the greatest of `from` and 0 to the least of `to` and the extent. */
export interface Span {
  readonly from: readonly Poly[];
  readonly to: readonly Poly[];
}

export interface Kernel {
  /** Readable and unique: `linear_relu_2`. */
  readonly name: string;
  /** Integer parameters: size names, loop variables of enclosing scans. */
  readonly sizes: readonly string[];
  readonly buffers: readonly BufferParameter[];
  /** Extent of every axis. */
  readonly axes: ReadonlyMap<string, Poly>;
  /**
   * Free axes that every stage has, to be looped outside of all stages: a stage reads what earlier stages wrote or named at the same point of
   * the rows only. Absent or empty: the stages run one after the other.
   */
  readonly rows?: readonly string[];
  /**
   * Places outside need not be visited: nothing depends on them. All stages leave them out, or all visit them (or some of them): what one stage left in a
   * row's own buffer another reads.
   */
  readonly spans?: ReadonlyMap<string, Span>;
  readonly stages: readonly Stage[];
  readonly origin: OriginId;
  /** Why each written value was materialised (`nnc explain --fusion`), by buffer position. */
  readonly reasons: ReadonlyMap<number, Reason>;
}

export type Reason =
  | 'output'
  | 'reduction'
  | 'opaque'
  | 'costly and shared'
  | 're-read along a broadcast axis'
  | 'binding limit'
  /** A row of a matrix, kept within its kernel. */
  | 'row of a matrix'
  /** A large product that could be kept within kernels, but something needs it whole. */
  | 'needed whole'
  | 'loop carried'
  /** Fusion is off (the test oracle), or the chain of inlined values grew too long. */
  | 'not fused';

// -------------------------------------------------------------------------------------------------------------------- schedules

export interface Schedule {
  readonly parallel: string | null;
  readonly body: readonly ScheduleNode[];
}

export type ScheduleNode =
  | { readonly kind: 'loop'; readonly axis: string; readonly step: number; readonly body: readonly ScheduleNode[] }
  | {
      readonly kind: 'stage';
      readonly stage: string;
      /** Loop order of the axes not looped by enclosing nodes, outermost first. */
      readonly order: readonly string[];
      /** Register tile: points of these axes computed together, in local accumulators. */
      readonly tile: ReadonlyMap<string, number>;
      readonly unroll: number;
    };

// ------------------------------------------------------------------------------------------------ programs before memory planning

export type BufferKind = 'data' | 'persistent' | 'temporary' | 'output' | 'scalar';

/** A whole tensor in memory, row-major. */
export interface Buffer {
  readonly id: number;
  readonly name: string;
  readonly kind: BufferKind;
  readonly dtype: DType;
  readonly sizes: readonly Poly[];
  /** Path of the persistent leaf, or name of the data input, scalar or output. */
  readonly leaf: string | null;
  readonly origin: OriginId;
  readonly storage?: Storage;
}

export type KernelStep =
  | {
      readonly kind: 'call';
      readonly kernel: Kernel;
      readonly schedule: Schedule;
      /** Buffer ids, one a kernel buffer parameter. */
      readonly buffers: readonly number[];
      /** What each of the kernel's size parameters is here (equal to its name where nothing was renamed). */
      readonly sizes: readonly Poly[];
      readonly origin: OriginId;
    }
  | {
      readonly kind: 'loop';
      readonly variable: string;
      readonly count: Poly;
      readonly reversed: boolean;
      /** A bool scalar: after a round that makes it true no other runs. */
      readonly until: number | null;
      /** An i32 scalar: rounds from it on do not run. */
      readonly limit: number | null;
      readonly body: readonly KernelStep[];
      readonly origin: OriginId;
    }
  /** Whole tensors of one type. */
  | { readonly kind: 'copy'; readonly from: number; readonly to: number; readonly origin: OriginId };

/**
 * An elementwise value that several places want: what it costs to compute it at each of them, and to store it once and read it there. In the units of
 * fuse/cost.ts; sizes known at run time are taken as there.
 */
export interface Weighing {
  readonly value: string;
  readonly dtype: DType;
  readonly sizes: readonly Poly[];
  readonly origin: OriginId;
  /** Loop nests that would compute it. */
  readonly places: number;
  readonly elements: number;
  /** Elements that those ask for. */
  readonly wanted: number;
  /** Of computing one element. */
  readonly cost: number;
  readonly again: number;
  readonly stored: number;
  /** null: it is computed again. */
  readonly reason: Reason | null;
}

/** How a graph came to be kernels (`nnc explain --fusion`). */
export interface Fusing {
  /** In the order of the graph. */
  readonly weighed: readonly Weighing[];
  /** Elementwise values that have no memory: computed where they are used. */
  readonly inlined: readonly { readonly dtype: DType; readonly sizes: readonly Poly[] }[];
}

export interface KernelProgram {
  readonly name: string;
  /** Absent where the program was not made from a graph. */
  readonly fusing?: Fusing;
  readonly buffers: readonly Buffer[];
  readonly steps: readonly KernelStep[];
  /** Result name → buffer; `updates` as in the graph. A persistent update is written by `steps` (directly or by a last copy). */
  readonly outputs: readonly { readonly name: string; readonly buffer: number; readonly updates: string | null }[];
}
