/**
 * Semantic colours: what the grammar of the editor cannot know. Index letters have one colour an axis: within a declaration the same letter
 * is the same colour, so that a sum over the wrong axis is seen.
 */
import type { Span } from '../../grammar/ast.ts';
import type { Analysis } from '../analysis.ts';
import type { Occurrence, SymbolKind } from './names.ts';
import { nodesOf } from './walk.ts';

export const AXIS_COLOURS = 8;

export const tokenTypes: readonly string[] = [
  'keyword',
  'function',
  'class',
  'type',
  'typeParameter',
  'parameter',
  'variable',
  'property',
  'enumMember',
  'label',
  ...Array.from({ length: AXIS_COLOURS }, (_, k) => `nnAxis${k + 1}`),
];

export const tokenModifiers: readonly string[] = ['declaration', 'readonly', 'defaultLibrary', 'modification'];

export interface SemanticToken {
  readonly start: number;
  readonly length: number;
  readonly type: string;
  readonly modifiers: readonly string[];
}

const TYPES: Readonly<Record<Exclude<SymbolKind, 'letter'>, string>> = {
  size: 'typeParameter',
  run: 'typeParameter',
  value: 'variable',
  parameter: 'parameter',
  config: 'parameter',
  leaf: 'property',
  input: 'parameter',
  label: 'label',
  field: 'property',
  const: 'enumMember',
  function: 'function',
  block: 'class',
  train: 'class',
  builtin: 'function',
};

export function semanticTokens(a: Analysis): SemanticToken[] {
  const out = new Map<number, SemanticToken>();
  const put = (span: Span, type: string, modifiers: readonly string[]): void => {
    if (span.file === a.file && span.end > span.start && !out.has(span.start))
      out.set(span.start, { start: span.start, length: span.end - span.start, type, modifiers });
  };
  const axes = new Map<object, Map<string, number>>();
  const { declarations } = a.module.ast;
  let at = 0;
  for (const o of a.names().byFile.get(a.file) ?? []) {
    if (o.symbol.kind !== 'letter') {
      put(o.span, TYPES[o.symbol.kind], modifiersOf(a, o));
      continue;
    }
    // Both are in the order of the text.
    while (at + 1 < declarations.length && declarations[at]!.span.end < o.span.start) at++;
    const home = declarations[at] ?? a.module.ast;
    const colours = axes.get(home) ?? new Map<string, number>();
    axes.set(home, colours);
    const colour = colours.get(o.symbol.name) ?? colours.size;
    colours.set(o.symbol.name, colour);
    put(o.span, `nnAxis${(colour % AXIS_COLOURS) + 1}`, o.introduces ? ['declaration'] : []);
  }
  for (const node of declarations.flatMap(nodesOf)) {
    if ('dtype' in node)
      put((node as { readonly dtype: { readonly span: Span } }).dtype.span, 'type', ['defaultLibrary']);
    if (node.kind === 'reduce')
      put((node as unknown as { readonly operatorSpan: Span }).operatorSpan, 'function', ['defaultLibrary']);
  }
  // The words that lead: soft words are names elsewhere, so only the tree knows.
  for (const [start, length] of leadingWords(a))
    if (!out.has(start)) out.set(start, { start, length, type: 'keyword', modifiers: [] });
  return [...out.values()].sort((x, y) => x.start - y.start);
}

function modifiersOf(a: Analysis, o: Occurrence): string[] {
  const modifiers: string[] = [];
  if (o.introduces) modifiers.push('declaration');
  const { kind, definition } = o.symbol;
  if (kind === 'const' || kind === 'size' || kind === 'config') modifiers.push('readonly');
  if (kind === 'builtin' || definition?.module.library === true) modifiers.push('defaultLibrary');
  if (!o.introduces && 'kind' in o.node && o.node.kind === 'assign') modifiers.push('modification');
  void a;
  return modifiers;
}

const LEADING = new Set([
  'let',
  'assign',
  'leaf',
  'require',
  'if',
  'return',
  'repeat',
  'yield',
  'until',
  'input',
  'minimize',
  'metric',
  'optimizer',
  'gradient',
  'batch',
  'epochs',
  'validate',
  'runs',
  'precision',
  'scan',
  'import',
  'const',
  'train',
  'checkpoint',
  'storage',
  'fn',
  'loss',
  'block',
  'model',
  'mask',
  'schedule',
]);

/** The keyword at the head of every statement and declaration. */
function leadingWords(a: Analysis): [number, number][] {
  const found: [number, number][] = [];
  for (const node of a.module.ast.declarations.flatMap(nodesOf)) {
    if (node.span === undefined || node.kind === undefined || !LEADING.has(node.kind) || node.kind === 'assign')
      continue;
    const word = /^[a-z]+/.exec(a.text.slice(node.span.start, node.span.start + 12))?.[0];
    const expected = node.kind === 'leaf' ? (node as { readonly leaf?: string }).leaf : node.kind;
    if (word !== undefined && word === expected) found.push([node.span.start, word.length]);
  }
  return found;
}
