/**
 * The pass between lexer and parser: it ends statements, gives words their meaning by place, and balances brackets.
 *
 * 1. Statements end at a newline or `;`. A newline ends none inside ( ) or [ ], after an infix operator when the next line is deeper, or
 *    before one; `(`, `[` and `-` never continue a line.
 * 2. Soft words (`model`, `param`, `over`, …) become keywords only where they lead or join something.
 * 3. Damage is bounded: a statement word closes open ( and [, a declaration word in column 1 closes everything, a `}` is matched with the
 *    help of its indentation. What leaves this pass has balanced brackets, so that one wrong statement cannot swallow its neighbours.
 *
 * The result is one list of tokens a declaration. This pass knows nothing of expressions.
 */
import { createTokenInstance, type IToken, type TokenType } from 'chevrotain';
import { trainSynonyms } from './habits.ts';
import type { SyntaxFix, SyntaxReporter } from './problems.ts';
import {
  assigns,
  end,
  isGroup,
  isLeaf,
  isUntil,
  leadsDeclaration,
  leadsStatement,
  placed,
  retype,
  start,
} from './lookahead.ts';
import * as T from './tokens.ts';

export interface Slice {
  /** Does a declaration word lead it? If not, the text belongs to no declaration. */
  readonly declaration: boolean;
  readonly tokens: IToken[];
}

export interface Layout {
  readonly slices: readonly Slice[];
  /** Offsets of separators and braces in ascending order: two places between the same ones are in one statement. */
  readonly boundaries: readonly number[];
}

type BodyKind = 'code' | 'train' | 'checkpoint' | 'edits';

interface Frame {
  readonly opener: IToken;
  readonly close: TokenType;
  /** Null for ( and [. */
  readonly body: BodyKind | null;
  readonly reduction: boolean;
  /** Column of the line on which it was opened, and the indentation of the statement around it. */
  readonly lineIndent: number;
  readonly outerIndent: number;
}

const closeImage = new Map<TokenType, string>([
  [T.RParen, ')'],
  [T.RBracket, ']'],
  [T.RBrace, '}'],
]);

/** A line that begins with one of these continues the line before. */
const leading = new Set<TokenType>([
  T.Pipe, T.Plus, T.Star, T.Slash, T.Percent, T.Caret, T.EqualEqual, T.NotEqual, T.LessEqual, T.GreaterEqual, T.Less,
  T.Greater, T.Dot, T.Comma, T.Arrow, T.Equal, T.PlusEqual, T.MinusEqual, T.StarEqual, T.SlashEqual, T.LBrace,
]); // prettier-ignore
const leadingWords = new Set(['where', 'else', 'and', 'or']);

/** After one of these a deeper line continues. */
const trailing = new Set<TokenType>([
  ...[...leading].filter((type) => type !== T.LBrace),
  T.Minus, T.Colon, T.Where, T.Else, T.And, T.Or, T.Not, T.Let, T.Return, T.Yield, T.Require, T.If, T.Repeat, T.Scan,
  T.Over, T.Along, T.In, T.As, T.For, T.With, T.From, T.Every, T.Const, T.Import, T.CallableWord, T.Minimize, T.LeafWord,
]); // prettier-ignore

const operandEnds = new Set<TokenType>([
  T.Name,
  T.NumberLiteral,
  T.StringLiteral,
  T.RParen,
  T.RBracket,
  T.RBrace,
  T.True,
  T.False,
]);

export function layout(text: string, tokens: readonly IToken[], report: SyntaxReporter): Layout {
  return new LayoutPass(text, tokens, report).run();
}

