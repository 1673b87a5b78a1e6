/**
 * From the flat operand lists of the parse tree to expressions: precedence, calls, reads, indices, types.
 *
 * Recovery leaves holes anywhere, so every child may be absent; what is absent becomes a `bad` node. Nothing here throws.
 * Precedence, loosest first: `else` (right), `where`, `or`, `and`, `not`, comparisons (not associative), `|>`, `+ -`, `* / %`, unary minus,
 * `^` (right), `with`, then suffixes. A reduction takes the product that follows it.
 */
import type { CstNode, IToken } from 'chevrotain';
import type {
  Argument,
  BinaryOperator,
  Dim,
  Expr,
  Index,
  IndexName,
  Name,
  ReduceOperator,
  ScanExpr,
  Span,
  Statement,
  TypeExpr,
} from './ast.ts';
import { end, start } from './lookahead.ts';
import { level } from './operators.ts';
import * as T from './tokens.ts';
import { OperatorComplaints, type Piece } from './operator-complaints.ts';
import { TreeReader } from './tree-reader.ts';

type Item =
  | { readonly kind: 'minus' | 'not'; readonly token: IToken }
  | { readonly kind: 'reduction'; readonly node: CstNode; readonly word: IToken }
  | { readonly kind: 'operand'; readonly piece: Piece }
  | { readonly kind: 'infix'; readonly token: IToken; readonly operator: string; readonly label: Name | null }
  | { readonly kind: 'edits'; readonly token: IToken; readonly node: CstNode };

export class ExpressionBuilder extends TreeReader {
  private readonly complaints = new OperatorComplaints(this.report);

  /** Statements are built by the subclass; a scan's body needs them. */
  protected body(_node: CstNode | null): readonly Statement[] {
    return [];
  }

  // -------------------------------------------------------------------------------------------------------------- expressions

  expression(node: CstNode | null): Expr {
    return this.piece(node).expr;
  }

  protected piece(node: CstNode | null): Piece {
    if (node === null) return this.missing();
    const items: Item[] = [];
    this.operand(this.node(node, 'operand'), items);
    for (const infix of this.nodes(node, 'infix')) this.infix(infix, items);
    return this.resolve(items);
  }

  protected arithmetic(node: CstNode | null): Expr {
    if (node === null) return this.hole();
    const items: Item[] = [];
    const operators = node.children['ArithmeticOperator'] ?? [];
    this.operand(this.node(node, 'operand'), items);
    for (let i = 0; i < operators.length; i++) {
      const token = this.token(node, 'ArithmeticOperator', i);
      if (token === null) continue;
      items.push({ kind: 'infix', token, operator: token.image, label: null });
      this.operand(this.node(node, 'operand', i + 1), items);
    }
    return this.resolve(items).expr;
  }

  /** A lone operand, as in `optimizer … for Critic` or after `gradient |>`. */
  protected single(node: CstNode | null): Expr {
    const items: Item[] = [];
    this.operand(node, items);
    return this.resolve(items).expr;
  }

  private missing(): Piece {
    return { expr: this.hole(), start: this.at, end: this.at, level: level.primary };
  }

  private infix(node: CstNode, items: Item[]): void {
    const pipe = this.token(node, 'Pipe');
    const joined = this.token(node, 'With');
    const operator = pipe ?? joined ?? this.token(node, 'InfixOperator');
    if (operator === null) return;
    if (joined !== null) {
      const edits = this.node(node, 'edits');
      if (edits !== null) {
        items.push({ kind: 'edits', token: joined, node: edits });
        return;
      }
    }
    const label = pipe === null ? null : this.name(this.token(node, 'label'));
    const word = operator.tokenType === T.And ? 'and' : operator.tokenType === T.Or ? 'or' : operator.image;
    items.push({
      kind: 'infix',
      token: operator,
      operator: operator.tokenType === T.Caret ? '^' : word,
      label,
    });
    this.operand(this.node(node, 'operand'), items);
  }

  private operand(node: CstNode | null, items: Item[]): void {
    if (node === null) {
      items.push({ kind: 'operand', piece: this.missing() });
      return;
    }
    for (const prefix of this.nodes(node, 'prefix')) {
      const minus = this.token(prefix, 'Minus');
      const not = this.token(prefix, 'Not');
      const word = this.token(prefix, 'Reduction');
      if (minus !== null) items.push({ kind: 'minus', token: minus });
      else if (not !== null) items.push({ kind: 'not', token: not });
      else if (word !== null) items.push({ kind: 'reduction', node: prefix, word });
    }
    let piece = this.primary(node);
    for (const suffix of this.nodes(node, 'suffix')) piece = this.suffix(piece, suffix);
    items.push({ kind: 'operand', piece });
  }

