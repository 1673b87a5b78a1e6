/**
 * The canonical form of a module as a document: minimal parentheses, every comment, single blank lines where there were some, a body on one
 * line where it was and fits, and the `=` of consecutive index equations in one column. Printing what was printed changes nothing.
 *
 * A comment inside a statement moves before it; what follows `// prettier-ignore` stays as it was written. A module with `bad` nodes prints, with
 * `?` for the holes, but is not what was written: do not format a file that has syntax problems. Comments are placed here and not by Prettier's attachment, since a
 * comment of `.nn` always has a line of its own or ends one.
 */
import type {
  Body,
  CheckpointEntry,
  StorageEntry,
  Comment,
  ConstDeclaration,
  Declaration,
  Expr,
  Module,
  Span,
  Statement,
  TrainStatement,
} from '../../grammar/ast.ts';
import {
  fileEnd,
  firstThatFits,
  flat,
  group,
  hardline,
  ifBreak,
  indent,
  join,
  layOut,
  line,
  literalline,
  type Doc,
} from './docs.ts';
import { bracketed, ExpressionPrinter, quote } from './print-expressions.ts';

/** `text`: what the module was made from; null for a tree that was not. */
export function moduleDoc(module: Module, text: string | null): Doc {
  return new ModulePrinter(module, text).module();
}

/** For trees that are not made from text. */
export const printModule = (module: Module, text: string | null = null, width = 120): string =>
  layOut(moduleDoc(module, text), width);

/** An expression on one line, as messages quote it. */
export function printExpr(expr: Expr): string {
  const printer: ExpressionPrinter = new ExpressionPrinter(() => '{ … }');
  return flat(printer.value(expr));
}

/** Heads that differ by more are not brought into line: the gap would be wider than what it joins. */
const WIDEST_GAP = 8;

/** What a list of statements or declarations prints: anything with a place. */
interface Item {
  readonly span: Span;
}

class ModulePrinter {
  private readonly tree: Module;
  private readonly comments: readonly Comment[];
  private readonly text: string | null;
  private next = 0;
  /** Blanks before the `=` of an index equation. */
  private readonly gaps = new Map<object, string>();
  private readonly expressions: ExpressionPrinter = new ExpressionPrinter((scan) =>
    this.block(scan.body, scan.span, (statement) => this.statement(statement)),
  );

  constructor(tree: Module, text: string | null) {
    this.tree = tree;
    this.text = text;
    this.comments = tree.comments;
  }

  module(): Doc {
    // A list of constants is one item.
    const items: (Item & { readonly group: readonly Declaration[] })[] = [];
    for (const declaration of this.tree.declarations) {
      const last = items.at(-1)?.group[0];
      if (declaration.kind === 'const' && last?.kind === 'const' && last.group === declaration.group) {
        const { group: list, span } = items.pop()!;
        items.push({ group: [...list, declaration], span: { ...span, end: declaration.span.end } });
      } else {
        const start = declaration.kind === 'const' ? declaration.group : declaration.span.start;
        items.push({ group: [declaration], span: { ...declaration.span, start } });
      }
    }
    const parts = this.items(items, this.tree.span.end, (item) => this.declaration(item.group), true);
    return parts.length === 0 ? '' : [parts, fileEnd];
  }

  // ------------------------------------------------------------------------------------------------ comments and blank lines

