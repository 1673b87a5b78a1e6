/**
 * The grammar of expressions, indices and types: what declarations and statements (`parser.ts`) are made of.
 *
 * Expressions are flat here (operands with infix operators between them); `operators.ts` gives them precedence. That keeps the parse tree
 * small and the grammar free of the ambiguities that precedence rules bring: every choice is decided by at most three tokens.
 */
import { CstParser, tokenName, type CstNode, type ParserMethod } from 'chevrotain';
import * as T from './tokens.ts';

/** Whoever has all rules ends its constructor with `performSelfAnalysis`. */
export abstract class ExpressionRules extends CstParser {
  /** `validated`: the grammar itself is looked over first, which takes as long as reading a program. The tests do it. */
  protected constructor(validated = false) {
    super(T.vocabulary, {
      recoveryEnabled: true,
      skipValidations: !validated,
      maxLookahead: 3,
      nodeLocationTracking: 'none',
      // Messages are made in `complaints.ts`; here the expected type is all that is kept.
      errorMessageProvider: {
        buildMismatchTokenMessage: ({ expected }) => tokenName(expected),
        buildNotAllInputParsedMessage: () => '',
        buildNoViableAltMessage: () => '',
        buildEarlyExitMessage: () => '',
      },
    });
  }

  /** What stands in braces: a scan has a body of statements. */
  protected abstract body: ParserMethod<[], CstNode>;

  // ------------------------------------------------------------------------------------------------------------- expressions

  expression = this.RULE('expression', () => {
    this.SUBRULE(this.operand);
    this.MANY(() => this.SUBRULE(this.infix));
  });

  private infix = this.RULE('infix', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.InfixOperator);
          this.SUBRULE(this.operand);
        },
      },
      {
        ALT: () => {
          this.CONSUME(T.Pipe);
          this.OPTION(() => {
            this.CONSUME(T.Name, { LABEL: 'label' });
            this.CONSUME(T.Colon);
          });
          this.SUBRULE1(this.operand);
        },
      },
      {
        ALT: () => {
          this.CONSUME(T.With);
          this.OR1([{ ALT: () => this.SUBRULE(this.edits) }, { ALT: () => this.SUBRULE2(this.operand) }]);
        },
      },
    ]);
  });

  private edits = this.RULE('edits', () => {
    this.CONSUME(T.LBrace);
    this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.expression) });
    this.CONSUME(T.RBrace);
  });

  /** An expression of `+ - * / % ^` only: sizes, extents, counts and bounds, behind which `<`, `where` or `|>` mean something else. */
  protected arithmetic = this.RULE('arithmetic', () => {
    this.SUBRULE(this.operand);
    this.MANY(() => {
      this.CONSUME(T.ArithmeticOperator);
      this.SUBRULE1(this.operand);
    });
  });

  protected operand = this.RULE('operand', () => {
    this.MANY(() => this.SUBRULE(this.prefix));
    this.OR([
      { ALT: () => this.CONSUME(T.Name) },
      { ALT: () => this.CONSUME(T.NumberLiteral) },
      {
        ALT: () => {
          this.CONSUME(T.LParen);
          this.SUBRULE(this.expression);
          this.CONSUME(T.RParen);
        },
      },
      { ALT: () => this.CONSUME(T.StringLiteral) },
      { ALT: () => this.CONSUME(T.True) },
      { ALT: () => this.CONSUME(T.False) },
      { ALT: () => this.SUBRULE(this.list) },
      { ALT: () => this.SUBRULE(this.scan) },
      { ALT: () => this.CONSUME(T.Hole) },
    ]);
    this.MANY1(() => this.SUBRULE(this.suffix));
  });

  private prefix = this.RULE('prefix', () => {
    this.OR([
      { ALT: () => this.CONSUME(T.Minus) },
      { ALT: () => this.CONSUME(T.Not) },
      {
        ALT: () => {
          this.CONSUME(T.Reduction);
          this.CONSUME(T.LBracket);
          this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.indexName) });
          this.OPTION(() => {
            this.CONSUME(T.Where);
            this.SUBRULE(this.expression);
          });
          this.CONSUME(T.RBracket);
        },
      },
    ]);
  });

  private suffix = this.RULE('suffix', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.callArguments) },
      { ALT: () => this.SUBRULE(this.indices) },
      {
        ALT: () => {
          this.CONSUME(T.Dot);
          this.CONSUME(T.Name);
        },
      },
    ]);
  });

  protected callArguments = this.RULE('callArguments', () => {
    this.CONSUME(T.LParen);
    this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.argument) });
    this.CONSUME(T.RParen);
  });

  private argument = this.RULE('argument', () => {
    this.OPTION(() => {
      this.CONSUME(T.Name);
      this.CONSUME(T.Colon);
    });
    this.SUBRULE(this.expression);
  });

  protected list = this.RULE('list', () => {
    this.CONSUME(T.LBracket);
    this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.expression) });
    this.CONSUME(T.RBracket);
  });

  private scan = this.RULE('scan', () => {
    this.CONSUME(T.Scan);
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Name);
          this.CONSUME(T.In);
          this.SUBRULE(this.arithmetic);
        },
      },
      {
        ALT: () => {
          this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.scanSource) });
          this.CONSUME(T.Along);
          this.CONSUME1(T.Name);
        },
      },
    ]);
    this.OPTION(() => this.CONSUME(T.Reversed));
    this.SUBRULE(this.body);
  });

  private scanSource = this.RULE('scanSource', () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Over);
    this.SUBRULE(this.expression);
  });

  // ----------------------------------------------------------------------------------------------------------------- indices

  protected indices = this.RULE('indices', () => {
    this.CONSUME(T.LBracket);
    this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.index) });
    this.CONSUME(T.RBracket);
  });

  private index = this.RULE('index', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Ellipsis);
          this.CONSUME(T.Name);
          this.OPTION(() => {
            this.CONSUME(T.Colon);
            this.SUBRULE(this.arithmetic);
          });
        },
      },
      {
        ALT: () => {
          this.CONSUME(T.GroupOpen);
          this.MANY(() => this.SUBRULE(this.indexName));
          this.CONSUME(T.RParen);
        },
      },
      {
        ALT: () => {
          this.CONSUME1(T.Name);
          this.CONSUME1(T.Colon);
          this.SUBRULE1(this.arithmetic);
        },
      },
      { ALT: () => this.SUBRULE(this.expression) },
    ]);
  });

  /** A name in a reduction's bracket or in a group. */
  private indexName = this.RULE('indexName', () => {
    this.OPTION(() => this.CONSUME(T.Ellipsis));
    this.CONSUME(T.Name);
    this.OPTION1(() => {
      this.CONSUME(T.Colon);
      this.SUBRULE(this.arithmetic);
    });
  });

  // ------------------------------------------------------------------------------------------------------------------- types

  protected type = this.RULE('type', () => {
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.LBracket);
      this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.dim) });
      this.CONSUME(T.RBracket);
    });
    this.OPTION1(() => {
      this.CONSUME(T.Less);
      this.SUBRULE(this.arithmetic);
    });
    this.OPTION2(() => {
      this.CONSUME(T.As);
      this.SUBRULE(this.role);
    });
  });

  private dim = this.RULE('dim', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Ellipsis);
          this.CONSUME(T.Name);
        },
      },
      { ALT: () => this.SUBRULE(this.arithmetic) },
    ]);
  });

  private role = this.RULE('role', () => {
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.LParen);
      this.CONSUME1(T.Name);
      this.CONSUME(T.RParen);
    });
  });
}