  private primary(node: CstNode): Piece {
    const leaf = (expr: Expr): Piece => ({ expr, start: expr.span.start, end: expr.span.end, level: level.primary });
    const name = this.token(node, 'Name');
    if (name !== null) {
      return leaf({ kind: 'name', name: name.image, span: this.span(start(name), end(name)) });
    }
    const number = this.token(node, 'Number');
    if (number !== null) {
      return leaf({
        kind: 'number',
        value: Number(number.image),
        text: number.image,
        integer: /^\d+$/.test(number.image),
        span: this.span(start(number), end(number)),
      });
    }
    const open = this.token(node, 'LParen');
    if (open !== null) {
      const inner = this.piece(this.node(node, 'expression'));
      const close = this.token(node, 'RParen');
      return {
        expr: inner.expr,
        start: start(open),
        end: close === null ? inner.end : end(close),
        level: level.primary,
      };
    }
    const text = this.token(node, 'String');
    if (text !== null) {
      return leaf({ kind: 'string', value: this.unescape(text), span: this.span(start(text), end(text)) });
    }
    const yes = this.token(node, 'True');
    const truth = yes ?? this.token(node, 'False');
    if (truth !== null) {
      return leaf({ kind: 'boolean', value: yes !== null, span: this.span(start(truth), end(truth)) });
    }
    const list = this.node(node, 'list');
    if (list !== null) {
      const { items, span } = this.list(list);
      return leaf({ kind: 'list', items, span });
    }
    const scan = this.node(node, 'scan');
    if (scan !== null) return leaf(this.scan(scan));
    const hole = this.token(node, 'Hole');
    if (hole !== null) return leaf({ kind: 'bad', span: this.span(start(hole), end(hole)) });
    return this.missing();
  }

  protected list(node: CstNode): { items: readonly Expr[]; span: Span } {
    const open = this.token(node, 'LBracket');
    const from = open === null ? this.at : start(open);
    const items = this.nodes(node, 'expression').map((item) => this.expression(item));
    this.token(node, 'RBracket');
    return { items, span: this.span(from, this.at) };
  }

  private suffix(target: Piece, node: CstNode): Piece {
    const call = this.node(node, 'callArguments');
    const read = this.node(node, 'indices');
    let expr: Expr;
    if (call !== null) {
      const list = this.arguments(call);
      expr = { kind: 'call', callee: target.expr, arguments: list, span: this.span(target.start, this.at) };
    } else if (read !== null) {
      const indices = this.indices(read);
      const span = this.span(target.start, this.at);
      // Brackets that hold nothing readable were reported.
      const damaged = this.report.problems.some(
        (p) => p.code === 'NN006' && p.span.start >= target.start && p.span.start <= this.at,
      );
      expr =
        indices.length === 0 && damaged ? { kind: 'bad', span } : { kind: 'read', target: target.expr, indices, span };
    } else {
      this.token(node, 'Dot');
      const name = this.name(this.token(node, 'Name'));
      if (name === null) return { ...target, end: this.at };
      expr = { kind: 'member', target: target.expr, name, span: this.span(target.start, this.at) };
    }
    return { expr, start: target.start, end: this.at, level: level.primary };
  }

  protected arguments(node: CstNode | null): readonly Argument[] {
    this.token(node, 'LParen');
    const list: Argument[] = [];
    for (const argument of this.nodes(node, 'argument')) {
      const name = this.name(this.token(argument, 'Name'));
      this.token(argument, 'Colon');
      const piece = this.piece(this.node(argument, 'expression'));
      const from = name === null ? piece.start : name.span.start;
      list.push({ name, value: piece.expr, span: this.span(from, piece.end) });
    }
    this.token(node, 'RParen');
    return list;
  }

  private scan(node: CstNode): ScanExpr {
    const word = this.token(node, 'Scan');
    const from = word === null ? this.at : start(word);
    const sources = this.nodes(node, 'scanSource').flatMap((source) => {
      const variable = this.name(this.token(source, 'Name'));
      const sequence = this.expression(this.node(source, 'expression'));
      return variable === null ? [] : [{ variable, sequence }];
    });
    const counted = this.token(node, 'In') !== null;
    const name = this.name(this.token(node, 'Name'));
    const count = counted ? this.arithmetic(this.node(node, 'arithmetic')) : null;
    const reversed = this.token(node, 'Reversed') !== null;
    const body = this.body(this.node(node, 'body'));
    return {
      kind: 'scan',
      label: null,
      sources,
      along: counted ? null : name,
      reversed,
      variable: counted ? name : null,
      count,
      body,
      span: this.span(from, this.at),
    };
  }

