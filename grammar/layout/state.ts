/**
 * Where the layout pass stands: the open brackets and bodies, the current statement and line, and what has been given out. Everything that
 * changes them in more than one of the pass's parts is a method here; the rules themselves stand in `lines.ts`, `words.ts` and `brackets.ts`.
 */
import type { IToken, TokenType } from 'chevrotain';
import { end, start } from '../lookahead.ts';
import type { SyntaxReporter } from '../problems.ts';
import * as T from '../tokens.ts';

export interface Slice {
  /** Does a declaration word lead it? If not, the text belongs to no declaration. */
  readonly declaration: boolean;
  readonly tokens: IToken[];
}

export type BodyKind = 'code' | 'train' | 'checkpoint' | 'edits';

type DeclarationKind = 'callable' | 'train' | 'checkpoint' | 'other' | 'none';

export interface Frame {
  readonly opener: IToken;
  readonly close: TokenType;
  /** Null for ( and [. */
  readonly body: BodyKind | null;
  readonly reduction: boolean;
  /** Column of the line on which it was opened, and the indentation of the statement around it. */
  readonly lineIndent: number;
  readonly outerIndent: number;
}

export class LayoutState {
  readonly text: string;
  readonly raw: readonly IToken[];
  readonly report: SyntaxReporter;
  readonly slices: Slice[] = [];
  readonly boundaries: number[] = [];
  readonly frames: Frame[] = [];
  out: IToken[] = [];
  declaration: DeclarationKind = 'none';
  /** Has the callable's `{` or `=` been seen? */
  bodySeen = false;
  atStart = true;
  separatorPending = false;
  previousIsOperand = false;
  previousType: TokenType | null = null;
  previousEnd = 0;
  statementIndent = 0;
  /** The first token of the current statement. */
  statementHead: TokenType | null = null;
  /** A `repeat`, `if`, `else` or `scan` whose body has not begun. */
  headerOpen: IToken | null = null;
  lineStart = 0;
  lineIndent = 0;
  /** The opening of the virtual body brace, so that its missing end is not reported as well. */
  readonly virtualOpeners = new Set<IToken>();

  constructor(text: string, raw: readonly IToken[], report: SyntaxReporter) {
    this.text = text;
    this.raw = raw;
    this.report = report;
  }

  declares(): boolean {
    return this.declaration !== 'other' && this.declaration !== 'none';
  }

  innerBody(): BodyKind | 'file' {
    for (let k = this.frames.length - 1; k >= 0; k--) {
      const body = this.frames[k]!.body;
      if (body !== null && body !== 'edits') return body;
    }
    return 'file';
  }

  beginStatement(): void {
    this.atStart = true;
    this.headerOpen = null;
    this.separatorPending = false;
    this.previousIsOperand = false;
    this.previousType = null;
  }

  cut(): void {
    if (this.out.length > 0) {
      this.slices.push({
        declaration: this.declaration !== 'none',
        tokens: this.out,
      });
      this.boundaries.push(this.previousEnd);
    }
    this.out = [];
    this.declaration = 'none';
    this.bodySeen = false;
    this.beginStatement();
  }

  emit(token: IToken, operand: boolean): void {
    if (this.atStart) {
      this.statementIndent = this.lineIndent;
      this.statementHead = token.tokenType;
      this.atStart = false;
      if (this.frames.length === 0) this.declaration = declarationKind(token.tokenType);
    }
    const type = token.tokenType;
    if (type === T.LBrace) this.headerOpen = null;
    else if (type === T.Repeat || type === T.If || type === T.Scan) this.headerOpen = token;
    else if (type === T.Else && this.previousType === T.RBrace && this.statementHead === T.If) this.headerOpen = token;
    this.out.push(token);
    this.previousType = type;
    this.previousIsOperand = operand;
    this.previousEnd = end(token);
  }

  open(token: IToken, close: TokenType, body: BodyKind | null, lineIndent = this.lineIndent): void {
    const reduction = this.previousType === T.Reduction;
    this.emit(token, false);
    this.frames.push({
      opener: token,
      close,
      body,
      reduction,
      lineIndent,
      outerIndent: this.statementIndent,
    });
    if (close === T.RBrace) this.boundaries.push(start(token));
  }

  pop(token: IToken): void {
    const frame = this.frames.pop()!;
    this.separatorPending = false;
    // A reduction's bracket is followed by its operand, not by a joining word.
    this.atStart = false;
    this.emit(token, !frame.reduction);
    if (frame.close === T.RBrace) {
      this.boundaries.push(start(token));
      this.statementIndent = frame.outerIndent;
    }
  }

  bodyKind(): BodyKind {
    if (this.frames.length > 0) return 'code';
    this.bodySeen = true;
    return this.declaration === 'train' || this.declaration === 'checkpoint' ? this.declaration : 'code';
  }
}

function declarationKind(type: TokenType): DeclarationKind {
  if (type === T.CallableWord) return 'callable';
  if (type === T.TrainWord) return 'train';
  if (type === T.CheckpointWord || type === T.StorageWord) return 'checkpoint';
  return type === T.Const || type === T.Import ? 'other' : 'none';
}
