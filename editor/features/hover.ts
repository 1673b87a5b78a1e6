/** What stands under the pointer: its type and shape, where its sizes come from, its documentation. Markdown. */
import type { AssignStatement, Expr, LeafStatement, LetStatement, Span, YieldStatement } from '../../grammar/ast.ts';
import { formatType, isFloat, tensor, type Type } from '../../compiler/check/types.ts';
import type { Poly } from '../../compiler/sizes/poly.ts';
import type { Analysis } from '../analysis.ts';
import { builtinDoc } from './builtin-docs.ts';
import { equationOperations, isNothing, showOperations } from './cost.ts';
import { gradientTo } from './gradient.ts';
import { weigh } from './lens.ts';
import type { NameSymbol, Occurrence } from './names.ts';
import {
  isCallable,
  bytesOf,
  code,
  roleText,
  showBytes,
  showWithSizes,
  signatureText,
  valueOfSize,
  whereSizesComeFrom,
} from './show.ts';
import { knownSizes } from './sizes.ts';
import { visibleAt } from './scope.ts';
import { homeAt, sizeText, typeText } from './typed.ts';
import { pathTo } from './walk.ts';

export interface Hover {
  readonly markdown: string;
  readonly span: Span;
}

export function hover(a: Analysis, offset: number): Hover | null {
  const occurrence = a.names().at(a.file, offset);
  if (occurrence !== null) return { markdown: ofName(a, occurrence), span: occurrence.span };
  const expression = smallestTyped(a, offset);
  if (expression !== null) {
    const type = a.checked.types.get(expression)!;
    return {
      markdown: section([code(typeText(a, homeAt(a, offset), type)), aboutType(a, type, offset)]),
      span: expression.span,
    };
  }
  return ofWord(a, offset);
}

/** The innermost expression with a type worth showing. */
function smallestTyped(a: Analysis, offset: number): Expr | null {
  for (const node of pathTo(a.module.ast, offset).reverse()) {
    if (node.kind === 'number' || node.kind === 'string' || node.kind === 'boolean') continue;
    const type = a.checked.types.get(node as Expr);
    if (type !== undefined && type.kind !== 'error') return node as Expr;
  }
  return null;
}

export function typeOf(a: Analysis, o: Occurrence): Type | null {
  const own = a.checked.types.get(o.node as Expr) ?? a.checked.lets.get(o.node);
  if (own !== undefined) return own;
  const { binding } = o.symbol;
  return binding?.kind === 'value' ? binding.type : null;
}

const WORDS: Readonly<Record<NameSymbol['kind'], string>> = {
  size: 'size',
  run: 'run of axes',
  letter: 'index',
  value: 'let',
  parameter: 'parameter',
  config: 'configuration',
  leaf: 'param',
  input: 'input',
  label: 'label',
  field: 'result',
  const: 'const',
  function: 'fn',
  block: 'block',
  train: 'train',
  builtin: 'built in',
};

function ofName(a: Analysis, o: Occurrence): string {
  const { symbol } = o;
  if (symbol.definition !== null) {
    const d = symbol.definition.declaration;
    const parts = [code(signatureText(a.sources, d))];
    if (d.doc !== null) parts.push(d.doc);
    if (isCallable(d)) parts.push(requirements(a, symbol));
    if (d.kind === 'model' || d.kind === 'train') parts.push(weigh(a, d.name.text) ?? '');
    const type = a.checked.types.get(o.node as Expr);
    if (d.kind === 'const' && type !== undefined)
      parts.push(`Type: \`${type.kind === 'number' ? type.dtype : formatType(type)}\``);
    return section(parts);
  }
  if (symbol.kind === 'builtin') return section([code(symbol.name), builtinDoc(symbol.name) ?? 'Built in.']);
  const { binding } = symbol;
  if (binding?.kind === 'letter') {
    const extent =
      binding.extent === null
        ? null
        : binding.extent.kind === 'run'
          ? 'a run'
          : sizeText(a, homeAt(a, o.span.start), binding.extent.size);
    const range = binding.isRun
      ? `...${symbol.name}`
      : extent === null
        ? symbol.name
        : `${symbol.name}: 0 … ${extent} - 1`;
    const where =
      binding.place === null
        ? ''
        : `Its extent is ${binding.written ? 'written' : 'read off'} \`${short(a.sources.text(binding.place))}\`.`;
    const why = binding.extent?.kind === 'size' ? whereSizesComeFrom(tensor('i32', [binding.extent]), a.sources) : '';
    return section([code(`index ${range}`), where, why]);
  }
  if (binding?.kind === 'size') {
    const value = knownSizes(a).get(symbol.name);
    return section([
      code(`size ${symbol.name}${value === undefined ? '' : ` = ${value}`}`),
      `- \`${symbol.name}\`: ${binding.why.text}`,
    ]);
  }
  if (binding?.kind === 'run') return section([code(`...${symbol.name}`), 'Any number of axes.']);
  const type = typeOf(a, o);
  const statement = statementOf(a, symbol);
  const word =
    binding?.kind === 'value' && ['param', 'state', 'carry'].includes(binding.origin)
      ? binding.origin
      : WORDS[symbol.kind];
  const shown = type === null ? '' : `: ${typeText(a, homeAt(a, o.span.start), type)}`;
  return section([
    code(`${word} ${symbol.name}${shown}`),
    type === null ? '' : aboutType(a, type, o.span.start),
    statement === null ? '' : costOf(a, statement),
    type?.kind === 'tensor' && isFloat(type.dtype) ? gradientText(a, symbol, statement) : '',
  ]);
}

