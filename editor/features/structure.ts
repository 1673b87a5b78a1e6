/** The outline of a document and what of it can be folded. */
import type { Declaration, Name, Span } from '../../grammar/ast.ts';
import type { Analysis } from '../analysis.ts';
import { oneLine, signatureText } from './show.ts';
import { homeAt, typeText } from './typed.ts';
import { nodesOf } from './walk.ts';

export type OutlineKind =
  'function' | 'class' | 'constant' | 'variable' | 'property' | 'module' | 'event' | 'interface';

export interface OutlineItem {
  readonly name: string;
  readonly detail: string;
  readonly kind: OutlineKind;
  readonly span: Span;
  readonly selection: Span;
  readonly children: readonly OutlineItem[];
}

export function outline(a: Analysis): OutlineItem[] {
  return a.module.ast.declarations.flatMap((d) => item(a, d));
}

function item(a: Analysis, d: Declaration): OutlineItem[] {
  const make = (name: Name, kind: OutlineKind, detail: string, children: readonly OutlineItem[] = []): OutlineItem[] =>
    name.text === '' ? [] : [{ name: name.text, detail, kind, span: d.span, selection: name.span, children }];
  switch (d.kind) {
    case 'bad':
    case 'import':
      return [];
    case 'const':
      return make(d.name, 'constant', oneLine(a.sources.text(d.value.span)));
    case 'train':
      return make(d.name, 'event', 'train', inner(a, d));
    case 'storage':
      return make(d.model, 'interface', 'storage');
    case 'checkpoint':
      return make(d.format, 'interface', `checkpoint for ${d.model.text}`);
    default: {
      const kind = d.kind === 'model' || d.kind === 'block' || d.kind === 'optimizer' ? 'class' : 'function';
      const detail = signatureText(a.sources, d).replace(new RegExp(`^${d.kind}\\s+${d.name.text}`), '');
      return make(d.name, kind, `${d.kind} ${detail}`, inner(a, d));
    }
  }
}

function inner(a: Analysis, d: Declaration): OutlineItem[] {
  const items: OutlineItem[] = [];
  for (const node of nodesOf(d)) {
    if (node === d) continue;
    if (
      (node.kind === 'let' || node.kind === 'leaf' || node.kind === 'input' || node.kind === 'metric') &&
      node.span !== undefined
    ) {
      const { name } = node as unknown as { readonly name: Name };
      if (name.text === '') continue;
      const type = a.checked.lets.get(node);
      items.push({
        name: name.text,
        detail: type === undefined || type.kind === 'error' ? '' : typeText(a, homeAt(a, node.span.start), type),
        kind: node.kind === 'leaf' ? 'property' : 'variable',
        span: node.span,
        selection: name.span,
        children: [],
      });
    }
  }
  return items;
}

export interface Fold {
  readonly start: number;
  readonly end: number;
  readonly kind: 'region' | 'comment' | 'imports';
}

/** Offsets; a fold that lies on one line is left out by whoever knows the lines. */
export function folds(a: Analysis): Fold[] {
  const out: Fold[] = [];
  const { declarations, comments } = a.module.ast;
  for (const d of declarations)
    for (const node of nodesOf(d)) {
      const { span } = node;
      if (span !== undefined && ['repeat', 'if', 'scan', 'train', 'checkpoint', 'storage'].includes(node.kind ?? '')) {
        const brace = a.text.indexOf('{', span.start);
        if (brace >= 0 && brace < span.end) out.push({ start: brace, end: span.end, kind: 'region' });
      } else if (node === d && 'body' in d) out.push({ start: d.name.span.end, end: d.span.end, kind: 'region' });
    }
  for (let i = 0; i < comments.length;) {
    let j = i + 1;
    while (
      j < comments.length &&
      comments[j]!.ownLine &&
      /^\s*$/.test(a.text.slice(comments[j - 1]!.span.end, comments[j]!.span.start))
    )
      j++;
    if (j > i + 1) out.push({ start: comments[i]!.span.start, end: comments[j - 1]!.span.end, kind: 'comment' });
    i = j;
  }
  const imports = declarations.filter((d) => d.kind === 'import');
  if (imports.length > 1) out.push({ start: imports[0]!.span.start, end: imports.at(-1)!.span.end, kind: 'imports' });
  return out;
}
