/** From the parse tree of one declaration to its AST. Never throws; see `build-expressions.ts` for holes and for expressions. */
import type { CstNode, IToken } from 'chevrotain';
import type {
  AssignStatement,
  Body,
  Callable,
  CallableKind,
  CheckpointEntry,
  StorageEntry,
  Declaration,
  Expr,
  IfStatement,
  Index,
  LeafStatement,
  LetStatement,
  Name,
  Parameter,
  RepeatStatement,
  ResultField,
  ReturnStatement,
  Span,
  Statement,
  TrainStatement,
  TypeExpr,
} from './ast.ts';
import { ExpressionBuilder } from './build-expressions.ts';
import { end, start } from './lookahead.ts';

type AssignmentOperator = AssignStatement['operator'];

export class DeclarationBuilder extends ExpressionBuilder {
  /**
   * The declarations of one slice of tokens: one, or several for a list of constants.
   * `damaged`: did the parser complain inside the signature?
   */
  declarations(cst: CstNode | null, tokens: readonly IToken[], doc: string | null, damaged: boolean): Declaration[] {
    const from = start(tokens[0]!);
    const to = end(tokens.at(-1)!);
    this.at = end(tokens[0]!);
    const span = this.span(from, to);
    const made = cst === null ? null : this.declaration(cst, span, doc, damaged);
    return made ?? [{ kind: 'bad', span }];
  }

  private declaration(cst: CstNode, span: Span, doc: string | null, damaged: boolean): Declaration[] | null {
    const callable = this.node(cst, 'callable');
    if (callable !== null) return this.callable(callable, span, doc, damaged);
    const train = this.node(cst, 'train');
    if (train !== null) {
      const name = this.name(this.token(train, 'Name'));
      if (name === null) return null;
      const statements = this.nodes(train, 'trainStatement').flatMap((node) => this.trainStatement(node));
      return [{ kind: 'train', name, statements, doc, span }];
    }
    const constants = this.node(cst, 'constDeclaration');
    if (constants !== null) {
      const list = this.nodes(constants, 'constItem').flatMap((item): Declaration[] => {
        const name = this.name(this.token(item, 'Name'));
        if (name === null) return [];
        this.token(item, 'Equal');
        const value = this.expression(this.node(item, 'expression'));
        return [{ kind: 'const', name, value, group: span.start, doc, span: this.span(name.span.start, this.at) }];
      });
      return list.length === 0 ? null : list;
    }
    const checkpoint = this.node(cst, 'checkpoint');
    if (checkpoint !== null) {
      const format = this.name(this.token(checkpoint, 'Name'));
      const model = this.name(this.token(checkpoint, 'Name', 1));
      if (format === null || model === null) return null;
      const entries = this.nodes(checkpoint, 'checkpointEntry').flatMap((node) => this.entry(node) ?? []);
      return [{ kind: 'checkpoint', format, model, entries, doc, span }];
    }
    const storage = this.node(cst, 'storage');
    if (storage !== null) {
      const model = this.name(this.token(storage, 'Name'));
      if (model === null) return null;
      const entries = this.nodes(storage, 'storageEntry').flatMap((node) => this.storageEntry(node) ?? []);
      return [{ kind: 'storage', model, entries, doc, span }];
    }
    const imports = this.node(cst, 'importDeclaration');
    if (imports !== null) {
      const names = this.nodes(imports, 'importName').flatMap((node) => {
        const name = this.name(this.token(node, 'Name'));
        return name === null ? [] : [{ name, as: this.name(this.token(node, 'Name', 1)) }];
      });
      const from = this.token(imports, 'String');
      if (from === null || names.length === 0) return null;
      const fromSpan = this.span(start(from), end(from));
      return [{ kind: 'import', names, from: this.unescape(from), fromSpan, span }];
    }
    return null;
  }