  // --------------------------------------------------------------------------------------------------------------- precedence

  private resolve(items: readonly Item[]): Piece {
    let next = 0;
    const infixLevel = (operator: string): number => level.infix.get(operator) ?? level.sum;

    const binary = (minimum: number): Piece => {
      let left = prefixed();
      for (;;) {
        const item = items[next];
        if (item === undefined || (item.kind !== 'infix' && item.kind !== 'edits')) return left;
        const operator = item.kind === 'edits' ? 'with' : item.operator;
        const binds = infixLevel(operator);
        if (binds < minimum) return left;
        next++;
        if (left.level === level.pipe && binds > level.pipe) this.complaints.pipelineOperand(left, item.token);
        left = item.kind === 'edits' ? this.withEdits(left, item.node) : join(left, item, binds);
      }
    };

    const join = (left: Piece, item: Item & { kind: 'infix' }, binds: number): Piece => {
      const { operator, token } = item;
      const operatorSpan = this.span(start(token), end(token));
      if (operator === '|>') {
        this.complaints.looseLeft(left);
        const stage = prefixed();
        this.complaints.checkStage(stage);
        const span = this.span(left.start, stage.end);
        const expr: Expr = { kind: 'pipe', value: left.expr, label: item.label, stage: stage.expr, span };
        return { expr, start: left.start, end: stage.end, level: level.pipe };
      }
      const follower = items[next];
      if (operator === '^' && follower?.kind === 'reduction') this.complaints.powerOfReduction(follower.word);
      // `else` and `^` group to the right, all others to the left.
      const right = binary(operator === 'else' || operator === '^' ? binds : binds + 1);
      const span = this.span(left.start, right.end);
      if (binds === level.comparison && left.level === level.comparison && left.expr.kind === 'binary') {
        this.report.add('NN012', start(token), end(token), { first: left.expr.operator, second: operator });
      }
      let expr: Expr;
      if (operator === 'else') expr = { kind: 'else', left: left.expr, right: right.expr, span };
      else if (operator === 'where') expr = { kind: 'where', value: left.expr, condition: right.expr, span };
      else if (operator === 'with') expr = { kind: 'with', target: left.expr, record: right.expr, edits: null, span };
      else {
        expr = {
          kind: 'binary',
          operator: operator as BinaryOperator,
          operatorSpan,
          left: left.expr,
          right: right.expr,
          span,
        };
      }
      return { expr, start: left.start, end: right.end, level: binds };
    };

    const prefixed = (): Piece => {
      const item = items[next];
      if (item === undefined) return this.missing();
      next++;
      switch (item.kind) {
        case 'operand':
          return item.piece;
        case 'minus':
        case 'not': {
          const operand = binary(item.kind === 'minus' ? level.unary : level.comparison);
          const from = start(item.token);
          return {
            expr: {
              kind: 'unary',
              operator: item.kind === 'minus' ? '-' : 'not',
              operand: operand.expr,
              span: this.span(from, operand.end),
            },
            start: from,
            end: operand.end,
            level: item.kind === 'minus' ? level.unary : level.not,
          };
        }
        case 'reduction': {
          const { indices, guard, close } = this.bracket(item.node);
          const follower = items[next];
          if (follower?.kind === 'minus') this.complaints.minusAfterBracket(item.word, follower.token);
          const operand = binary(level.product);
          const from = start(item.word);
          return {
            expr: {
              kind: 'reduce',
              operator: item.word.image as ReduceOperator,
              operatorSpan: this.span(from, end(item.word)),
              indices,
              guard,
              operand: operand.expr,
              span: this.span(from, Math.max(operand.end, close)),
            },
            start: from,
            end: Math.max(operand.end, close),
            level: level.product,
          };
        }
        default:
          // Two operators in a row: recovery dropped the operand between them.
          next--;
          return this.missing();
      }
    };

    return binary(0);
  }

  private withEdits(left: Piece, node: CstNode): Piece {
    this.token(node, 'LBrace');
    const edits = this.nodes(node, 'expression').map((edit) => this.expression(edit));
    const close = this.token(node, 'RBrace');
    const to = close === null ? this.at : end(close);
    const expr: Expr = { kind: 'with', target: left.expr, record: null, edits, span: this.span(left.start, to) };
    return { expr, start: left.start, end: to, level: level.with };
  }

