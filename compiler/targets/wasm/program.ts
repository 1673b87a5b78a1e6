/**
 * A program of the plan as one function `(sizes…, thread, threads)`: calls of kernels with baked addresses, copies, loops. Sizes are the plan's, in
 * its order. All threads run it, and meet where meetings.ts says.
 */
import type { Plan, PlanStep, SizeExpr } from '../../../runtime/plan.ts';
import { evaluateSize } from '../../plan/sizes.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { FunctionBody, Signature, ValueType } from './encoder.ts';
import type { Cut } from './align.ts';
import { Fn } from './function.ts';
import { together, type Parallel, type Together } from './meetings.ts';

export interface Layout {
  /** Byte addresses of the arenas and of the workspace. */
  readonly persistent: number;
  readonly work: number;
  /** Operands that are packed before loops. */
  readonly panels: number;
  readonly workspace: number;
  /** Bytes of workspace a thread. */
  readonly room: number;
}

/** A kernel of the plan as a function. */
export interface Callee {
  readonly target: number;
  readonly kernel: Kernel;
  /** Whether threads share its work. */
  readonly shared: boolean;
  /** What comes after the sizes: lengths of axes, where the function serves several kernels. */
  readonly more: readonly number[];
}

/** Operands packed before loops (hoist.ts): what the calls in the loop are instead, and what comes before it. `at` counts from the panels' beginning. */
export interface Packing {
  readonly calls: ReadonlyMap<PlanStep, { readonly target: number; readonly at: number }>;
  readonly before: ReadonlyMap<
    PlanStep,
    readonly { readonly target: number; readonly at: number; readonly call: Extract<PlanStep, { kind: 'call' }> }[]
  >;
}

/** The program, as JavaScript calls it where it has no threads. */
export const programSignature = (plan: Plan): Signature => ({
  parameters: plan.sizes.map((): ValueType => 'i32'),
  results: [],
});

export const bodySignature = (plan: Plan): Signature => ({
  parameters: [...plan.sizes.map((): ValueType => 'i32'), 'i32', 'i32'],
  results: [],
});

