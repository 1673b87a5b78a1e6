/** The method by which schedules hear of a validation, in the class of a unit that has such schedules. What the lines are is each target's. */
import type { Plan } from '../../runtime/plan.ts';

export interface ValidatedMethod {
  readonly comment: string;
  readonly body: readonly string[];
}

/** None where no schedule goes by validations. `put`: how the loss gets into its buffer; `run`: how the program is run. */
export function validated(plan: Plan, put: (buffer: number) => string, run: string): ValidatedMethod[] {
  const program = plan.programs['validated'];
  if (program === undefined) return [];
  const buffer = program.inputs['validation_loss'];
  const lines = buffer === undefined ? [] : [put(buffer)];
  return [
    { comment: 'Tells the schedules the loss of a validation; `fit` does so after each.', body: [...lines, run] },
  ];
}
