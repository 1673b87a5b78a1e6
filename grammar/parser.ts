/**
 * The grammar of one declaration, for Chevrotain's LL(3) parser with recovery: declarations, statements and training. Expressions, indices and types are in
 * `expression-rules.ts`. No rule holds logic: Chevrotain runs them once with recording tokens.
 */
import { EOF, type CstNode, type IRecognitionException, type IToken } from 'chevrotain';
import { ExpressionRules } from './expression-rules.ts';
import * as T from './tokens.ts';

export class DeclarationParser extends ExpressionRules {
  /** `validated`: the grammar itself is looked over first, which takes as long as reading a program. The tests do it. */
  constructor(validated = false) {
    super(validated);
    this.performSelfAnalysis();
  }

  // ------------------------------------------------------------------------------------------------------------ declarations

  declaration = this.RULE('declaration', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.importDeclaration) },
      { ALT: () => this.SUBRULE(this.constDeclaration) },
      { ALT: () => this.SUBRULE(this.callable) },
      { ALT: () => this.SUBRULE(this.train) },
      { ALT: () => this.SUBRULE(this.checkpoint) },
      { ALT: () => this.SUBRULE(this.storage) },
    ]);
  });

  private importDeclaration = this.RULE('importDeclaration', () => {
    this.CONSUME(T.Import);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.importName) });
    this.CONSUME(T.From);
    this.CONSUME(T.StringLiteral);
  });

  private importName = this.RULE('importName', () => {
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.As);
      this.CONSUME1(T.Name);
    });
  });

  private constDeclaration = this.RULE('constDeclaration', () => {
    this.CONSUME(T.Const);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.constItem) });
  });

  private constItem = this.RULE('constItem', () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Equal);
    this.SUBRULE(this.expression);
  });

  private callable = this.RULE('callable', () => {
    this.CONSUME(T.CallableWord);
    this.SUBRULE(this.signature);
    this.OR([
      { ALT: () => this.SUBRULE(this.body) },
      {
        ALT: () => {
          this.CONSUME(T.Equal);
          this.SUBRULE(this.expression);
        },
      },
    ]);
  });

  private signature = this.RULE('signature', () => {
    this.CONSUME(T.Name);
    this.SUBRULE(this.parameters);
    this.OPTION(() => this.SUBRULE1(this.parameters));
    this.OPTION1(() => {
      this.CONSUME(T.Arrow);
      this.OR([{ ALT: () => this.SUBRULE(this.type) }, { ALT: () => this.SUBRULE(this.resultFields) }]);
    });
  });

  private parameters = this.RULE('parameters', () => {
    this.CONSUME(T.LParen);
    this.MANY_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.parameter) });
    this.CONSUME(T.RParen);
  });

  private parameter = this.RULE('parameter', () => {
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.Colon);
      this.SUBRULE(this.type);
    });
    this.OPTION1(() => {
      this.CONSUME(T.Equal);
      this.SUBRULE(this.expression);
    });
  });

  private resultFields = this.RULE('resultFields', () => {
    this.CONSUME(T.LParen);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.resultField) });
    this.CONSUME(T.RParen);
  });

  private resultField = this.RULE('resultField', () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    this.SUBRULE(this.type);
  });

  private checkpoint = this.RULE('checkpoint', () => {
    this.CONSUME(T.CheckpointWord);
    this.CONSUME(T.Name);
    this.CONSUME(T.For);
    this.CONSUME1(T.Name);
    this.CONSUME(T.LBrace);
    this.MANY_SEP({ SEP: T.Separator, DEF: () => this.SUBRULE(this.checkpointEntry) });
    this.CONSUME(T.RBrace);
  });

  private checkpointEntry = this.RULE('checkpointEntry', () => {
    this.CONSUME(T.Path);
    this.OPTION(() => this.SUBRULE(this.indices));
    this.CONSUME(T.Equal);
    this.CONSUME(T.StringLiteral);
    this.OPTION1(() => this.SUBRULE1(this.indices));
  });

  private storage = this.RULE('storage', () => {
    this.CONSUME(T.StorageWord);
    this.CONSUME(T.Name);
    this.CONSUME(T.LBrace);
    this.MANY_SEP({ SEP: T.Separator, DEF: () => this.SUBRULE(this.storageEntry) });
    this.CONSUME(T.RBrace);
  });

  private storageEntry = this.RULE('storageEntry', () => {
    this.CONSUME(T.Path);
    this.CONSUME(T.Equal);
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.CONSUME(T.Colon);
      this.CONSUME(T.NumberLiteral);
    });
  });

  // -------------------------------------------------------------------------------------------------------------- statements

  protected body = this.RULE('body', () => {
    this.CONSUME(T.LBrace);
    this.MANY_SEP({ SEP: T.Separator, DEF: () => this.SUBRULE(this.statement) });
    this.CONSUME(T.RBrace);
  });

  private statement = this.RULE('statement', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.leafStatement) },
      { ALT: () => this.SUBRULE(this.requireStatement) },
      { ALT: () => this.SUBRULE(this.ifStatement) },
      { ALT: () => this.SUBRULE(this.returnStatement) },
      { ALT: () => this.SUBRULE(this.repeatStatement) },
      { ALT: () => this.SUBRULE(this.yieldStatement) },
      { ALT: () => this.SUBRULE(this.untilStatement) },
      { ALT: () => this.SUBRULE(this.simpleStatement) },
    ]);
  });

  private letStatement = this.RULE('letStatement', () => {
    this.CONSUME(T.Let);
    this.CONSUME(T.Name);
    this.OPTION(() => this.SUBRULE(this.indices));
    this.CONSUME(T.Equal);
    this.SUBRULE(this.value);
  });

  private leafStatement = this.RULE('leafStatement', () => {
    this.CONSUME(T.LeafWord);
    this.CONSUME(T.Name);
    this.OPTION(() => {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(T.Colon);
            this.SUBRULE(this.type);
          },
        },
        { ALT: () => this.SUBRULE(this.indices) },
      ]);
    });
    this.CONSUME(T.Equal);
    this.SUBRULE(this.value);
  });

  private requireStatement = this.RULE('requireStatement', () => {
    this.CONSUME(T.Require);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(T.Comma);
      this.CONSUME(T.StringLiteral);
    });
  });

  private ifStatement = this.RULE('ifStatement', () => {
    this.CONSUME(T.If);
    this.SUBRULE(this.expression);
    this.SUBRULE(this.body);
    this.OPTION(() => {
      this.CONSUME(T.Else);
      this.OR([{ ALT: () => this.SUBRULE1(this.body) }, { ALT: () => this.SUBRULE(this.ifStatement) }]);
    });
  });

  private returnStatement = this.RULE('returnStatement', () => {
    this.CONSUME(T.Return);
    this.OR([{ ALT: () => this.SUBRULE(this.returnFields) }, { ALT: () => this.SUBRULE(this.value) }]);
  });

  private returnFields = this.RULE('returnFields', () => {
    this.CONSUME(T.LParen);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.returnField) });
    this.CONSUME(T.RParen);
  });

  private returnField = this.RULE('returnField', () => {
    this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    this.SUBRULE(this.expression);
  });

  private repeatStatement = this.RULE('repeatStatement', () => {
    this.OPTION(() => {
      this.CONSUME(T.Name, { LABEL: 'label' });
      this.CONSUME(T.Colon);
    });
    this.CONSUME(T.Repeat);
    this.SUBRULE(this.rounds);
    this.SUBRULE(this.body);
  });

  private rounds = this.RULE('rounds', () => {
    this.OR([
      {
        ALT: () => {
          this.CONSUME(T.Name);
          this.CONSUME(T.Less);
          this.SUBRULE(this.arithmetic);
        },
      },
      {
        ALT: () => {
          this.CONSUME1(T.Name);
          this.CONSUME(T.In);
          this.SUBRULE(this.list);
        },
      },
      { ALT: () => this.SUBRULE1(this.arithmetic) },
    ]);
  });

  private yieldStatement = this.RULE('yieldStatement', () => {
    this.CONSUME(T.Yield);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(T.Equal);
      this.SUBRULE(this.value);
    });
  });

  private untilStatement = this.RULE('untilStatement', () => {
    this.CONSUME(T.Until);
    this.SUBRULE(this.expression);
  });

  /** An expression, or an assignment: which of them, the sign behind the first expression tells. */
  private simpleStatement = this.RULE('simpleStatement', () => {
    this.SUBRULE(this.value, { LABEL: 'target' });
    this.OPTION(() => {
      this.CONSUME(T.AssignOperator);
      this.SUBRULE1(this.value);
    });
  });

  /** An expression that may be a labelled scan. */
  private value = this.RULE('value', () => {
    this.OPTION(() => {
      this.CONSUME(T.Name, { LABEL: 'label' });
      this.CONSUME(T.Colon);
    });
    this.SUBRULE(this.expression);
  });

  // ---------------------------------------------------------------------------------------------------------------- training

  private train = this.RULE('train', () => {
    this.CONSUME(T.TrainWord);
    this.CONSUME(T.Name);
    this.CONSUME(T.LBrace);
    this.MANY_SEP({ SEP: T.Separator, DEF: () => this.SUBRULE(this.trainStatement) });
    this.CONSUME(T.RBrace);
  });

  private trainStatement = this.RULE('trainStatement', () => {
    this.OR([
      { ALT: () => this.SUBRULE(this.inputStatement) },
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.leafStatement) },
      { ALT: () => this.SUBRULE(this.requireStatement) },
      { ALT: () => this.SUBRULE(this.minimizeStatement) },
      { ALT: () => this.SUBRULE(this.metricStatement) },
      { ALT: () => this.SUBRULE(this.optimizerStatement) },
      { ALT: () => this.SUBRULE(this.gradientStatement) },
      { ALT: () => this.SUBRULE(this.batchStatement) },
      { ALT: () => this.SUBRULE(this.settingStatement) },
      { ALT: () => this.SUBRULE(this.validateStatement) },
      { ALT: () => this.SUBRULE(this.precisionStatement) },
      { ALT: () => this.SUBRULE(this.simpleStatement) },
    ]);
  });

  private inputStatement = this.RULE('inputStatement', () => {
    this.CONSUME(T.Input);
    this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    this.SUBRULE(this.type);
  });

  private minimizeStatement = this.RULE('minimizeStatement', () => {
    this.CONSUME(T.Minimize);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(T.Over);
      this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.CONSUME(T.Name) });
    });
    this.OPTION1(() => {
      this.CONSUME(T.Every);
      this.SUBRULE(this.arithmetic);
    });
  });

  private metricStatement = this.RULE('metricStatement', () => {
    this.CONSUME(T.MetricWord);
    this.CONSUME(T.Name);
    this.CONSUME(T.Equal);
    this.SUBRULE(this.expression);
  });

  private optimizerStatement = this.RULE('optimizerStatement', () => {
    this.CONSUME(T.OptimizerWord);
    this.SUBRULE(this.expression);
    this.OPTION(() => {
      this.CONSUME(T.For);
      this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => this.SUBRULE(this.operand) });
    });
  });

  private gradientStatement = this.RULE('gradientStatement', () => {
    this.CONSUME(T.Gradient);
    this.AT_LEAST_ONE(() => {
      this.CONSUME(T.Pipe);
      this.SUBRULE(this.operand);
    });
  });

  private batchStatement = this.RULE('batchStatement', () => {
    this.CONSUME(T.Batch);
    this.CONSUME(T.Name);
    this.CONSUME(T.Equal);
    this.SUBRULE(this.arithmetic);
    this.OPTION(() => {
      this.CONSUME(T.In);
      this.SUBRULE1(this.arithmetic, { LABEL: 'partCount' });
      this.CONSUME(T.Parts);
    });
  });

  private settingStatement = this.RULE('settingStatement', () => {
    this.OR([{ ALT: () => this.CONSUME(T.Epochs) }, { ALT: () => this.CONSUME(T.Runs) }]);
    this.SUBRULE(this.expression);
  });

  private validateStatement = this.RULE('validateStatement', () => {
    this.CONSUME(T.Validate);
    this.SUBRULE(this.callArguments);
  });

  private precisionStatement = this.RULE('precisionStatement', () => {
    this.CONSUME(T.Precision);
    this.CONSUME(T.Name);
  });
}

let instance: DeclarationParser | null = null;

/** The one parser: building it costs tens of milliseconds, using it does not. */
export function declarationParser(): DeclarationParser {
  instance ??= new DeclarationParser();
  return instance;
}

export interface ParsedDeclaration {
  readonly cst: CstNode | null;
  readonly errors: readonly IRecognitionException[];
}

export function parseDeclaration(tokens: IToken[]): ParsedDeclaration {
  const parser = declarationParser();
  parser.input = tokens;
  const cst = parser.declaration() as CstNode | undefined;
  return { cst: cst ?? null, errors: parser.errors };
}

export const isEnd = (token: IToken): boolean => token.tokenType === EOF;
