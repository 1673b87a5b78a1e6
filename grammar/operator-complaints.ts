/** What is said of operators that read both ways, with parentheses as the mend: rules 2 and 5 of the language. */
import type { IToken } from 'chevrotain';
import type { Expr, Span } from './ast.ts';
import { end, start } from './lookahead.ts';
import { level } from './operators.ts';
import type { SyntaxReporter } from './problems.ts';

/** An expression with its extent in the text, parentheses included, and how tightly its outermost operator binds. */
export interface Piece {
  readonly expr: Expr;
  readonly start: number;
  readonly end: number;
  readonly level: number;
}

export class OperatorComplaints {
  private readonly report: SyntaxReporter;

  constructor(report: SyntaxReporter) {
    this.report = report;
  }

  private parentheses(from: number, to: number): { span: Span; text: string }[] {
    return [
      { span: this.report.span(from, from), text: '(' },
      { span: this.report.span(to, to), text: ')' },
    ];
  }

  /** Rule 5: `x + y |> f` reads both ways. A product may be piped: `a * b |> f`. */
  looseLeft(left: Piece): void {
    const { expr } = left;
    const sum = left.level === level.sum && expr.kind === 'binary';
    const negative = left.level === level.unary && expr.kind === 'unary';
    if (!sum && !negative) return;
    this.report.add('NN009', left.start, left.end, { operator: expr.operator }, [
      { title: 'pipe the whole left side', edits: this.parentheses(left.start, left.end), applicability: 'maybe' },
    ]);
  }

  /** `x |> f + y`: the pipeline is an operand of `+` only in parentheses. */
  pipelineOperand(left: Piece, operator: IToken): void {
    this.report.add('NN023', start(operator), end(operator), { operator: operator.image }, [
      {
        title: 'put the pipeline into parentheses',
        edits: this.parentheses(left.start, left.end),
        applicability: 'always',
      },
    ]);
  }

  checkStage(stage: Piece): void {
    let { expr } = stage;
    if (expr.kind === 'bad') return;
    while (expr.kind === 'call' || expr.kind === 'member') expr = expr.kind === 'call' ? expr.callee : expr.target;
    if (expr.kind === 'name' || expr.kind === 'bad') return;
    const found = { number: 'a number', string: 'a string', read: 'a read', reduce: 'a reduction' };
    const kind = stage.expr.kind;
    this.report.add('NN014', stage.start, stage.end, {
      found: kind in found ? found[kind as keyof typeof found] : 'an expression',
    });
  }

  /** `a ^ sum[i] …`: what the power takes is not to be seen. */
  powerOfReduction(word: IToken): void {
    this.report.add('NN011', start(word), end(word), { reduction: word.image });
  }

  minusAfterBracket(word: IToken, minus: IToken): void {
    const from = start(word);
    this.report.add('NN010', start(minus), end(minus), { reduction: word.image }, [
      {
        title: `put the minus before \`${word.image}\``,
        edits: [
          { span: this.report.span(start(minus), end(minus)), text: '' },
          { span: this.report.span(from, from), text: '-' },
        ],
        applicability: word.image === 'sum' || word.image === 'mean' ? 'always' : 'maybe',
      },
    ]);
  }
}
