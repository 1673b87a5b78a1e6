/** Reading a parse tree in which recovery left holes: what is absent is null or a `bad` node, what was inserted counts as absent. Nothing here throws. */
import type { CstElement, CstNode, IToken } from 'chevrotain';
import type { Expr, Name, Span } from './ast.ts';
import { end, start } from './lookahead.ts';
import type { SyntaxReporter } from './problems.ts';

export const isNode = (element: CstElement): element is CstNode => 'children' in element;

export class TreeReader {
  protected readonly report: SyntaxReporter;
  /** Where the last token ended: the place of a hole. */
  protected at = 0;

  constructor(report: SyntaxReporter) {
    this.report = report;
  }

  protected token(node: CstNode | null, key: string, i = 0): IToken | null {
    const element = node?.children[key]?.[i];
    if (element === undefined || isNode(element) || element.isInsertedInRecovery === true) return null;
    this.at = Math.max(this.at, end(element));
    return element;
  }

  protected node(node: CstNode | null, key: string, i = 0): CstNode | null {
    const element = node?.children[key]?.[i];
    return element !== undefined && isNode(element) ? element : null;
  }

  protected nodes(node: CstNode | null, key: string): CstNode[] {
    return node?.children[key]?.filter(isNode) ?? [];
  }

  protected tokens(node: CstNode | null, key: string): IToken[] {
    const found: IToken[] = [];
    for (const element of node?.children[key] ?? []) {
      if (isNode(element) || element.isInsertedInRecovery === true) continue;
      this.at = Math.max(this.at, end(element));
      found.push(element);
    }
    return found;
  }

  protected span(from: number, to: number): Span {
    return this.report.span(from, Math.max(from, to));
  }

  protected hole(): Expr {
    return { kind: 'bad', span: this.span(this.at, this.at) };
  }

  protected name(token: IToken | null): Name | null {
    if (token === null) return null;
    return { text: token.image, span: this.span(start(token), end(token)) };
  }

  /** The first and last offset of the text below a node; null if nothing of it is in the text. */
  protected extent(node: CstNode): { start: number; end: number } | null {
    let from = Infinity;
    let to = -1;
    const visit = (current: CstNode): void => {
      for (const elements of Object.values(current.children)) {
        for (const element of elements) {
          if (isNode(element)) visit(element);
          else if (element.isInsertedInRecovery !== true) {
            from = Math.min(from, start(element));
            to = Math.max(to, end(element));
          }
        }
      }
    };
    visit(node);
    return to < 0 ? null : { start: from, end: to };
  }

  /** Where the text below a node begins. Children are recorded in the order of the text, so this is the leftmost path. */
  protected beginning(node: CstNode): number | null {
    let current: CstNode = node;
    for (;;) {
      const key = Object.keys(current.children)[0];
      const element = key === undefined ? undefined : current.children[key]?.[0];
      if (element === undefined) return this.extent(node)?.start ?? null;
      if (!isNode(element))
        return element.isInsertedInRecovery === true ? (this.extent(node)?.start ?? null) : start(element);
      current = element;
    }
  }
}