  private callable(node: CstNode, span: Span, doc: string | null, damaged: boolean): Callable[] | null {
    const word = this.token(node, 'CallableWord');
    const signature = this.node(node, 'signature');
    const name = this.name(this.token(signature, 'Name'));
    if (word === null || name === null) return null;
    const lists = this.nodes(signature, 'parameters').map((list) => this.parameters(list));
    const type = this.node(signature, 'type');
    const fields = this.node(signature, 'resultFields');
    this.token(signature, 'Arrow');
    let result: TypeExpr | readonly ResultField[] | null = null;
    if (type !== null) result = this.type(type);
    else if (fields !== null) result = this.resultFields(fields);
    return [
      {
        kind: word.image as CallableKind,
        name,
        config: lists.length > 1 ? lists[0]! : null,
        parameters: (lists.length > 1 ? lists[1] : lists[0]) ?? [],
        result,
        body: this.callableBody(node),
        doc,
        damaged: damaged || signature?.recoveredNode === true,
        span,
      },
    ];
  }

  private callableBody(node: CstNode): Body {
    const block = this.node(node, 'body');
    if (block !== null) {
      const from = this.beginning(block) ?? this.at;
      const statements = this.body(block);
      return { statements, expression: false, span: this.span(from, this.at) };
    }
    const equal = this.token(node, 'Equal');
    if (equal === null) {
      const span = this.span(this.at, this.at);
      return { statements: [{ kind: 'bad', span }], expression: false, span };
    }
    const value = this.expression(this.node(node, 'expression'));
    const span = this.span(Math.min(value.span.start, this.at), this.at);
    return { statements: [{ kind: 'expression', value, span: value.span }], expression: true, span };
  }

  private parameters(node: CstNode): readonly Parameter[] {
    this.token(node, 'LParen');
    const list = this.nodes(node, 'parameter').flatMap((parameter): Parameter[] => {
      const name = this.name(this.token(parameter, 'Name'));
      if (name === null) return [];
      this.token(parameter, 'Colon');
      const type = this.type(this.node(parameter, 'type'));
      const equal = this.token(parameter, 'Equal');
      const value = equal === null ? null : this.expression(this.node(parameter, 'expression'));
      return [{ name, type, default: value, span: this.span(name.span.start, this.at) }];
    });
    this.token(node, 'RParen');
    return list;
  }

  private resultFields(node: CstNode): readonly ResultField[] {
    this.token(node, 'LParen');
    const list = this.nodes(node, 'resultField').flatMap((field): ResultField[] => {
      const name = this.name(this.token(field, 'Name'));
      const type = this.type(this.node(field, 'type'));
      if (name === null || type === null) return [];
      return [{ name, type, span: this.span(name.span.start, type.span.end) }];
    });
    this.token(node, 'RParen');
    return list;
  }

  private storageEntry(node: CstNode): StorageEntry | null {
    const path = this.token(node, 'Path');
    const kind = this.token(node, 'Name');
    if (path === null || kind === null) return null;
    const group = this.token(node, 'Number');
    const to = end(group ?? kind);
    return {
      path: path.image,
      pathSpan: this.span(start(path), end(path)),
      as: group === null ? kind.image : `${kind.image}:${group.image}`,
      asSpan: this.span(start(kind), to),
      span: this.span(start(path), to),
    };
  }

  private entry(node: CstNode): CheckpointEntry | null {
    const path = this.token(node, 'Path');
    const source = this.token(node, 'String');
    if (path === null || source === null) return null;
    const lists = this.nodes(node, 'indices');
    // One list only: it belongs to the side of the `=` on which it stands.
    const split = lists.findIndex((list) => (this.beginning(list) ?? 0) > start(source));
    const left = split === 0 ? undefined : lists[0];
    const right = split < 0 ? undefined : lists[split];
    const indices = left === undefined ? [] : this.indices(left);
    const sourceIndices = right === undefined ? [] : this.indices(right);
    return {
      path: path.image,
      pathSpan: this.span(start(path), end(path)),
      indices,
      source: this.unescape(source),
      sourceSpan: this.span(start(source), end(source)),
      sourceIndices,
      span: this.span(start(path), this.at),
    };
  }

  // -------------------------------------------------------------------------------------------------------------- statements

  protected override body(node: CstNode | null): readonly Statement[] {
    if (node === null) return [];
    this.token(node, 'LBrace');
    const list = this.nodes(node, 'statement').flatMap((statement) => this.statement(statement));
    this.token(node, 'RBrace');
    return list;
  }

