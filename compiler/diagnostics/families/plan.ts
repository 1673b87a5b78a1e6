/** Problems of memory planning: code → facts. The prose is in `../render/plan.ts`. */
export interface PlanProblems {
  /** A size without a greatest value: memory cannot be laid out. */
  NN520: { readonly size: string; readonly unit: string };
}
