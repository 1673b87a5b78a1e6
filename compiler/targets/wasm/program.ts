/**
 * A program of the plan as one function `(sizes…, thread, threads)`: calls of kernels with baked addresses, copies, loops. Sizes are the plan's, in
 * its order. All threads run it. Of a kernel that is shared each does its part; what is not shared the first thread does alone. They meet before
 * a step that touches what another thread may have written or may still read since they met last, at a loop's turn, and at the end.
 */
import type { Plan, PlanStep, SizeExpr } from '../../../runtime/plan.ts';
import { evaluateSize } from '../../plan/sizes.ts';
import type { Kernel } from '../../kernel/types.ts';
import type { FunctionBody, Signature, ValueType } from './encoder.ts';
import { Fn } from './function.ts';

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

/** Bytes from start to end, and whether they are written. */
interface Touch {
  readonly from: number;
  readonly to: number;
  readonly writes: boolean;
}

const clash = (a: readonly Touch[], b: readonly Touch[]): boolean =>
  a.some((x) => b.some((y) => (x.writes || y.writes) && x.from < y.to && y.from < x.to));

const isShared = (step: PlanStep, kernels: readonly Callee[]): boolean =>
  step.kind === 'loop'
    ? step.body.some((s) => isShared(s, kernels))
    : step.kind === 'call' && kernels[step.kernel]!.shared;

/** Whether a program has anything for several threads. */
export const isParallel = (steps: readonly PlanStep[], kernels: readonly Callee[]): boolean =>
  steps.some((s) => isShared(s, kernels));

/** `meet`: the function of that name, for a program that threads run together; null: `programSignature`, one thread. */
export function programFunction(
  plan: Plan,
  steps: readonly PlanStep[],
  kernels: readonly Callee[],
  packing: Packing,
  layout: Layout,
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
  const touch = (buffer: number, writes: boolean): Touch => {
    const from = address(buffer);
    return { from, to: from + plan.buffers[buffer]!.bytes, writes };
  };
  const touches = (step: PlanStep): Touch[] => {
    if (step.kind === 'copy') return [touch(step.from, false), touch(step.to, true)];
    if (step.kind === 'loop') {
      const told = [step.limit, step.until].filter((b) => b !== undefined).map((b) => touch(b, false));
      return [...told, ...step.body.flatMap(touches)];
    }
    const { buffers } = kernels[step.kernel]!.kernel;
    return step.buffers.map((b, k) => touch(b, buffers[k]!.access !== 'read'));
  };
  /** Since the last meeting: by all threads, and by the first alone. */
  let byAll: Touch[] = [];
  let byFirst: Touch[] = [];
  const meetNow = (always = false): void => {
    if (meet === null || (!always && byAll.length === 0 && byFirst.length === 0)) return;
    fn.code.get(threads);
    fn.code.i32(1);
    fn.code.op('i32.ne');
    fn.if(() => {
      fn.code.get(thread);
      fn.code.get(threads);
      fn.code.call(meet);
    });
    byAll = [];
    byFirst = [];
  };
  /** Steps of the first thread alone. */
  const alone = (list: readonly PlanStep[]): void => {
    if (list.length === 0) return;
    if (meet === null) return go(list);
    const own = list.flatMap(touches);
    if (clash(own, byAll)) meetNow();
    byFirst.push(...own);
    fn.code.get(thread);
    fn.code.op('i32.eqz');
    fn.if(() => go(list));
  };
  /** Steps of all threads. */
  const together = (list: readonly PlanStep[]): void => {
    let held: PlanStep[] = [];
    for (const step of list) {
      if (!isShared(step, kernels)) {
        held.push(step);
        continue;
      }
      alone(held);
      held = [];
      if (step.kind === 'loop') {
        meetNow();
        pack(step, true);
        loop(
          step,
          () => {
            together(step.body);
            meetNow();
          },
          // Nobody may change what tells the end before all have read it.
          () => meetNow(true),
        );
        continue;
      }
      const own = touches(step);
      if (clash(own, byFirst) || clash(own, byAll)) meetNow();
      byAll.push(...own);
      go([step]);
    }
    alone(held);
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
    for (const b of step.buffers) code.i32(address(b));
    for (const e of step.sizes) push(e);
    for (const length of kernels[step.kernel]!.more) code.i32(length);
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
    if (panels !== null) code.i32(layout.panels + panels);
    code.call(target);
  };
  /** What is packed before a loop: where all threads run it, each its part, and they meet. */
  const pack = (loop: PlanStep, all: boolean): void => {
    const list = packing.before.get(loop) ?? [];
    for (const { call, target, at } of list) invoke(call, target, all, at);
    if (all && list.length > 0) meetNow(true);
  };
  const go = (list: readonly PlanStep[]): void => {
    for (const step of list) {
      const { code } = fn;
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
        case 'copy': {
          const from = plan.buffers[step.from]!;
          if (address(step.to) === address(step.from)) break;
          code.i32(address(step.to));
          code.i32(address(step.from));
          push({ op: 'mul', args: [from.dtype === 'bool' ? 1 : 4, ...from.shape] });
          code.memoryCopy();
          break;
        }
        case 'loop':
          pack(step, false);
          loop(step, () => go(step.body));
          break;
      }
    }
  };
  if (meet === null) go(steps);
  else {
    together(steps);
    meetNow();
  }
  return fn.done();
}