  private statement(node: CstNode): Statement[] {
    const from = this.beginning(node);
    if (from === null) return [];
    this.at = Math.max(this.at, from);
    const made = this.inner(node, from);
    return [made ?? { kind: 'bad', span: this.span(from, this.extent(node)?.end ?? from) }];
  }

  private inner(node: CstNode, from: number): Statement | null {
    const simple = this.node(node, 'simpleStatement');
    if (simple !== null) return this.simple(simple, from);
    const binding = this.node(node, 'letStatement');
    if (binding !== null) return this.binding(binding, from);
    const leaf = this.node(node, 'leafStatement');
    if (leaf !== null) return this.leaf(leaf, from);
    const require = this.node(node, 'requireStatement');
    if (require !== null) return this.require(require, from);
    const branch = this.node(node, 'ifStatement');
    if (branch !== null) return this.branch(branch, from);
    const result = this.node(node, 'returnStatement');
    if (result !== null) return this.result(result, from);
    const repeat = this.node(node, 'repeatStatement');
    if (repeat !== null) return this.repeat(repeat, from);
    const yielded = this.node(node, 'yieldStatement');
    if (yielded !== null) return this.yielded(yielded, from);
    const until = this.node(node, 'untilStatement');
    if (until !== null) {
      this.token(until, 'Until');
      const condition = this.expression(this.node(until, 'expression'));
      return { kind: 'until', condition, span: this.span(from, this.at) };
    }
    return null;
  }

  /** An expression with the label that a scan may have. */
  private value(node: CstNode | null): Expr {
    const label = this.name(this.token(node, 'label'));
    this.token(node, 'Colon');
    const value = this.expression(this.node(node, 'expression'));
    if (label === null) return value;
    if (value.kind === 'scan') return { ...value, label, span: this.span(label.span.start, value.span.end) };
    if (value.kind !== 'bad') {
      this.report.add('NN018', label.span.start, label.span.end, { label: label.text });
    }
    return value;
  }

  private binding(node: CstNode, from: number): LetStatement | null {
    this.token(node, 'Let');
    const name = this.name(this.token(node, 'Name'));
    if (name === null) return null;
    const list = this.node(node, 'indices');
    const indices = list === null ? null : this.indices(list);
    this.token(node, 'Equal');
    const given = this.value(this.node(node, 'value'));
    const value: Expr = this.isStray(given) ? { kind: 'bad', span: given.span } : given;
    return { kind: 'let', name, indices, value, span: this.span(from, this.at) };
  }

  private leaf(node: CstNode, from: number): LeafStatement | null {
    const word = this.token(node, 'LeafWord');
    const name = this.name(this.token(node, 'Name'));
    if (word === null || name === null) return null;
    this.token(node, 'Colon');
    const type = this.type(this.node(node, 'type'));
    const list = this.node(node, 'indices');
    const indices = list === null ? null : this.indices(list);
    this.token(node, 'Equal');
    const value = this.value(this.node(node, 'value'));
    const leaf = word.image as LeafStatement['leaf'];
    return { kind: 'leaf', leaf, name, type, indices, value, span: this.span(from, this.at) };
  }

  private require(node: CstNode, from: number): Statement {
    this.token(node, 'Require');
    const condition = this.expression(this.node(node, 'expression'));
    this.token(node, 'Comma');
    const text = this.token(node, 'String');
    const message = text === null ? null : this.unescape(text);
    return { kind: 'require', condition, message, span: this.span(from, this.at) };
  }

  private branch(node: CstNode, from: number): IfStatement {
    this.token(node, 'If');
    const condition = this.expression(this.node(node, 'expression'));
    const then = this.body(this.node(node, 'body'));
    let otherwise: readonly Statement[] | null = null;
    if (this.token(node, 'Else') !== null) {
      const chained = this.node(node, 'ifStatement');
      if (chained === null) otherwise = this.body(this.node(node, 'body', 1));
      else otherwise = [this.branch(chained, this.beginning(chained) ?? this.at)];
    }
    return { kind: 'if', condition, then, otherwise, span: this.span(from, this.at) };
  }

