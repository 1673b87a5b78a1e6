/** Problems of the checker: code → facts. The prose is in `../render/check.ts`. */
import type { Span } from '../../../grammar/ast.ts';

export interface CheckProblems {
  /** A top-level name declared twice. */
  NN701: { readonly name: string; readonly first: Span };
  /** An imported file that does not exist. */
  NN702: { readonly path: string };
  /** An imported name that its file does not declare. */
  NN703: { readonly name: string; readonly path: string; readonly known: readonly string[] };
}
