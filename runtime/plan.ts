/**
 * The plan: the fourth representation, and all that a runtime needs to know beside the kernels' code. Plain JSON.
 *
 * A plan has arenas of bytes, buffers at fixed offsets in them (computed at the declared bounds of the sizes), and for every program a tree of
 * steps. The runtime owns these types: they say what it can run; the compiler imports them.
 */

export type PlanDType = 'f32' | 'f16' | 'i32' | 'bool';

/**
 * How a buffer keeps f32 values in fewer bytes: as half precision numbers, as signed integers of 8 bits, or as two integers of 4 bits a byte (the even
 * element low, 8 added). Integers are multiples of a scale, which is a buffer of its own.
 */
export type Storage = 'f16' | 'i8' | 'i4';

/** Arithmetic over run-time sizes (and loop variables). */
export type SizeExpr =
  number | string | { readonly op: 'add' | 'mul' | 'floordiv' | 'pow'; readonly args: readonly SizeExpr[] };

export interface PlanSize {
  readonly name: string;
  /** Greatest value for which this plan has room. */
  readonly bound: number;
}

export interface PlanBuffer {
  readonly name: string;
  readonly dtype: PlanDType;
  /** Sizes as expressions; row-major. */
  readonly shape: readonly SizeExpr[];
  /** `persistent`: parameters, states, slots, carries. `work`: data, temporaries and outputs of a call, reused. */
  readonly arena: 'persistent' | 'work';
  /** Byte offset in its arena; a multiple of 64. */
  readonly offset: number;
  /** Bytes at the bounds. */
  readonly bytes: number;
  readonly kind: 'data' | 'persistent' | 'temporary' | 'output' | 'scalar';
  /** Path of the persistent leaf, or name of the data input, scalar or output. */
  readonly leaf: string | null;
  /** Absent: as its type says. */
  readonly storage?: Storage;
}

export type PlanStep =
  /** `kernel` and `buffers` are positions in the plan's tables. */
  | {
      readonly kind: 'call';
      readonly kernel: number;
      readonly buffers: readonly number[];
      readonly sizes: readonly SizeExpr[];
    }
  | {
      readonly kind: 'loop';
      readonly variable: string;
      readonly count: SizeExpr;
      readonly reversed: boolean;
      /** Buffer of a bool: after a round that makes it true no other runs. */
      readonly until?: number;
      /** Buffer of an i32: rounds from it on do not run. */
      readonly limit?: number;
      readonly body: readonly PlanStep[];
    }
  | { readonly kind: 'copy'; readonly from: number; readonly to: number };

/** How a size follows from the length of an input: length = (scale · size + offset) · the extents of the other axes, which are known by then. */
export interface PlanInference {
  readonly size: string;
  readonly input: string;
  readonly axis: number;
  readonly scale: number;
  readonly offset: number;
}

export interface PlanProgram {
  readonly name: string;
  readonly steps: readonly PlanStep[];
  /** Data inputs and scalars (`seed`, `step`) that this program reads: name → buffer. */
  readonly inputs: Readonly<Record<string, number>>;
  /** Plain results; updates of persistent leaves are not among them. */
  readonly outputs: Readonly<Record<string, number>>;
  /** Sizes that follow from input lengths, in an order in which each can be computed. */
  readonly infer: readonly PlanInference[];
  /** Sizes that the caller must give. */
  readonly required: readonly string[];
}

export interface PlanInput {
  readonly name: string;
  readonly dtype: PlanDType;
  readonly shape: readonly SizeExpr[];
  readonly below: SizeExpr | null;
}

export interface PlanLeaf {
  readonly path: string;
  readonly kind: 'param' | 'state' | 'slot' | 'carry';
  readonly dtype: PlanDType;
  readonly shape: readonly SizeExpr[];
  readonly buffer: number;
  /**
   * Absent: as its type says. `scales`: the buffer with one scale for every `group` elements in row-major order; null for f16. `turned`: of i4 in this program's memory, the
   * first bit of every word of four elements is the other one.
   */
  readonly stored?: {
    readonly as: Storage;
    readonly group: number;
    readonly scales: number | null;
    readonly turned?: boolean;
  };
}

export interface PlanRequirement {
  readonly left: SizeExpr;
  readonly relation: '==' | '!=' | '<' | '<=' | 'divides';
  readonly right: SizeExpr;
  readonly message: string;
  /** The only program that it is required for; absent: all. */
  readonly program?: string;
}

/** What the source says about training; options of `fit` win over it. */
export interface PlanTraining {
  /** `parts`: a step goes through its batch in so many equal parts. */
  readonly batch: { readonly size: string; readonly value: number; readonly parts?: number } | null;
  readonly epochs: number | null;
  readonly split: number | null;
  readonly patience: number | null;
  /** Cross-validation in so many parts. */
  readonly folds?: number;
  /** So many trainings from different seeds. */
  readonly runs?: number;
}

/** Which tensor of another file a leaf is: rows over the same letters, in another order. */
export interface PlanLeafMap {
  readonly ours: string;
  readonly theirs: string;
  /** Extents of the letters, in our order. */
  readonly extents: readonly number[];
  /** The letters in their order, as positions in ours. */
  readonly order: readonly number[];
  /** Theirs. */
  readonly shape: readonly number[];
}

export interface PlanCheckpoint {
  readonly name: string;
  /** Leaves that are not here have the same name and layout on both sides. */
  readonly leaves: readonly PlanLeafMap[];
}

export interface Plan {
  readonly name: string;
  readonly kind: 'model' | 'train';
  readonly training: PlanTraining | null;
  readonly sizes: readonly PlanSize[];
  readonly arenas: { readonly persistent: number; readonly work: number };
  readonly buffers: readonly PlanBuffer[];
  readonly leaves: readonly PlanLeaf[];
  readonly inputs: readonly PlanInput[];
  readonly requirements: readonly PlanRequirement[];
  /** Kernel function names, by position. */
  readonly kernels: readonly string[];
  readonly programs: Readonly<Record<string, PlanProgram>>;
  /** Names and layouts of other files, where the source has any. */
  readonly checkpoints?: readonly PlanCheckpoint[];
}
