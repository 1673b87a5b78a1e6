/**
 * A program of the plan as one function `(sizes…)`: calls of kernels with baked addresses, copies, loops. Sizes are the plan's, in its order.
 */
import type { Plan, PlanStep, SizeExpr } from '../../../runtime/plan.ts';
import { evaluateSize } from '../../plan/sizes.ts';
import type { FunctionBody, Signature, ValueType } from './encoder.ts';
import { Fn } from './function.ts';

export interface Layout {
  /** Byte addresses of the arenas and of the workspace. */
  readonly persistent: number;
  readonly work: number;
  readonly workspace: number;
}

export const programSignature = (plan: Plan): Signature => ({
  parameters: plan.sizes.map((): ValueType => 'i32'),
  results: [],
});

export function programFunction(
  plan: Plan,
  steps: readonly PlanStep[],
  kernels: readonly number[],
  layout: Layout,
): FunctionBody {
  const fn = new Fn(programSignature(plan));
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
  const go = (list: readonly PlanStep[]): void => {
    for (const step of list) {
      const { code } = fn;
      switch (step.kind) {
        case 'call':
          for (const b of step.buffers) code.i32(address(b));
          for (const e of step.sizes) push(e);
          code.i32(layout.workspace);
          code.call(kernels[step.kernel]!);
          break;
        case 'copy': {
          const from = plan.buffers[step.from]!;
          if (address(step.to) === address(step.from)) break;
          code.i32(address(step.to));
          code.i32(address(step.from));
          push({ op: 'mul', args: [from.dtype === 'bool' ? 1 : 4, ...from.shape] });
          code.memoryCopy();
          break;
        }
        case 'loop': {
          push(step.count);
          const count = fn.hold('i32');
          if (step.limit !== undefined) {
            const limit = fn.local('i32');
            code.i32(address(step.limit));
            code.access('i32.load', 0);
            code.set(limit);
            code.get(limit);
            code.get(count);
            code.get(limit);
            code.get(count);
            code.op('i32.lt_s');
            code.op('select');
            code.set(count);
            fn.release(limit, 'i32');
          }
          const body = (variable: number): void => {
            const outer = names.get(step.variable);
            names.set(step.variable, variable);
            go(step.body);
            if (step.until !== undefined) {
              // The count becomes 0 where a round ends the loop.
              fn.code.i32(0);
              fn.code.get(count);
              fn.code.i32(address(step.until));
              fn.code.access('i32.load8_u', 0);
              fn.code.op('select');
              fn.code.set(count);
            }
            if (outer === undefined) names.delete(step.variable);
            else names.set(step.variable, outer);
          };
          if (step.reversed) fn.down({ local: count }, body);
          else fn.for(0, { local: count }, 1, body);
          break;
        }
      }
    }
  };
  go(steps);
  return fn.done();
}