  private result(node: CstNode, from: number): ReturnStatement {
    this.token(node, 'Return');
    const list = this.node(node, 'returnFields');
    if (list === null) {
      const given = this.value(this.node(node, 'value'));
      // `return a, b`: what stands before the comma is not the result.
      const value: Expr = this.listed(given) ? { kind: 'bad', span: given.span } : given;
      return { kind: 'return', value, fields: null, span: this.span(from, this.at) };
    }
    this.token(list, 'LParen');
    const fields = this.nodes(list, 'returnField').flatMap((field) => {
      const name = this.name(this.token(field, 'Name'));
      if (name === null) return [];
      this.token(field, 'Colon');
      const value = this.expression(this.node(field, 'expression'));
      return [{ name, value, span: this.span(name.span.start, this.at) }];
    });
    this.token(list, 'RParen');
    return { kind: 'return', value: null, fields, span: this.span(from, this.at) };
  }

  private repeat(node: CstNode, from: number): RepeatStatement {
    const label = this.name(this.token(node, 'label'));
    this.token(node, 'Repeat');
    const rounds = this.node(node, 'rounds');
    const variable = this.name(this.token(rounds, 'Name'));
    this.token(rounds, 'In');
    this.token(rounds, 'Less');
    const list = this.node(rounds, 'list');
    const items = list === null ? null : this.list(list).items;
    const count = items === null ? this.arithmetic(this.node(rounds, 'arithmetic')) : null;
    const body = this.body(this.node(node, 'body'));
    return { kind: 'repeat', label, variable, count, items, body, span: this.span(from, this.at) };
  }

  private yielded(node: CstNode, from: number): Statement | null {
    this.token(node, 'Yield');
    const first = this.expression(this.node(node, 'expression'));
    const equal = this.token(node, 'Equal');
    if (equal === null)
      return { kind: 'yield', name: null, indices: null, value: first, span: this.span(from, this.at) };
    const target = this.target(first, equal);
    const value = this.value(this.node(node, 'value'));
    if (target === null) return null;
    return { kind: 'yield', ...target, value, span: this.span(from, this.at) };
  }

  /** `var y = 1`, `epoch 10`: a word that means nothing here, and the parser has complained about what follows it. */
  private isStray(value: Expr): boolean {
    return (
      value.kind === 'name' &&
      this.report.problems.some(
        (p) => p.code === 'NN006' && p.span.start >= value.span.end && p.span.start - value.span.end < 4,
      )
    );
  }

  private listed(value: Expr): boolean {
    return this.report.problems.some(
      (p) => p.code === 'NN006' && p.data.found === '`,`' && Math.abs(p.span.start - value.span.end) < 3,
    );
  }

  private simple(node: CstNode, from: number): Statement | null {
    const target = this.node(node, 'target');
    const operator = this.token(node, 'AssignOperator');
    if (operator === null) {
      const value = this.value(target);
      return this.isStray(value) ? null : { kind: 'expression', value, span: this.span(from, this.at) };
    }
    const left = this.target(this.value(target), operator);
    const value = this.value(this.node(node, 'value'));
    if (left === null) return null;
    const sign = operator.image as AssignmentOperator;
    return { kind: 'assign', ...left, operator: sign, value, span: this.span(from, this.at) };
  }

  /** The left side of an assignment: a name, or a name with indices. */
  private target(expr: Expr, operator: IToken): { name: Name; indices: readonly Index[] | null } | null {
    if (expr.kind === 'name') return { name: { text: expr.name, span: expr.span }, indices: null };
    if (expr.kind === 'read' && expr.target.kind === 'name') {
      return { name: { text: expr.target.name, span: expr.target.span }, indices: expr.indices };
    }
    if (expr.kind !== 'bad') {
      this.report.add('NN015', expr.span.start, expr.span.end, { operator: operator.image });
    }
    return null;
  }

  // ---------------------------------------------------------------------------------------------------------------- training

  private trainStatement(node: CstNode): TrainStatement[] {
    const from = this.beginning(node);
    if (from === null) return [];
    this.at = Math.max(this.at, from);
    const made = this.innerTrain(node, from);
    return [made ?? { kind: 'bad', span: this.span(from, this.extent(node)?.end ?? from) }];
  }

