/** Which choices of a tuning are for a program's kernels: those that are for none are of another program, or of other sizes. */
import type { Kernel } from '../../kernel/types.ts';
import type { Plan } from '../../../runtime/plan.ts';
import { prepareAll } from './emit.ts';
import { tuningKey, type Tuning } from './tuning.ts';

export function tuned(
  plan: Plan,
  kernels: readonly Kernel[],
  tuning: Tuning,
): { readonly keys: ReadonlySet<string>; readonly unfit: ReadonlySet<string> } {
  const { of, choices } = prepareAll(plan, kernels, tuning);
  const keys = kernels.map((k, i) => tuningKey(k, of[i]!));
  return { keys: new Set(keys), unfit: new Set(keys.filter((key, i) => tuning.has(key) && choices[i] === null)) };
}
