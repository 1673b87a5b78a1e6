/** Expressions, indices and types as documents: minimal parentheses by precedence, breaks before operators and inside brackets. */
import type { Argument, Expr, Index, IndexName, ScanExpr, TypeExpr } from '../../grammar/ast.ts';
import { level } from '../../grammar/operators.ts';
import { reductionWords } from '../../grammar/tokens.ts';
import { flat, group, indent, join, line, softline, type Doc } from './docs.ts';

/** Prints the body of a scan; statements are known to `print.ts` only. */
export type PrintBody = (scan: ScanExpr) => Doc;

/** How tightly the outermost operator of an expression binds. */
function levelOf(expr: Expr): number {
  switch (expr.kind) {
    case 'binary':
      return level.infix.get(expr.operator) ?? level.sum;
    case 'unary':
      return expr.operator === 'not' ? level.not : level.unary;
    case 'where':
      return level.where;
    case 'else':
      return level.else;
    case 'pipe':
      return level.pipe;
    case 'with':
      return level.with;
    default:
      return level.primary;
  }
}

export const quote = (text: string): string =>
  `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;

const commas = (docs: readonly Doc[]): Doc => join([',', line], docs);

/** `(`, the list, `)`; broken, one item a line. */
export function bracketed(open: string, docs: readonly Doc[], close: string): Doc {
  if (docs.length === 0) return open + close;
  return group(open, indent(softline, commas(docs)), softline, close);
}

export class ExpressionPrinter {
  private readonly scanBody: PrintBody;

  constructor(scanBody: PrintBody) {
    this.scanBody = scanBody;
  }

  /** An expression where any operator may stand. */
  expression = (expr: Expr): Doc => this.at(expr, 0, false);

  /** Where only `+ - * / % ^` may stand without parentheses. */
  arithmetic = (expr: Expr): Doc => this.at(expr, level.sum, false);

  /** Where a scan may have a label. */
  value(expr: Expr): Doc {
    const label = expr.kind === 'scan' && expr.label !== null ? `${expr.label.text}: ` : '';
    return [label, this.expression(expr)];
  }

  operand = (expr: Expr): Doc => this.at(expr, level.primary, false);

  /**
   * `minimum`: an operator that binds less tightly gets parentheses. `followed`: an operator comes right after, which a reduction at the
   * end would swallow, or seem to.
   */
  private at(expr: Expr, minimum: number, followed: boolean): Doc {
    const own = levelOf(expr);
    const needed =
      expr.kind === 'reduce'
        ? followed || minimum > level.unary
        : own < minimum || (expr.kind === 'with' && minimum >= level.sum);
    return needed ? group('(', indent(softline, this.bare(expr, false)), softline, ')') : this.bare(expr, followed);
  }

  private bare(expr: Expr, followed: boolean): Doc {
    switch (expr.kind) {
      case 'number':
        return expr.text;
      case 'boolean':
        return expr.value ? 'true' : 'false';
      case 'string':
        return quote(expr.value);
      case 'name':
        return expr.name;
      case 'unary': {
        if (expr.operator === 'not') return ['not ', this.at(expr.operand, level.comparison, followed)];
        // `-2 ^ x` is `-(2 ^ x)`, which not every reader knows.
        const own = expr.operand.kind === 'unary' ? level.power : isPower(expr.operand) ? level.primary : level.unary;
        return ['-', this.at(expr.operand, own, followed)];
      }
      case 'binary':
      case 'where':
      case 'else':
      case 'pipe':
        return this.chain(expr, followed);
      case 'with': {
        const target = this.at(expr.target, level.with, true);
        if (expr.edits !== null) {
          if (expr.edits.length === 0) return [target, ' with {}'];
          const edits = commas(expr.edits.map(this.expression));
          return [target, ' with ', group('{', indent(line, edits), line, '}')];
        }
        return [target, ' with ', expr.record === null ? '?' : this.at(expr.record, level.primary, followed)];
      }
      case 'call':
        return [this.at(expr.callee, level.primary, true), this.arguments(expr.arguments)];
      case 'read':
        return [this.readTarget(expr.target), this.indices(expr.indices)];
      case 'member':
        return [this.member(expr.target), `.${expr.name.text}`];
      case 'reduce': {
        const guard = expr.guard === null ? '' : [line, 'where ', this.expression(expr.guard)];
        const inside = [commas(expr.indices.map((index) => this.indexName(index))), guard];
        const bracket = group(`${expr.operator}[`, indent(softline, inside), softline, '] ');
        const operand = this.at(expr.operand, level.product, followed);
        // A minus must not follow the bracket.
        if (!beginsWithMinus(expr.operand)) return [bracket, operand];
        if (levelOf(expr.operand) < level.product) return [bracket, operand];
        return [bracket, group('(', indent(softline, this.bare(expr.operand, false)), softline, ')')];
      }
      case 'list':
        return bracketed('[', expr.items.map(this.expression), ']');
      case 'scan':
        return this.scan(expr);
      case 'bad':
        return '?';
    }
  }

  /** `sum[b]` would be a reduction, also when `sum` is a name. */
  private readTarget(target: Expr): Doc {
    if (target.kind === 'name' && reductionWords.has(target.name)) return `(${target.name})`;
    return this.at(target, level.primary, true);
  }

  /** `2.x` would read as a number. */
  private member(target: Expr): Doc {
    return target.kind === 'number' ? ['(', target.text, ')'] : this.at(target, level.primary, true);
  }

  /** Operators of one level that lean to the left stand in one group, so that they break together. */
  private chain(expr: Expr, followed: boolean): Doc {
    const own = levelOf(expr);
    const tails: Doc[] = [];
    let head = expr;
    let after = followed;
    for (;;) {
      if (head.kind === 'pipe') {
        const label = head.label === null ? '' : `${head.label.text}: `;
        tails.unshift([line, '|> ', label, this.at(head.stage, level.primary, true)]);
        after = true;
        head = head.value;
      } else if (head.kind === 'where') {
        tails.unshift([line, 'where ', this.at(head.condition, own + 1, after)]);
        after = false;
        head = head.value;
      } else if (head.kind === 'else') {
        // Leans to the right: `a else (b else c)` needs no parentheses.
        tails.unshift([line, 'else ', this.at(head.right, own, after)]);
        const first = this.at(head.left, own + 1, false);
        return group(first, indent(tails));
      } else if (head.kind === 'binary' && head.operator === '^') {
        return [this.at(head.left, level.with, true), ' ^ ', this.at(head.right, level.power, after)];
      } else if (head.kind === 'binary') {
        const right = this.at(head.right, own + 1, after);
        // A line cannot begin with a minus, so the break comes after it.
        tails.unshift(head.operator === '-' ? [' -', line, right] : [line, `${head.operator} `, right]);
        after = own >= level.or;
        head = head.left;
      } else break;
      // The next link, if it is of the same level and the level leans to the left.
      if (levelOf(head) !== own || own === level.comparison) break;
    }
    // A sum or a negative on the left of `|>` needs its parentheses (rule 5).
    let minimum: number = own;
    if (own === level.comparison) minimum = own + 1;
    if (own === level.pipe) minimum = level.product;
    if (own === level.pipe && head.kind === 'unary') minimum = level.power;
    return group(this.at(head, minimum, after), indent(tails));
  }

  arguments(list: readonly Argument[]): Doc {
    const docs = list.map(({ name, value }) => [name === null ? '' : `${name.text}: `, this.expression(value)]);
    return bracketed('(', docs, ')');
  }

  private scan(expr: ScanExpr): Doc {
    const reversed = expr.reversed ? ' reversed' : '';
    if (expr.variable !== null) {
      const count = expr.count === null ? '?' : this.arithmetic(expr.count);
      return ['scan ', expr.variable.text, ' in ', count, reversed, ' ', this.scanBody(expr)];
    }
    const sources = expr.sources.map(({ variable, sequence }) => [variable.text, ' over ', this.expression(sequence)]);
    return ['scan ', join(', ', sources), ` along ${expr.along?.text ?? '?'}`, reversed, ' ', this.scanBody(expr)];
  }

  indices(list: readonly Index[]): Doc {
    return bracketed(
      '[',
      list.map((index) => this.index(index)),
      ']',
    );
  }

  private index(index: Index): Doc {
    if (index.kind === 'index') return this.indexName(index);
    if (index.kind === 'expression') return this.expression(index.value);
    const parts = index.parts.map((part) => this.indexName(part));
    return ['(', join(' ', parts), ')'];
  }

  private indexName({ name, extent, run }: IndexName): Doc {
    return [run ? '...' : '', name.text, extent === null ? '' : [': ', this.arithmetic(extent)]];
  }

  type(type: TypeExpr): Doc {
    // A size is read as one word and never broken.
    const dims = type.shape?.map((dim) =>
      dim.kind === 'run' ? `...${dim.name.text}` : flat(this.arithmetic(dim.value)),
    );
    const role = type.role;
    const axis = role === null || role.axis === null ? '' : `(${role.axis.text})`;
    return [
      type.dtype.text,
      dims === undefined ? '' : bracketed('[', dims, ']'),
      type.below === null ? '' : [' < ', flat(this.arithmetic(type.below))],
      role === null ? '' : ` as ${role.name.text}${axis}`,
    ];
  }
}

const isPower = (expr: Expr): boolean => expr.kind === 'binary' && expr.operator === '^';

/** Would the printed expression begin with a minus? */
function beginsWithMinus(expr: Expr): boolean {
  switch (expr.kind) {
    case 'unary':
      return expr.operator === '-';
    case 'binary':
      return levelOf(expr.left) >= levelOf(expr) && expr.left.kind !== 'reduce' && beginsWithMinus(expr.left);
    default:
      return false;
  }
}
