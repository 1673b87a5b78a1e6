/**
 * What the parser can complain about: code → facts. The prose is in `compiler/diagnostics/render/syntax.ts`.
 *
 * `grammar/` stands below the compiler, so `SyntaxProblem` is declared here in the shape of the compiler's `Problem`, to which it is
 * assignable.
 */
import type { Span } from './ast.ts';
import type { Place } from './place.ts';

export interface SyntaxProblems {
  /** A character that begins no token. */
  NN001: { readonly character: string; readonly hint: string | null };
  /** A string without its closing quote on the line. */
  NN002: { readonly text: string };
  /** A bracket that nothing closes. `before` is what closed it for recovery; null at the end of the file. */
  NN003: {
    readonly open: string;
    readonly close: string;
    readonly before: Span | null;
    /** A comment that begins within it on its line: perhaps meant as a division. */
    readonly comment?: boolean;
  };
  /** A closing bracket that nothing opened. */
  NN004: { readonly close: string };
  /** `(` closed by `]` and the like. */
  NN005: { readonly open: string; readonly opener: Span; readonly found: string; readonly expected: string };
  /** Something else was expected. `after` is the word or sign before the place. */
  NN006: {
    readonly expected: string;
    readonly found: string;
    readonly after: string | null;
    readonly hint: string | null;
  };
  /** A line that begins with an operator continues the one before, and must be indented deeper. */
  NN007: { readonly operator: string };
  /** `=-` written together: `= -x`, or `-= x`? */
  NN008: Readonly<Record<never, never>>;
  /** A sum on the left of `|>` without parentheses. */
  NN009: { readonly operator: string };
  /** A minus directly after the bracket of a reduction. */
  NN010: { readonly reduction: string };
  /** `^` directly before a reduction. */
  NN011: { readonly reduction: string };
  /** `a < b < c`. */
  NN012: { readonly first: string; readonly second: string };
  /** A reserved word where a name belongs. */
  NN013: { readonly word: string };
  /** What follows `|>` is neither a name nor a call. */
  NN014: { readonly found: string };
  /** The left side of `=` cannot be assigned to. */
  NN015: { readonly operator: string };
  /** A statement that does not belong into this kind of body. */
  NN016: { readonly statement: string; readonly place: string };
  /** A declaration's body without its opening brace. */
  NN017: { readonly kind: string; readonly name: string };
  /** A label before something that takes none. */
  NN018: { readonly label: string };
  /** A number written in a form that `.nn` does not have. */
  NN019: { readonly text: string };
  /** A sign of another language with the one that `.nn` uses for it. */
  NN020: { readonly found: string; readonly use: string };
  /** Text at file level that begins no declaration. */
  NN021: { readonly found: string; readonly suggestion: string | null; readonly hint: string | null };
  /** An escape sequence that strings do not have. */
  NN022: { readonly escape: string };
  /** A pipeline as an operand without parentheses: `x |> f + y`. */
  NN023: { readonly operator: string };
}

export type SyntaxCode = keyof SyntaxProblems;

export interface SyntaxEdit {
  readonly span: Span;
  readonly text: string;
}

export interface SyntaxFix {
  readonly title: string;
  readonly edits: readonly SyntaxEdit[];
  readonly applicability: 'always' | 'maybe' | 'placeholder' | 'unknown';
}

export type SyntaxProblem<C extends SyntaxCode = SyntaxCode> = {
  [K in C]: {
    readonly code: K;
    readonly span: Span;
    readonly data: SyntaxProblems[K];
    readonly fixes: readonly SyntaxFix[];
  };
}[C];

/** Collects the problems of one file. Code and facts are checked against each other at the call. */
export class SyntaxReporter {
  readonly problems: SyntaxProblem[] = [];
  readonly file: number;
  private readonly place: Place | null;

  constructor(file: number, place: Place | null = null) {
    this.file = file;
    this.place = place;
  }

  /** Recovery can leave the parts of a damaged statement out of order; a span never runs backwards. */
  span(start: number, end: number): Span {
    const [from, to] = [Math.min(start, end), Math.max(start, end)];
    return this.place?.span(from, to) ?? { file: this.file, start: from, end: to };
  }

  add<C extends SyntaxCode>(
    code: C,
    start: number,
    end: number,
    data: SyntaxProblems[C],
    fixes: readonly SyntaxFix[] = [],
  ): void {
    this.problems.push({ code, span: this.span(start, end), data, fixes } as unknown as SyntaxProblem);
  }
}
