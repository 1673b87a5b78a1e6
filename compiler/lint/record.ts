/**
 * A lint: something that is legal and most often wrong. One record each; the registry lists them, the prose is in `diagnostics/render/`.
 *
 * A lint reads the checked program and reports through the context; it never changes anything and never throws. It speaks only where it knows:
 * what it leaves alone on purpose is said in `avoids`, and a test holds it to that on every example and on the whole library.
 */
import type { LintProblems } from '../diagnostics/families/lint.ts';
import type { Context } from './context.ts';

/** `deny` makes an error of a report, `allow` drops it, `warn` is a warning. */
export type Level = 'allow' | 'warn' | 'deny';

export type LintCode = keyof LintProblems;

export interface Lint {
  readonly code: LintCode;
  /** What people may write in place of the code: `softmax-axis`. */
  readonly name: string;
  readonly level: Level;
  readonly looksFor: string;
  readonly avoids: string;
  /** What it says of a declaration depends on more than that and what it calls: an editor must not repeat it. */
  readonly whole?: boolean;
  readonly run: (c: Context) => void;
}