/** `meet`: the function of that name, for a program that threads run together; null: `programSignature`, one thread. */
export function programFunction(
  plan: Plan,
  steps: readonly PlanStep[],
  kernels: readonly Callee[],
  packing: Packing,
  layout: Layout,
  parallel: Parallel,
  meet: number | null,
): FunctionBody {
  const fn = new Fn(meet === null ? programSignature(plan) : bodySignature(plan));
  const [thread, threads] = [plan.sizes.length, plan.sizes.length + 1];
  const names = new Map(plan.sizes.map((s, k) => [s.name, k]));
  const address = (buffer: number): number => {
    const { arena, offset } = plan.buffers[buffer]!;
    return (arena === 'persistent' ? layout.persistent : layout.work) + offset;
  };
  const isConstant = (e: SizeExpr): boolean =>
    typeof e === 'number' || (typeof e === 'object' && e.args.every(isConstant));
  const push = (e: SizeExpr): void => {
    const { code } = fn;
    if (isConstant(e)) return code.i32(evaluateSize(e, () => Number.NaN));
    if (typeof e === 'number') return code.i32(e);
    if (typeof e === 'string') {
      const local = names.get(e);
      if (local === undefined) throw new Error(`${plan.name}: the size ${e} is not known where it is used`);
      return code.get(local);
    }
    if (e.op === 'pow') {
      const result = fn.local('i32');
      code.i32(1);
      code.set(result);
      push(e.args[1]!);
      const count = fn.hold('i32');
      fn.for(0, { local: count }, 1, () => {
        fn.code.get(result);
        push(e.args[0]!);
        fn.code.op('i32.mul');
        fn.code.set(result);
      });
      return code.get(result);
    }
    for (const [k, arg] of e.args.entries()) {
      push(arg);
      if (k === 0) continue;
      if (e.op !== 'floordiv') code.op(e.op === 'add' ? 'i32.add' : 'i32.mul');
      else {
        // Toward minus infinity.
        const b = fn.hold('i32');
        const a = fn.hold('i32');
        code.get(a);
        code.get(b);
        code.op('i32.div_s');
        code.get(a);
        code.get(b);
        code.op('i32.rem_s');
        code.i32(31);
        code.op('i32.shr_s');
        code.op('i32.add');
      }
    }
  };
  const meetNow = (): void => {
    fn.code.get(threads);
    fn.code.i32(1);
    fn.code.op('i32.ne');
    fn.if(() => {
      fn.code.get(thread);
      fn.code.get(threads);
      fn.code.call(meet!);
    });
  };
  /** Steps of all threads. */
  const run = (list: readonly Together[]): void => {
    for (const t of list) {
      switch (t.kind) {
        case 'meet':
          meetNow();
          break;
        case 'alone':
          fn.code.get(thread);
          fn.code.op('i32.eqz');
          fn.if(() => go(t.steps));
          break;
        case 'all':
          if (t.step.kind === 'call') go([t.step]);
          else copy(t.step, parallel.cuts.get(t.step)!);
          break;
        case 'loop':
          pack(t.step, true);
          // Nobody may change what tells the end before all have read it.
          loop(t.step, () => run(t.body), meetNow);
          break;
      }
    }
  };
  const loop = (
    step: Extract<PlanStep, { kind: 'loop' }>,
    inside: () => void,
    told: () => void = () => undefined,
  ): void => {
    push(step.count);
    const count = fn.hold('i32');
    if (step.limit !== undefined) {
      const { code } = fn;
      code.i32(address(step.limit));
      code.access('i32.load', 0);
      const limit = fn.hold('i32');
      code.get(limit);
      code.get(count);
      code.get(limit);
      code.get(count);
      code.op('i32.lt_s');
      code.op('select');
      code.set(count);
      fn.release(limit, 'i32');
      told();
    }
    const body = (variable: number): void => {
      const outer = names.get(step.variable);
      names.set(step.variable, variable);
      inside();
      if (step.until !== undefined) {
        // The count becomes 0 where a round ends the loop.
        fn.code.i32(0);
        fn.code.get(count);
        fn.code.i32(address(step.until));
        fn.code.access('i32.load8_u', 0);
        fn.code.op('select');
        fn.code.set(count);
        told();
      }
      if (outer === undefined) names.delete(step.variable);
      else names.set(step.variable, outer);
    };
    if (step.reversed) fn.down({ local: count }, body);
    else fn.for(0, { local: count }, 1, body);
  };
  /** `panels`: where those of a packed operand are. */
  const invoke = (
    step: Extract<PlanStep, { kind: 'call' }>,
    target: number,
    shared: boolean,
    panels: number | null,
  ): void => {
    const { code } = fn;
    code.i32(layout.workspace);
    if (meet === null || !shared) {
      code.i32(0);
      code.i32(1);
    } else {
      code.get(thread);
      code.i32(layout.room);
      code.op('i32.mul');
      code.op('i32.add');
      code.get(thread);
      code.get(threads);
    }
    for (const e of step.sizes) push(e);
    for (const length of kernels[step.kernel]!.more) code.i32(length);
    for (const b of step.buffers) code.i32(address(b));
    if (panels !== null) code.i32(layout.panels + panels);
    code.call(target);
  };
  /** What is packed before a loop: where all threads run it, each its part, and they meet. */
  const pack = (loop: PlanStep, all: boolean): void => {
    const list = packing.before.get(loop) ?? [];
    for (const { call, target, at } of list) invoke(call, target, all, at);
    if (all && list.length > 0) meetNow();
  };
  /** A whole tensor, or of one that is cut this thread's units. */
  const copy = (step: Extract<PlanStep, { kind: 'copy' }>, cut: Cut | null): void => {
    const { code } = fn;
    const { dtype, shape } = plan.buffers[step.from]!;
    const [to, from] = [address(step.to), address(step.from)];
    if (to === from) return;
    if (cut === null) {
      code.i32(to);
      code.i32(from);
      push({ op: 'mul', args: [dtype === 'bool' ? 1 : 4, ...shape] });
      return code.memoryCopy();
    }
    const bound = (next: number): number => {
      push(shape[0]!);
      code.get(thread);
      code.i32(next);
      code.op('i32.add');
      code.op('i32.mul');
      code.get(threads);
      code.op('i32.div_u');
      code.i32(cut.bytes[0]!);
      code.op('i32.mul');
      return fn.hold('i32');
    };
    const [low, high] = [bound(0), bound(1)];
    for (const at of [to, from]) {
      code.i32(at);
      code.get(low);
      code.op('i32.add');
    }
    code.get(high);
    code.get(low);
    code.op('i32.sub');
    code.memoryCopy();
  };
  const go = (list: readonly PlanStep[]): void => {
    for (const step of list) {
      switch (step.kind) {
        case 'call': {
          const packed = packing.calls.get(step);
          invoke(
            step,
            packed?.target ?? kernels[step.kernel]!.target,
            kernels[step.kernel]!.shared,
            packed?.at ?? null,
          );
          break;
        }
        case 'copy':
          copy(step, null);
          break;
        case 'loop':
          pack(step, false);
          loop(step, () => go(step.body));
          break;
      }
    }
  };
  if (meet === null) go(steps);
  else run(together(parallel, steps));
  return fn.done();
}