class LayoutPass {
  private readonly text: string;
  private readonly raw: readonly IToken[];
  private readonly report: SyntaxReporter;
  private readonly slices: Slice[] = [];
  private readonly boundaries: number[] = [];
  private readonly frames: Frame[] = [];
  private out: IToken[] = [];
  private declaration: 'callable' | 'train' | 'checkpoint' | 'other' | 'none' = 'none';
  /** Has the callable's `{` or `=` been seen? */
  private bodySeen = false;
  private atStart = true;
  private separatorPending = false;
  private previousIsOperand = false;
  private previousType: TokenType | null = null;
  private previousEnd = 0;
  private statementIndent = 0;
  /** The first token of the current statement. */
  private statementHead: TokenType | null = null;
  /** A `repeat`, `if`, `else` or `scan` whose body has not begun. */
  private headerOpen: IToken | null = null;
  private lineStart = 0;
  private lineIndent = 0;
  /** The opening of the virtual body brace, so that its missing end is not reported as well. */
  private readonly virtualOpeners = new Set<IToken>();

  constructor(text: string, raw: readonly IToken[], report: SyntaxReporter) {
    this.text = text;
    this.raw = raw;
    this.report = report;
  }

  run(): Layout {
    for (let i = 0; i < this.raw.length; i++) {
      const token = this.raw[i]!;
      if (this.beginsLine(token)) this.newLine(token, i);
      i = this.place(token, i);
    }
    this.closeAll(0, null);
    this.cut();
    return { slices: this.slices, boundaries: this.boundaries };
  }

  // ------------------------------------------------------------------------------------------------------------------- lines

  private beginsLine(token: IToken): boolean {
    const from = this.previousEnd;
    const breakAt = this.text.lastIndexOf('\n', start(token) - 1);
    if (breakAt < from && !(from === 0 && this.previousType === null)) return false;
    this.lineStart = breakAt + 1;
    this.lineIndent = start(token) - this.lineStart;
    return true;
  }

  private newLine(token: IToken, i: number): void {
    const column = this.lineIndent;
    if (this.frames.length > 0 && column === 0 && leadsDeclaration(this.raw, i)) {
      this.closeAll(0, token);
      this.cut();
      return;
    }
    const top = this.frames.at(-1);
    if (top !== undefined && (top.body === null || top.body === 'edits')) {
      if (!leadsStatement(this.raw, i, column <= this.statementIndent, this.innerBody() === 'train')) return;
      this.closeToBody(token);
    }
    if (this.atStart) return;
    const type = token.tokenType;
    if (type === T.RBrace || type === T.Semicolon) return;
    if (leading.has(type) || leadingWords.has(token.image)) {
      const free =
        type === T.LBrace || (token.image === 'else' && this.previousType === T.RBrace) || this.frames.length === 0;
      if (!free && column <= this.statementIndent) {
        this.report.add('NN007', start(token), end(token), { operator: token.image }, [
          {
            title: 'indent the continuation',
            edits: [
              { span: this.report.span(this.lineStart, start(token)), text: ' '.repeat(this.statementIndent + 2) },
            ],
            applicability: 'always',
          },
        ]);
      }
      return;
    }
    if (
      this.previousType !== null &&
      trailing.has(this.previousType) &&
      column > this.statementIndent &&
      !leadsStatement(this.raw, i, column <= this.statementIndent, this.innerBody() === 'train')
    ) {
      return;
    }
    const bodiless = this.frames.length === 0 ? this.declares() && !this.bodySeen : this.headerOpen;
    if (bodiless && column > this.statementIndent) {
      this.openBodyFor(token);
      return;
    }
    this.separatorPending = true;
  }

  private declares(): boolean {
    return this.declaration !== 'other' && this.declaration !== 'none';
  }

  private openBodyFor(token: IToken): void {
    const from =
      this.out.findLastIndex((earlier) => earlier.tokenType === T.Separator || earlier.tokenType === T.LBrace) + 1;
    const head = this.out[from];
    const name = this.frames.length === 0 ? this.out[1] : undefined;
    this.report.add(
      'NN017',
      head === undefined ? start(token) : start(head),
      name === undefined ? this.previousEnd : end(name),
      { kind: this.headerOpen?.image ?? head?.image ?? 'block', name: name?.image ?? '' },
      [
        {
          title: 'add the opening brace',
          edits: [{ span: this.report.span(this.previousEnd, this.previousEnd), text: ' {' }],
          applicability: 'maybe',
        },
      ],
    );
    const brace = placed(T.LBrace, '{', this.previousEnd);
    this.virtualOpeners.add(brace);
    this.open(brace, T.RBrace, this.bodyKind(), this.statementIndent);
    this.beginStatement();
  }