  /** The bracket of a reduction. The operands behind it are built already: for the spans inside, the place goes back to it for a while. */
  private bracket(node: CstNode): { indices: readonly IndexName[]; guard: Expr | null; close: number } {
    const reached = this.at;
    const open = node.children['LBracket']?.[0];
    if (open !== undefined && 'image' in open) this.at = start(open);
    try {
      return this.bracketHere(node);
    } finally {
      this.at = Math.max(this.at, reached);
    }
  }

  private bracketHere(node: CstNode): { indices: readonly IndexName[]; guard: Expr | null; close: number } {
    this.token(node, 'LBracket');
    const indices = this.nodes(node, 'indexName').flatMap((name) => this.indexName(name) ?? []);
    const guard = this.token(node, 'Where') === null ? null : this.expression(this.node(node, 'expression'));
    const close = this.token(node, 'RBracket');
    return { indices, guard, close: close === null ? this.at : end(close) };
  }

  protected unescape(token: IToken): string {
    const inner = token.image.slice(1, token.image.length > 1 && token.image.endsWith('"') ? -1 : undefined);
    return inner.replace(/\\(.?)/g, (escape, letter: string, offset: number) => {
      const value = { n: '\n', t: '\t', '"': '"', '\\': '\\' }[letter];
      if (value !== undefined) return value;
      const from = start(token) + 1 + offset;
      this.report.add('NN022', from, from + escape.length, { escape });
      return letter;
    });
  }

  // ------------------------------------------------------------------------------------------------------------------ indices

  protected indices(node: CstNode): readonly Index[] {
    this.token(node, 'LBracket');
    const list = this.nodes(node, 'index').map((index) => this.index(index));
    this.token(node, 'RBracket');
    return list;
  }

  private index(node: CstNode): Index {
    const group = this.token(node, 'GroupOpen');
    if (group !== null) {
      const parts = this.nodes(node, 'indexName').flatMap((part) => this.indexName(part) ?? []);
      this.token(node, 'RParen');
      return { kind: 'group', parts, span: this.span(start(group), this.at) };
    }
    const expression = this.node(node, 'expression');
    if (expression !== null) {
      const piece = this.piece(expression);
      const { expr } = piece;
      if (expr.kind !== 'name') return { kind: 'expression', value: expr, span: this.span(piece.start, piece.end) };
      return { kind: 'index', name: { text: expr.name, span: expr.span }, extent: null, run: false, span: expr.span };
    }
    const hole = this.at;
    return (
      this.indexName(node) ?? { kind: 'expression', value: this.hole(), span: this.span(hole, Math.max(hole, this.at)) }
    );
  }

  private indexName(node: CstNode): IndexName | null {
    const run = this.token(node, 'Ellipsis');
    const name = this.name(this.token(node, 'Name'));
    if (name === null) return null;
    const colon = this.token(node, 'Colon');
    const extent = colon === null ? null : this.arithmetic(this.node(node, 'arithmetic'));
    const from = run === null ? name.span.start : start(run);
    return { kind: 'index', name, extent, run: run !== null, span: this.span(from, this.at) };
  }

  // -------------------------------------------------------------------------------------------------------------------- types

  protected type(node: CstNode | null): TypeExpr | null {
    const dtype = this.name(this.token(node, 'Name'));
    if (node === null || dtype === null) return null;
    const open = this.token(node, 'LBracket');
    const shape = open === null ? null : this.nodes(node, 'dim').map((dim) => this.dim(dim));
    this.token(node, 'RBracket');
    const below = this.token(node, 'Less') === null ? null : this.arithmetic(this.node(node, 'arithmetic'));
    const word = this.token(node, 'As');
    const roleNode = this.node(node, 'role');
    const roleName = word === null ? null : this.name(this.token(roleNode, 'Name'));
    const axis = this.name(this.token(roleNode, 'Name', 1));
    this.token(roleNode, 'RParen');
    const role = roleName === null ? null : { name: roleName, axis };
    return { dtype, shape, below, role, span: this.span(dtype.span.start, this.at) };
  }

  private dim(node: CstNode): Dim {
    const run = this.token(node, 'Ellipsis');
    if (run !== null) {
      const name = this.name(this.token(node, 'Name'));
      if (name !== null) return { kind: 'run', name, span: this.span(start(run), name.span.end) };
      return { kind: 'size', value: this.hole(), span: this.span(start(run), end(run)) };
    }
    const arithmetic = this.node(node, 'arithmetic');
    const value = this.arithmetic(arithmetic);
    const extent = arithmetic === null ? null : this.extent(arithmetic);
    return { kind: 'size', value, span: extent === null ? value.span : this.span(extent.start, extent.end) };
  }
}
