/** Problems of memory planning: code → facts. The prose is in `../render/plan.ts`. */
import type { Span } from '../../../grammar/ast.ts';

export interface PlanProblems {
  /** A size without a greatest value: memory cannot be laid out. */
  NN520: { readonly size: string; readonly unit: string };
  /** A program that takes more than it may, whatever is computed again. */
  NN530: {
    readonly unit: string;
    readonly program: string;
    readonly bound: number;
    /** The least that was found, with what is kept between calls. */
    readonly least: number;
    readonly persistent: number;
    /** What lies in memory at once where most is needed, largest first. */
    readonly largest: readonly { readonly name: string; readonly bytes: number; readonly span: Span | null }[];
  };
}