type Binding = LetStatement | AssignStatement | LeafStatement | YieldStatement;

/** The statement that introduces a local. */
function statementOf(a: Analysis, symbol: NameSymbol): Binding | null {
  const { place } = symbol;
  if (place === null || place.file !== a.file) return null;
  const node = pathTo(a.module.ast, place.start)
    .reverse()
    .find((n) => n.kind === 'let' || n.kind === 'assign' || n.kind === 'leaf' || n.kind === 'yield') as
    Binding | undefined;
  return node?.name?.span.start === place.start ? node : null;
}

/** `2 * B * T * D operations`, and their number where the text says the sizes. */
function costOf(a: Analysis, s: Binding): string {
  if (s.kind === 'leaf') return '';
  const count = equationOperations(a, s);
  if (count === null || isNothing(count)) return '';
  const number = valueOfSize(count, knownSizes(a));
  const text = sizeText(a, homeAt(a, s.span.start), count);
  return number === null ? `Operations: \`${text}\`.` : `Operations: ${showOperations(number)} (\`${text}\`).`;
}

/** Whether what is trained feels a change of this value. */
function gradientText(a: Analysis, symbol: NameSymbol, statement: Binding | null): string {
  if (symbol.kind === 'input' || symbol.kind === 'label' || symbol.kind === 'field') return '';
  // A parameter of another file's block (`embed.weight`) belongs to each of its instances: what holds for one does not for all.
  const home = symbol.place === null || symbol.place.file !== a.file ? null : homeAt(a, symbol.place.start);
  if (home === null || (home.kind !== 'train' && home.damaged)) return '';
  const passage = gradientTo(a, home, statement ?? symbol.name);
  if (passage === null) return '';
  const from = home.kind === 'train' ? 'the loss' : `the result of \`${home.name.text}\``;
  if (passage === 'none') return `No gradient: ${from} does not depend on it.`;
  if (passage.differentiable) return `Gradient: flows to it from ${from}.`;
  return `No gradient: ${from} depends on it only through ${passage.by ?? 'its value'}${
    passage.span === null ? '' : ` (line ${a.sources.position(passage.span.file, passage.span.start).line})`
  }.`;
}

function aboutType(a: Analysis, type: Type, offset: number): string {
  const known = knownSizes(a);
  const lines: string[] = [];
  const size = (p: Poly): string => sizeText(a, homeAt(a, offset), p);
  const numbers = showWithSizes(type, known, size);
  const bytes = bytesOf(type, known);
  if (
    type.kind === 'tensor' &&
    type.shape.length > 0 &&
    (numbers !== typeText(a, homeAt(a, offset), type).replace(/\].*/, ']') || bytes !== null)
  )
    lines.push(`\`${numbers}\`${bytes === null ? '' : `, ${showBytes(bytes)}`}`);
  const role = roleText(type);
  if (role !== '') lines.push(`Role: ${role}.`);
  if (type.kind === 'instance') lines.push(code(signatureText(a.sources, type.instance.definition.declaration)));
  const why = whereSizesComeFrom(type, a.sources, size);
  if (why !== '') lines.push(`Sizes:\n${why}`);
  return lines.join('\n\n');
}

function requirements(a: Analysis, symbol: NameSymbol): string {
  const d = symbol.definition!.declaration;
  if (!isCallable(d)) return '';
  const own = d.body.statements.flatMap((s) =>
    s.kind === 'require' ? [`- \`${a.sources.text(s.condition.span)}\``] : [],
  );
  return own.length === 0 ? '' : `Requires:\n${own.join('\n')}`;
}

/** A word that the checker did not come to, because the text around it is damaged: what it would mean by its name. */
function ofWord(a: Analysis, offset: number): Hover | null {
  const word = wordAt(a.text, offset);
  if (word === null) return null;
  const found = visibleAt(a, offset).find((v) => v.name === word.text);
  const span = { file: a.file, start: word.start, end: word.end };
  if (found === undefined) {
    const doc = builtinDoc(word.text);
    return doc === null ? null : { markdown: section([code(word.text), doc]), span };
  }
  return {
    markdown: section([code(`${found.name}${found.detail === '' ? '' : `: ${found.detail}`}`), found.doc ?? '']),
    span,
  };
}

export function wordAt(
  text: string,
  offset: number,
): { readonly text: string; readonly start: number; readonly end: number } | null {
  let start = offset;
  let end = offset;
  while (start > 0 && /\w/.test(text[start - 1]!)) start--;
  while (end < text.length && /\w/.test(text[end]!)) end++;
  return start === end || /\d/.test(text[start]!) ? null : { text: text.slice(start, end), start, end };
}

const section = (parts: readonly string[]): string => parts.filter((p) => p !== '').join('\n\n');
const short = (text: string): string => (text.length > 40 ? `${text.slice(0, 39)}…` : text).replace(/\s+/g, ' ');
