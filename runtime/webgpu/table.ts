/** What an emitted module says beside its plan: shaders, which of them every call is, and where in the source things come from. Plain data. */
import type { Plan, SizeExpr } from '../plan.ts';

/** A kernel for one way in which its buffers lie. */
export interface GpuKernel {
  readonly name: string;
  /** The `.nn` place that it comes from. */
  readonly place: string | null;
  readonly code: string;
  /** Slot of each buffer parameter; slots are bindings 1, 2, … (a buffer that is longer than a binding has those that follow, too); -1: it is the kernel's own, in no memory of the plan. */
  readonly slots: readonly number[];
  /** Names of its integer parameters. */
  readonly sizes: readonly string[];
  readonly passes: readonly { readonly entry: string; readonly count: SizeExpr; readonly per: number }[];
  /** Elements of memory in which its passes leave values for each other: one more binding. */
  readonly scratch?: SizeExpr;
  /** Another form of it, for a device with matrix units and so many bytes of workgroup memory. */
  readonly matrix?: Pick<GpuKernel, 'code' | 'passes'> & { readonly bytes: number };
  /** Bytes of workgroup memory, where it takes more than every device has. */
  readonly workgroup?: number;
  /** Bindings of all slots, where some have several. */
  readonly bindings?: number;
  /** Where there are at most so many rows, another kernel of the table computes the same with the same slots. */
  readonly few?: { readonly rows: SizeExpr; readonly most: number; readonly kernel: number };
}

/** Calls one after the other that are one kernel while sizes are small: `first` and `count` are steps of the program, `kernel` a position in the table. */
export interface GpuMergedCalls {
  readonly first: number;
  readonly count: number;
  readonly kernel: number;
  /** Of the plan, one a slot's entry of the kernel. */
  readonly buffers: readonly number[];
  /** All of these sizes are at most so much. */
  readonly within: readonly { readonly value: SizeExpr; readonly most: number }[];
}

/** `calls`: for every call of the plan in order of the text (by program), the position of its GpuKernel. */
export interface GpuProgramTable {
  readonly kernels: readonly GpuKernel[];
  readonly calls: Readonly<Record<string, readonly number[]>>;
  /** By program. */
  readonly merged?: Readonly<Record<string, readonly GpuMergedCalls[]>>;
  readonly origins: GpuOrigins;
  /** Absent: nothing is kept in halves. */
  readonly halves?: GpuHalves;
}

/** What is else on a device with `shader-f16`. */
export interface GpuHalves {
  /** Positions of the buffers whose elements take two bytes. */
  readonly buffers: readonly number[];
  readonly arenas: Plan['arenas'];
  /** Of all buffers. */
  readonly offsets: readonly number[];
  /** Of the programs in which they are others. */
  readonly calls: Readonly<Record<string, readonly number[]>>;
  readonly merged?: GpuProgramTable['merged'];
}

/** `.nn` places of what the device may complain about; null where a module was made without its sources. */
export interface GpuOrigins {
  readonly places: readonly string[];
  /** By program: where its first result is made. Positions in `places`, or -1. */
  readonly programs: Readonly<Record<string, number>>;
  /** By position in `plan.buffers`: where it is declared, or first written. */
  readonly buffers: readonly number[];
}

/** What the program was compiled for: arenas are buffers of at most `buffer` bytes, kernels see at most `binding` of a tensor through a binding. */
export interface GpuCompiledLimits {
  readonly buffer: number;
  readonly binding: number;
  readonly bindings: number;
  readonly workgroup: number;
}