  private lineOf(offset: number): number | null {
    const starts = this.tree.lineStarts;
    if (starts === undefined) return null;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  private blankBetween(end: number, start: number): boolean {
    const from = this.lineOf(end);
    const to = this.lineOf(start);
    return from !== null && to !== null && to - from > 1;
  }

  private oneLine(span: Span): boolean {
    const from = this.lineOf(span.start);
    return from !== null && from === this.lineOf(span.end);
  }

  private takeBefore(offset: number): Comment[] {
    const taken: Comment[] = [];
    while (this.next < this.comments.length && this.comments[this.next]!.span.start < offset) {
      taken.push(this.comments[this.next++]!);
    }
    return taken;
  }

  /** Items on lines of their own, with the comments before, behind and after them up to `end`. */
  private items<T extends Item>(items: readonly T[], end: number, show: (item: T) => Doc, top = false): Doc[] {
    this.alignEquations(items);
    const rows: Doc[] = [];
    let last: number | null = null;
    const row = (doc: Doc, span: Span): void => {
      if (last !== null) {
        const separate = this.blankBetween(last, span.start) || (top && this.tree.lineStarts === undefined);
        rows.push(separate ? [hardline, hardline] : hardline);
      }
      rows.push(doc);
      last = span.end;
    };
    items.forEach((item, i) => {
      const leading = this.takeBefore(item.span.start);
      const before = this.next;
      const shown = this.isIgnored(leading, item) ? this.verbatim(item.span) : show(item);
      // Comments inside that no body has taken: before the item, where they cannot become documentation.
      const inside = this.takeBefore(item.span.end);
      const hoisted = inside.map((comment) => plain(comment.text));
      const trailing: Doc[] = [];
      const limit = Math.min(items[i + 1]?.span.start ?? end, end);
      const behind = this.comments[this.next];
      if (
        behind !== undefined &&
        behind.span.start < limit &&
        !behind.ownLine &&
        this.sameLine(item.span.end, behind)
      ) {
        this.next++;
        trailing.push(' ', behind.text);
      }
      let place = leading[0]?.span ?? item.span;
      if (hoisted.length > 0) {
        place = { ...place, end: place.start };
        for (const text of hoisted) row(text, place);
        if (last !== null) last = place.start;
      }
      for (const comment of leading) row(comment.text, comment.span);
      if (before === this.next && leading.length === 0 && this.comments.length === 0) {
        for (const text of documentation(item)) row(text, { ...item.span, end: item.span.start });
      }
      row([shown, trailing], trailing.length > 0 ? { ...item.span, end: behind!.span.end } : item.span);
    });
    for (const comment of this.takeBefore(end)) row(comment.text, comment.span);
    return rows;
  }

  private isIgnored(leading: readonly Comment[], item: Item): boolean {
    const last = leading.at(-1);
    return (
      this.text !== null &&
      last !== undefined &&
      /^\/\/\/?\s*prettier-ignore\s*$/.test(last.text) &&
      !this.blankBetween(last.span.end, item.span.start)
    );
  }

  private verbatim(span: Span): Doc {
    this.takeBefore(span.end);
    return join(literalline, this.text!.slice(span.start, span.end).split(/\r?\n/));
  }

  /** The `=` of equations that follow each other without a blank line or a comment stand in one column. */
  private alignEquations(items: readonly Item[]): void {
    let run: { readonly item: Item; readonly width: number }[] = [];
    const flush = (): void => {
      const widest = Math.max(...run.map((r) => r.width));
      for (const r of run) this.gaps.set(r.item, ' '.repeat(widest - r.width));
      run = [];
    };
    items.forEach((item, k) => {
      const width = this.headWidth(item);
      const before = items[k - 1];
      const last = run.at(-1);
      if (
        last !== undefined &&
        (width === null ||
          before !== last.item ||
          run.some((r) => Math.abs(r.width - width) > WIDEST_GAP) ||
          this.isApart(before, item))
      )
        flush();
      if (width !== null) run.push({ item, width });
    });
    flush();
  }

  /** The columns before the `=` of an index equation; null for any other statement. */
  private headWidth(item: Item): number | null {
    const s = item as Statement | CheckpointEntry | StorageEntry;
    if ('as' in s && 'path' in s) return null;
    if ('path' in s) return flat([s.path, this.expressions.indices(s.indices)]).length;
    if (s.kind !== 'let' && s.kind !== 'assign' && s.kind !== 'leaf' && s.kind !== 'yield') return null;
    if (s.indices === null || s.name === null || (s.kind === 'assign' && s.operator !== '=')) return null;
    return flat(this.head(s)).length;
  }

  private isApart(before: Item, item: Item): boolean {
    const [from, to] = [before.span.end, item.span.start];
    return (
      this.blankBetween(from, to) || this.comments.some((c) => c.ownLine && c.span.start >= from && c.span.end <= to)
    );
  }

  private sameLine(end: number, comment: Comment): boolean {
    const from = this.lineOf(end);
    return from === null || from === this.lineOf(comment.span.start);
  }

  /** `{ … }`, on one line if it was, has no comments and fits. */
  private block<T extends Item>(statements: readonly T[], span: Span, show: (item: T) => Doc): Doc {
    const pending = this.comments[this.next];
    const commented = pending !== undefined && pending.span.start < span.end;
    if (statements.length === 0 && !commented) return '{}';
    if (this.oneLine(span) && !commented) {
      return group('{', indent(line, join([ifBreak('', ';'), line], statements.map(show))), line, '}');
    }
    return ['{', indent(hardline, this.items(statements, span.end, show)), hardline, '}'];
  }

  // ------------------------------------------------------------------------------------------------------------ declarations

  private declaration(list: readonly Declaration[]): Doc {
    const declaration = list[0]!;
    const { expressions } = this;
    switch (declaration.kind) {
      case 'const': {
        const constants = list.filter((item): item is ConstDeclaration => item.kind === 'const');
        const items = constants.map(({ name, value }) => [name.text, ' = ', expressions.expression(value)]);
        return group('const ', indent(join([',', line], items)));
      }
      case 'import': {
        const names = declaration.names.map(({ name, as }) => (as === null ? name.text : `${name.text} as ${as.text}`));
        return group('import ', indent(join([',', line], names)), ` from ${quote(declaration.from)}`);
      }
      case 'train':
        return [
          `train ${declaration.name.text} `,
          this.block(declaration.statements, declaration.span, (statement) => this.trainStatement(statement)),
        ];
      case 'checkpoint': {
        const head = `checkpoint ${declaration.format.text} for ${declaration.model.text} `;
        return [
          head,
          this.block(declaration.entries, declaration.span, (entry) => [
            entry.path,
            entry.indices.length === 0 ? '' : expressions.indices(entry.indices),
            `${this.gaps.get(entry) ?? ''} = ${quote(entry.source)}`,
            entry.sourceIndices.length === 0 ? '' : expressions.indices(entry.sourceIndices),
          ]),
        ];
      }
      case 'storage':
        return [
          `storage ${declaration.model.text} `,
          this.block(declaration.entries, declaration.span, (entry) => `${entry.path} = ${entry.as}`),
        ];
      case 'bad':
        return '?';
      default: {
        const { config, parameters, result } = declaration;
        const lists = (config === null ? [parameters] : [config, parameters]).map((parameterList) =>
          bracketed(
            '(',
            parameterList.map(({ name, type, default: value }) => [
              name.text,
              type === null ? '' : [': ', expressions.type(type)],
              value === null ? '' : [' = ', expressions.expression(value)],
            ]),
            ')',
          ),
        );
        let returns: Doc = '';
        if (result !== null && 'dtype' in result) returns = ['-> ', expressions.type(result)];
        else if (result !== null) {
          const fields = result.map(({ name, type }) => [name.text, ': ', expressions.type(type)]);
          returns = ['-> ', bracketed('(', fields, ')')];
        }
        // The result goes to a line of its own before a list of parameters is broken; then it follows the bracket.
        const head: Doc = [`${declaration.kind} ${declaration.name.text}`, lists];
        const together: Doc = [head, ' ', returns];
        const whole = returns === '' ? head : firstThatFits(together, [head, indent(hardline, returns)], together);
        return [whole, ' ', this.callableBody(declaration.body)];
      }
    }
  }

  private callableBody(body: Body): Doc {
    const only = body.statements[0];
    if (body.expression && only?.kind === 'expression') return ['= ', indent(this.expressions.expression(only.value))];
    return this.block(body.statements, body.span, (statement) => this.statement(statement));
  }

  // -------------------------------------------------------------------------------------------------------------- statements

  /** What stands before the `=`. */
  private head(statement: Statement & { kind: 'let' | 'assign' | 'leaf' | 'yield' }): Doc {
    const name = statement.name?.text ?? '';
    const indices = statement.indices === null ? '' : this.expressions.indices(statement.indices);
    if (statement.kind !== 'leaf') return [statement.kind === 'assign' ? '' : `${statement.kind} `, name, indices];
    const type = statement.type === null ? '' : [': ', this.expressions.type(statement.type)];
    return [statement.leaf, ' ', name, type, indices];
  }

  private statement(statement: Statement): Doc {
    const { expressions } = this;
    const gap = this.gaps.get(statement) ?? '';
    switch (statement.kind) {
      case 'let':
      case 'leaf':
        return [this.head(statement), gap, ' = ', this.right(statement.value)];
      case 'assign':
        return [this.head(statement), gap, ` ${statement.operator} `, this.right(statement.value)];
      case 'require': {
        const message = statement.message === null ? '' : `, ${quote(statement.message)}`;
        return ['require ', indent(expressions.expression(statement.condition)), message];
      }
      case 'if':
        return this.branch(statement);
      case 'return': {
        if (statement.fields !== null) return ['return ', expressions.arguments(statement.fields)];
        return ['return ', statement.value === null ? '' : this.right(statement.value)];
      }
      case 'repeat': {
        const label = statement.label === null ? '' : `${statement.label.text}: `;
        let rounds: Doc = statement.count === null ? '?' : expressions.arithmetic(statement.count);
        const variable = statement.variable?.text ?? '?';
        if (statement.items !== null) {
          rounds = [variable, ' in ', bracketed('[', statement.items.map(expressions.expression), ']')];
        } else if (statement.variable !== null) rounds = [variable, ' < ', rounds];
        const body = this.block(statement.body, statement.span, (inner) => this.statement(inner));
        return [label, 'repeat ', rounds, ' ', body];
      }
      case 'yield': {
        if (statement.name === null) return ['yield ', this.right(statement.value)];
        return [this.head(statement), gap, ' = ', this.right(statement.value)];
      }
      case 'until':
        return ['until ', indent(expressions.expression(statement.condition))];
      case 'expression':
        return this.right(statement.value);
      case 'bad':
        return '?';
    }
  }

  /** The right side of an `=`: continuations are deeper than the statement. A scan's body is not a continuation. */
  private right(expr: Expr): Doc {
    return this.expressions.value(expr);
  }

  private branch(statement: Statement & { kind: 'if' }): Doc {
    const show = (inner: Statement): Doc => this.statement(inner);
    const condition = indent(this.expressions.expression(statement.condition));
    const { otherwise, span } = statement;
    if (this.oneLine(span)) return group(this.shortBranch(statement));
    // Up to the `else`, as far as the tree knows where that is.
    const thenEnd = otherwise === null ? span.end : (statement.then.at(-1)?.span.end ?? statement.condition.span.end);
    const then = this.block(statement.then, { ...span, end: this.oneLine(span) ? span.end : thenEnd }, show);
    const head: Doc = ['if ', condition, ' ', this.multiline(then, statement.then, span, show)];
    if (otherwise === null) return head;
    const chained = otherwise[0];
    if (otherwise.length === 1 && chained?.kind === 'if') return [head, ' else ', this.branch(chained)];
    return [head, ' else ', this.block(otherwise, span, show)];
  }

  /** On one line, or every branch on lines of its own: for one group. */
  private shortBranch({ condition, then, otherwise }: Statement & { kind: 'if' }): Doc {
    const body = (list: readonly Statement[]): Doc =>
      list.length === 0
        ? '{}'
        : [
            '{',
            indent(
              line,
              join(
                [ifBreak('', ';'), line],
                list.map((s) => this.statement(s)),
              ),
            ),
            line,
            '}',
          ];
    const head: Doc = ['if ', indent(this.expressions.expression(condition)), ' ', body(then)];
    if (otherwise === null) return head;
    const chained = otherwise[0];
    const rest = otherwise.length === 1 && chained?.kind === 'if' ? this.shortBranch(chained) : body(otherwise);
    return [head, ' else ', rest];
  }

  /** The first branch is on one line only if the whole statement is. */
  private multiline(then: Doc, statements: readonly Statement[], span: Span, show: (item: Statement) => Doc): Doc {
    if (this.oneLine(span) || statements.length === 0 || Array.isArray(then)) return then;
    return ['{', indent(hardline, join(hardline, statements.map(show))), hardline, '}'];
  }

  private trainStatement(statement: TrainStatement): Doc {
    const { expressions } = this;
    switch (statement.kind) {
      case 'input':
        return ['input ', statement.name.text, ': ', expressions.type(statement.type)];
      case 'minimize':
        return [
          'minimize ',
          expressions.expression(statement.value),
          statement.over === null ? '' : ` over ${statement.over.map((name) => name.text).join(', ')}`,
          statement.every === null ? '' : [' every ', expressions.arithmetic(statement.every)],
        ];
      case 'metric':
        return ['metric ', statement.name.text, ' = ', this.right(statement.value)];
      case 'optimizer': {
        const selectors = statement.selectors?.map(expressions.operand);
        return [
          'optimizer ',
          expressions.expression(statement.value),
          selectors === undefined ? '' : [' for ', join(', ', selectors)],
        ];
      }
      case 'gradient':
        return ['gradient', statement.stages.map((stage) => [' |> ', expressions.operand(stage)])];
      case 'batch': {
        const parts = statement.parts === null ? '' : [' in ', expressions.arithmetic(statement.parts), ' parts'];
        return ['batch ', statement.size.text, ' = ', expressions.arithmetic(statement.value), parts];
      }
      case 'epochs':
      case 'runs':
        return [statement.kind, ' ', expressions.expression(statement.value)];
      case 'validate':
        return ['validate', expressions.arguments(statement.arguments)];
      case 'precision':
        return ['precision ', statement.name.text];
      default:
        return this.statement(statement);
    }
  }
}

/** A documentation comment that has been moved must not document what it lands on. */
const plain = (text: string): string => (text.startsWith('///') ? `//${text.slice(3)}` : text);

/** Documentation of a declaration in a module that has no comments because it was not made from text. */
function documentation(item: Item & { readonly group?: readonly Declaration[] }): string[] {
  const declaration = item.group?.[0];
  if (declaration === undefined || !('doc' in declaration) || declaration.doc === null) return [];
  return declaration.doc.split('\n').map((text) => `/// ${text}`.trimEnd());
}