  private bodyKind(): BodyKind {
    if (this.frames.length > 0) return 'code';
    this.bodySeen = true;
    return this.declaration === 'train' || this.declaration === 'checkpoint' ? this.declaration : 'code';
  }

  // -------------------------------------------------------------------------------------------------------------------- words

  private innerBody(): BodyKind | 'file' {
    for (let k = this.frames.length - 1; k >= 0; k--) {
      const body = this.frames[k]!.body;
      if (body !== null && body !== 'edits') return body;
    }
    return 'file';
  }

  private word(token: IToken, i: number): void {
    const word = token.image;
    const next = this.raw[i + 1];
    const previous = this.previousType;
    if (previous === T.Dot) return; // a member may have any name
    if (T.reductionWords.has(word) && next?.tokenType === T.LBracket && start(next) === end(token)) {
      if (previous !== T.Let && previous !== T.LeafWord) {
        retype(token, T.Reduction);
        return;
      }
      this.report.add('NN013', start(token), end(token), { word });
      return;
    }
    const keyword = T.reserved.get(word);
    if (keyword !== undefined) {
      const named =
        previous === T.Let ||
        previous === T.LeafWord ||
        previous === T.CallableWord ||
        ((previous === T.LParen || previous === T.Comma || previous === T.LBracket) &&
          next?.tokenType === T.Colon &&
          this.frames.length > 0);
      if (named) this.report.add('NN013', start(token), end(token), { word });
      else retype(token, keyword);
      return;
    }
    if (this.atStart) {
      const body = this.innerBody();
      if (body === 'file') {
        const soft = T.softDeclarations.get(word);
        if (soft !== undefined && next?.tokenType === T.Name) retype(token, soft);
      } else if (body === 'train') {
        const soft = T.trainWords.get(word);
        const meant = trainSynonyms.get(word);
        if (soft !== undefined && (next === undefined || !assigns.has(next.tokenType))) retype(token, soft);
        else if (
          meant !== undefined &&
          (next?.tokenType === T.Name ||
            next?.tokenType === T.NumberLiteral ||
            (word === 'validation' && next?.tokenType === T.LParen))
        )
          this.translate(token, { type: T.trainWords.get(meant)!, use: meant });
        else if (isLeaf(this.raw, i)) retype(token, T.LeafWord);
      } else if (isLeaf(this.raw, i)) retype(token, T.LeafWord);
      else if (word === 'until' && next !== undefined && isUntil(next)) retype(token, T.Until);
      return;
    }
    const joining = T.joiningWords.get(word);
    if (joining !== undefined && this.previousIsOperand && this.frames.at(-1)?.opener.tokenType !== T.GroupOpen) {
      retype(token, joining);
    }
  }

  // ---------------------------------------------------------------------------------------------------------------- placement

  private beginStatement(): void {
    this.atStart = true;
    this.headerOpen = null;
    this.separatorPending = false;
    this.previousIsOperand = false;
    this.previousType = null;
  }