  private innerTrain(node: CstNode, from: number): TrainStatement | null {
    const simple = this.node(node, 'simpleStatement');
    if (simple !== null) {
      const statement = this.simple(simple, from);
      if (statement?.kind === 'assign') return statement;
      if (statement?.kind === 'expression' && statement.value.kind !== 'bad') {
        const { start: at, end: to } = statement.span;
        this.report.add('NN016', at, to, { statement: 'an expression', place: 'train' });
      }
      return null;
    }
    const binding = this.node(node, 'letStatement');
    if (binding !== null) return this.binding(binding, from);
    const leaf = this.node(node, 'leafStatement');
    if (leaf !== null) return this.leaf(leaf, from);
    const require = this.node(node, 'requireStatement');
    if (require !== null) return this.require(require, from) as TrainStatement;
    const input = this.node(node, 'inputStatement');
    if (input !== null) {
      const name = this.name(this.token(input, 'Name'));
      this.token(input, 'Colon');
      const type = this.type(this.node(input, 'type'));
      if (name === null || type === null) return null;
      return { kind: 'input', name, type, span: this.span(from, this.at) };
    }
    const minimize = this.node(node, 'minimizeStatement');
    if (minimize !== null) {
      this.token(minimize, 'Minimize');
      const value = this.expression(this.node(minimize, 'expression'));
      const names = this.token(minimize, 'Over') === null ? null : this.tokens(minimize, 'Name');
      const over = names?.map((token) => this.name(token)!) ?? null;
      const every = this.token(minimize, 'Every') === null ? null : this.arithmetic(this.node(minimize, 'arithmetic'));
      return { kind: 'minimize', value, over, every, span: this.span(from, this.at) };
    }
    const metric = this.node(node, 'metricStatement');
    if (metric !== null) {
      const name = this.name(this.token(metric, 'Name'));
      this.token(metric, 'Equal');
      const value = this.expression(this.node(metric, 'expression'));
      return name === null ? null : { kind: 'metric', name, value, span: this.span(from, this.at) };
    }
    const optimizer = this.node(node, 'optimizerStatement');
    if (optimizer !== null) {
      this.token(optimizer, 'OptimizerWord');
      const value = this.expression(this.node(optimizer, 'expression'));
      const some = this.token(optimizer, 'For') !== null;
      const selectors = some ? this.nodes(optimizer, 'operand').map((operand) => this.single(operand)) : null;
      return { kind: 'optimizer', value, selectors, span: this.span(from, this.at) };
    }
    const gradient = this.node(node, 'gradientStatement');
    if (gradient !== null) {
      this.token(gradient, 'Gradient');
      this.tokens(gradient, 'Pipe');
      const stages = this.nodes(gradient, 'operand').map((operand) => this.single(operand));
      return { kind: 'gradient', stages, span: this.span(from, this.at) };
    }
    const batch = this.node(node, 'batchStatement');
    if (batch !== null) {
      const size = this.name(this.token(batch, 'Name'));
      this.token(batch, 'Equal');
      const value = this.arithmetic(this.node(batch, 'arithmetic'));
      const parts = this.token(batch, 'In') === null ? null : this.arithmetic(this.node(batch, 'partCount'));
      this.token(batch, 'Parts');
      return size === null ? null : { kind: 'batch', size, value, parts, span: this.span(from, this.at) };
    }
    const setting = this.node(node, 'settingStatement');
    if (setting !== null) {
      const kind = this.token(setting, 'Epochs') === null ? 'runs' : 'epochs';
      this.token(setting, 'Runs');
      const value = this.expression(this.node(setting, 'expression'));
      return { kind, value, span: this.span(from, this.at) };
    }
    const validate = this.node(node, 'validateStatement');
    if (validate !== null) {
      this.token(validate, 'Validate');
      const list = this.arguments(this.node(validate, 'callArguments'));
      return { kind: 'validate', arguments: list, span: this.span(from, this.at) };
    }
    const precision = this.node(node, 'precisionStatement');
    if (precision !== null) {
      const name = this.name(this.token(precision, 'Name'));
      return name === null ? null : { kind: 'precision', name, span: this.span(from, this.at) };
    }
    return null;
  }
}