  private cut(): void {
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

  private emit(token: IToken, operand: boolean): void {
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

  /** Places one token; gives the index of the last raw token it consumed. */
  private place(token: IToken, i: number): number {
    if (this.separatorPending && token.tokenType !== T.RBrace) this.flushSeparator();
    // `;` after the last statement of a body ends it and begins nothing.
    if (token.tokenType === T.RBrace && this.out.at(-1)?.tokenType === T.Separator) this.out.pop();
    const alien = T.foreign.get(token.tokenType);
    if (alien !== undefined) this.translate(token, alien);
    switch (token.tokenType) {
      case T.Name:
        if (this.atStart && this.frames.at(-1)?.body === 'checkpoint') return this.path(i);
        this.word(token, i);
        this.emit(token, operandEnds.has(token.tokenType));
        return i;
      case T.Star:
        if (this.atStart && this.frames.at(-1)?.body === 'checkpoint') return this.path(i);
        this.emit(token, false);
        return i;
      case T.Semicolon:
        this.semicolon(token);
        return i;
      case T.OpenString:
        this.report.add('NN002', start(token), end(token), { text: token.image }, [
          {
            title: 'close the string',
            edits: [{ span: this.report.span(end(token), end(token)), text: '"' }],
            applicability: 'maybe',
          },
        ]);
        retype(token, T.StringLiteral);
        this.emit(token, true);
        return i;
      case T.NumberLiteral: {
        const next = this.raw[i + 1];
        this.emit(token, true);
        if (next?.tokenType === T.Name && start(next) === end(token)) {
          this.report.add('NN019', start(token), end(next), { text: token.image + next.image });
          this.previousEnd = end(next);
          return i + 1;
        }
        return i;
      }
      case T.LParen: {
        const top = this.frames.at(-1);
        const indexPlace =
          top?.close === T.RBracket && (this.previousType === T.LBracket || this.previousType === T.Comma);
        if (indexPlace && isGroup(this.raw, i)) retype(token, T.GroupOpen);
        this.open(token, T.RParen, null);
        return i;
      }
      case T.LBracket:
        this.open(token, T.RBracket, null);
        return i;
      case T.LBrace:
        this.openBrace(token);
        return i;
      case T.RParen:
      case T.RBracket:
      case T.RBrace:
        this.close(token, i);
        return i;
      case T.Equal:
        // `Adam(lr=1e-3)`: in a call, and nowhere in a signature, a name stands directly behind the bracket or a comma.
        if (this.namesArgument()) this.translate(token, { type: T.Colon, use: ': ' });
        if (this.frames.length === 0) this.bodySeen = true;
        this.touchingMinus(token, i);
        this.emit(token, false);
        return i;
      default:
        this.emit(token, operandEnds.has(token.tokenType));
        return i;
    }
  }

  private flushSeparator(): void {
    this.separatorPending = false;
    if (this.frames.length === 0) {
      this.cut();
      return;
    }
    this.out.push(placed(T.Separator, '\n', this.previousEnd));
    this.boundaries.push(this.previousEnd);
    this.beginStatement();
  }

  private translate(token: IToken, alien: { readonly type: TokenType; readonly use: string }): void {
    const text = alien.type === T.StringLiteral ? `"${token.image.slice(1, -1)}"` : alien.use;
    this.report.add('NN020', start(token), end(token), { found: token.image, use: text.trim() }, [
      {
        title: `write \`${text.trim()}\``,
        edits: [{ span: this.report.span(start(token), end(token)), text }],
        applicability: 'always',
      },
    ]);
    retype(token, alien.type);
  }

  private namesArgument(): boolean {
    const [before, name] = this.out.slice(-2);
    return (
      this.frames.at(-1)?.opener.tokenType === T.LParen &&
      this.frames.at(-1)?.body === null &&
      name?.tokenType === T.Name &&
      (before?.tokenType === T.LParen || before?.tokenType === T.Comma)
    );
  }

  private touchingMinus(token: IToken, i: number): void {
    const next = this.raw[i + 1];
    if (next === undefined || start(next) !== end(token)) return;
    if (next.tokenType !== T.Minus && next.tokenType !== T.Arrow) return;
    const fixes: SyntaxFix[] = [
      {
        title: 'assign the negative: `= -`',
        edits: [{ span: this.report.span(end(token), end(token)), text: ' ' }],
        applicability: 'maybe',
      },
    ];
    // Only what exists already can be decreased.
    if (this.statementHead === T.Name && this.frames.at(-1)?.body != null) {
      fixes.push({
        title: 'subtract: `-=`',
        edits: [{ span: this.report.span(start(token), start(next) + 1), text: '-=' }],
        applicability: 'maybe',
      });
    }
    this.report.add('NN008', start(token), start(next) + 1, {}, fixes);
  }

  private semicolon(token: IToken): void {
    if (this.frames.at(-1)?.body === null || this.frames.at(-1)?.body === 'edits') this.closeToBody(token);
    if (this.atStart) {
      this.previousEnd = end(token);
      return;
    }
    if (this.frames.length === 0) {
      this.cut();
    } else {
      this.out.push(createTokenInstance(T.Separator, ';', start(token), end(token) - 1, 0, 0, 0, 0));
      this.boundaries.push(start(token));
      this.beginStatement();
    }
    this.previousEnd = end(token);
  }

  /** `h.*.attn.c_attn.weight` becomes one token. */
  private path(i: number): number {
    let last = i;
    for (let k = i + 1; k < this.raw.length; k++) {
      const token = this.raw[k]!;
      const type = token.tokenType;
      if (type !== T.Name && type !== T.Dot && type !== T.Star && type !== T.NumberLiteral) break;
      if (start(token) !== end(this.raw[last]!)) break;
      last = k;
    }
    const from = start(this.raw[i]!);
    const to = end(this.raw[last]!);
    this.emit(createTokenInstance(T.Path, this.text.slice(from, to), from, to - 1, 0, 0, 0, 0), true);
    return last;
  }

  // ----------------------------------------------------------------------------------------------------------------- brackets

  private open(token: IToken, close: TokenType, body: BodyKind | null, lineIndent = this.lineIndent): void {
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

  private openBrace(token: IToken): void {
    if (this.previousType === T.With) {
      this.open(token, T.RBrace, 'edits');
      return;
    }
    // A body can only stand in a body: an open ( or [ before it, unless a `scan` stands in it, was left open.
    if (this.frames.at(-1)?.body === null && !this.scanOpen()) this.closeToBody(token);
    const body = this.bodyKind();
    this.open(token, T.RBrace, body);
    this.beginStatement();
  }

  /** Does a `scan` stand behind the innermost open ( or [? */
  private scanOpen(): boolean {
    const opener = this.frames.at(-1)!.opener;
    for (let k = this.out.length - 1; k >= 0 && this.out[k] !== opener; k--) {
      if (this.out[k]!.tokenType === T.Scan) return true;
    }
    return false;
  }

  private close(token: IToken, i: number): void {
    const type = token.tokenType;
    if (type === T.RBrace) {
      this.closeBrace(token, i);
      return;
    }
    const top = this.frames.at(-1);
    if (top?.close === type) {
      this.pop(token);
      return;
    }
    // Is the right opener below, in the same body?
    let match = -1;
    for (let k = this.frames.length - 1; k >= 0 && this.frames[k]!.body === null; k--) {
      if (this.frames[k]!.close === type) {
        match = k;
        break;
      }
    }
    if (match >= 0 && top !== undefined) {
      const next = this.raw[i + 1];
      if (next?.tokenType === top.close && match === this.frames.length - 2 && !this.closesLater(type, i + 1)) {
        // `(h e])`: the two are swapped.
        this.wrongCloser(token, top);
        retype(next, type);
      } else if (this.closesLater(top.close, i)) this.stray(token);
      else {
        this.closeAll(match + 1, token);
        this.pop(token);
      }
      return;
    }
    if (top === undefined || top.body !== null || this.closesLater(top.close, i)) {
      this.stray(token);
      return;
    }
    this.wrongCloser(token, top);
  }

  private wrongCloser(token: IToken, top: Frame): void {
    const expected = closeImage.get(top.close)!;
    this.report.add(
      'NN005',
      start(token),
      end(token),
      {
        open: top.opener.image,
        opener: this.report.span(start(top.opener), end(top.opener)),
        found: token.image,
        expected,
      },
      [
        {
          title: `write \`${expected}\``,
          edits: [{ span: this.report.span(start(token), end(token)), text: expected }],
          applicability: 'maybe',
        },
      ],
    );
    retype(token, top.close);
    this.pop(token);
  }

  /** Does a closer of this type that belongs to the open bracket follow on the same line? */
  private closesLater(close: TokenType, i: number): boolean {
    const open = close === T.RParen ? T.LParen : T.LBracket;
    let depth = 0;
    for (let k = i + 1; k < this.raw.length; k++) {
      const token = this.raw[k]!;
      if (this.text.slice(end(this.raw[k - 1]!), start(token)).includes('\n')) return false;
      if (token.tokenType === open) depth++;
      else if (token.tokenType === close && depth-- === 0) return true;
    }
    return false;
  }

  private stray(token: IToken): void {
    this.report.add('NN004', start(token), end(token), { close: token.image }, [
      {
        title: 'remove it',
        edits: [{ span: this.report.span(start(token), end(token)), text: '' }],
        applicability: 'maybe',
      },
    ]);
    this.previousEnd = Math.max(this.previousEnd, end(token));
  }

  private pop(token: IToken): void {
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

  private closeBrace(token: IToken, i: number): void {
    const bodies = this.frames.flatMap((frame, k) => (frame.close === T.RBrace ? [k] : []));
    const inner = bodies.at(-1);
    if (inner === undefined) {
      // Brackets that are open in a header are closed by the end of the declaration.
      this.stray(token);
      return;
    }
    if (inner < this.frames.length - 1) this.closeAll(inner + 1, token);
    const first = start(token) === this.lineStart + this.lineIndent;
    if (first) {
      const column = this.lineIndent;
      const frame = this.frames[inner]!;
      if (column < frame.lineIndent) {
        const match = bodies.findLast((k) => this.frames[k]!.lineIndent <= column);
        if (match !== undefined && match < inner) this.closeAll(match + 1, token);
      } else if (column > frame.lineIndent && inner === 0) {
        // Does the declaration go on after this brace?
        const next = this.raw[i + 1];
        if (next !== undefined && !this.startsDeclarationLine(i + 1)) {
          this.stray(token);
          return;
        }
      }
    }
    this.pop(token);
  }

  private startsDeclarationLine(i: number): boolean {
    const token = this.raw[i]!;
    const lineStart = this.text.lastIndexOf('\n', start(token) - 1) + 1;
    return (
      lineStart === start(token) &&
      (leadsDeclaration(this.raw, i) || token.tokenType === T.RBrace) &&
      token.tokenType !== T.RBrace
    );
  }

  private restOfLine(from: number): string {
    const to = this.text.indexOf('\n', from);
    return this.text.slice(from, to < 0 ? undefined : to);
  }

  private closeToBody(token: IToken): void {
    let keep = this.frames.length;
    while (keep > 0 && (this.frames[keep - 1]!.body === null || this.frames[keep - 1]!.body === 'edits')) keep--;
    this.closeAll(keep, token);
  }

  /** Closes all frames from number `keep` on, with one report for the innermost that the text opened. */
  private closeAll(keep: number, before: IToken | null): void {
    if (this.frames.length <= keep) return;
    const guilty = this.frames.slice(keep).findLast((frame) => !this.virtualOpeners.has(frame.opener));
    if (guilty !== undefined) {
      const closers = this.frames.slice(keep).map((frame) => closeImage.get(frame.close)!).reverse(); // prettier-ignore
      const braces = guilty.close === T.RBrace;
      const comment = /\/\/\s*[\w(]/.test(this.restOfLine(end(guilty.opener)));
      this.report.add(
        'NN003',
        start(guilty.opener),
        end(guilty.opener),
        {
          open: guilty.opener.image,
          close: closeImage.get(guilty.close)!,
          before: before === null ? null : this.report.span(start(before), end(before)),
          comment,
        },
        comment
          ? []
          : [
              {
                title: `add \`${closers.join('')}\``,
                edits: [
                  {
                    span: this.report.span(this.previousEnd, this.previousEnd),
                    text: braces ? `\n${closers.join('\n')}` : closers.join(''),
                  },
                ],
                applicability: 'maybe',
              },
            ],
      );
    }
    while (this.frames.length > keep) {
      const frame = this.frames.at(-1)!;
      this.pop(placed(frame.close, closeImage.get(frame.close)!, this.previousEnd));
    }
  }
}

function declarationKind(type: TokenType): 'callable' | 'train' | 'checkpoint' | 'other' | 'none' {
  if (type === T.CallableWord) return 'callable';
  if (type === T.TrainWord) return 'train';
  if (type === T.CheckpointWord) return 'checkpoint';
  return type === T.Const || type === T.Import ? 'other' : 'none';
}
